/* SPDX-License-Identifier: MIT */
/* buffer.h - bytes that are gathered on the heap until they are whole.
 *
 * A NULL pointer is an empty buffer. It doubles as bytes come, and never grows beyond what is
 * expected in all: a length that a header only announces costs nothing. Once whole, it may be
 * handed on by reference.
 */
#ifndef WS_BUFFER_H
#define WS_BUFFER_H

#include "base/heap.h"
#include "core/chunk.h"

static inline size_t buffer_len(const struct shared_bytes *b)
{
    return b ? b->len : 0;
}

static inline size_t buffer_cost(const struct shared_bytes *b)
{
    return b ? sizeof(*b) + heap_cost(b->room, b->len) : 0;
}

/* Appends; at most `expected` more bytes will follow. Nobody else has a reference. False without
 * memory: then nothing has changed. */
bool buffer_append(struct shared_bytes **b, struct slice data, uint64_t expected);

#endif
