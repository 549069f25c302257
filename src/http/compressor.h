/* SPDX-License-Identifier: MIT */
/* compressor.h - compressed copies of files: made by a thread of its own when they are first asked
 * for, and kept in memory for all workers.
 *
 * Nobody waits: what is not ready is sent as it is. A file is known by device, inode, size and the
 * times of its last change, so that a copy of what was there before an edit is never found, and one
 * that was renamed is, or is made again. A file that has changed within the last 2 s is left alone:
 * it may change once more within the grain of the file system's clock.
 *
 * Bounds   Files of COMPRESSOR_MIN to COMPRESSOR_MAX bytes. At most `bytes_max` of copies, and of
 *          notes that a file is not worth it: those that were not asked for longest are forgotten,
 *          but none that is being sent. COMPRESSOR_WAITING files wait at a time, each once in each
 *          coding. The thread works for a quarter of the time at most, at a low priority: so much a
 *          stranger can make it do who asks for all files again and again. It begins nothing while
 *          memory is short.
 * Threads  compressor_new() and _free() when no other thread has it; the rest any.
 * Lifetime What compressor_find() has returned is to be given back before compressor_free().
 * Cost     A lock and a look into a table. Without a thread, a descriptor or memory for more,
 *          files are sent as they are.
 */
#ifndef HTTP_COMPRESSOR_H
#define HTTP_COMPRESSOR_H

#include "http/encodings.h"
#include "limits/memory.h"

#include <sys/stat.h>

enum {
    COMPRESSOR_MIN = 1024,
    COMPRESSOR_MAX = 4 << 20,
    COMPRESSOR_WAITING = 16,
};

struct compressor;
struct compressed;

/* `memory` may be NULL, and is borrowed. NULL without memory. */
struct compressor *compressor_new(size_t bytes_max, struct memory *memory);
/* For a reload; 0: nothing is compressed any more. */
void compressor_limit(struct compressor *c, size_t bytes_max);
void compressor_free(struct compressor *c);

/* Whether a file could be compressed at all. */
bool compressor_takes(const struct compressor *c, const struct stat *stat);
/* The copy in this coding of the file with this `stat`; to be given back. NULL: there is none, or
 * none yet; if *ret_unknown, it may be asked for. */
struct compressed *compressor_find(struct compressor *c, const struct stat *stat,
                                   enum encoding encoding, bool *ret_unknown);
/* Asks for it, if that is possible now. `fd` is the file, borrowed. */
void compressor_ask(struct compressor *c, const struct stat *stat, enum encoding encoding, int fd);
struct slice compressed_bytes(const struct compressed *copy);
void compressor_give_back(struct compressor *c, struct compressed *copy);

struct compressor_counts {
    size_t bytes;       /* kept now */
    uint64_t made;      /* copies, */
    uint64_t forgotten; /* and those that have made room */
};
struct compressor_counts compressor_count(struct compressor *c);

#endif
