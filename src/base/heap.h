/* SPDX-License-Identifier: MIT */
/* heap.h - what buffers cost of real memory.
 *
 * The heap rounds, and has a head for each block. A large block comes from the system, and of that
 * only the pages that were written to are real. So a buffer that grows by doubling costs what it
 * has room for while it is small, and what is in it when it is large.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>

enum {
    HEAP_HEAD = 16,
    /* Blocks from this size on come from the system and go back to it at once (M_MMAP_THRESHOLD).
     * By default glibc raises it to 32 MiB after the first large block, and keeps what is freed. */
    HEAP_MAPPED_MIN = 1024 * 1024
};

/* A buffer with so much room, of which so much was written to. */
static inline size_t heap_cost(size_t room, size_t len)
{
    return room < HEAP_MAPPED_MIN ? room : len;
}

#endif
