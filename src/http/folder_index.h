/* SPDX-License-Identifier: MIT */
/* folder_index.h - the names in a folder that have an ending, in byte order: which NAME.* there
 * are, without reading the folder each time.
 *
 * A folder is known by device and inode, and read again when its times have changed. A change
 * within the grain of the file system's clock leaves them as they are, so what is read within
 * 2 s of a change counts for this once only. A folder that takes long to read is read for a
 * twentieth of the time at most: as long as that, what is known of it may be out of date (0.6 s for
 * 100 000 files).
 *
 * Memory   At most `bytes_max`: the folder that was not asked for longest is forgotten. One that
 *          is too large by itself has no names here; that is logged.
 * Threads  One.
 * Cost     fstat and a binary search. A folder that has changed: reading and sorting it.
 */
#ifndef HTTP_FOLDER_INDEX_H
#define HTTP_FOLDER_INDEX_H

#include "base/slice.h"

struct folder_index;

/* NULL without memory. */
struct folder_index *folder_index_new(size_t bytes_max);
void folder_index_free(struct folder_index *index);
void folder_index_limit(struct folder_index *index, size_t bytes_max);
size_t folder_index_bytes(const struct folder_index *index);

/* Some names, one after the other; valid until the next folder_index_find(). */
struct folder_names {
    const char *text;
    const uint32_t *offsets; /* into text; each name ends in NUL */
    size_t count;
};

/* The names NAME.* of the folder `fd`, which stays the caller's; a name that nothing follows the
 * dot is none. `path` is for the log. 0 or a negative errno, and then *ret is empty. */
int folder_index_find(struct folder_index *index, int fd, const char *path, struct slice name,
                      struct folder_names *ret);

#endif
