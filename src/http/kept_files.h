/* SPDX-License-Identifier: MIT */
/* kept_files.h - what is known of the files of a site, by their path; of small ones all: they are
 * kept in memory. Larger ones are sent from the page cache without being copied, which is cheaper
 * from some 8 KiB on.
 *
 * A kept file is the file only as long as its path leads to one with the same device, inode, mode,
 * size and times: who uses it looks at that each time (kept_file_is()). After KEPT_MS it is found
 * and read anew all the same, for what stat(2) does not show: a path that leads to the same file
 * in a way that is not allowed any more, and pages that were written by mmap(2). A change within
 * the grain of the file system's clock leaves the times as they are, so a file that has changed
 * within the last 2 s is not kept.
 *
 * Memory   At most `bytes_max`; the file that was not asked for longest goes. One file takes a
 *          quarter of it at most, so that the last three are there.
 * Threads  One.
 * Cost     A hash and a look into a table.
 */
#ifndef HTTP_KEPT_FILES_H
#define HTTP_KEPT_FILES_H

#include "base/list.h"
#include "base/slice.h"
#include "http/date.h"

#include <sys/stat.h>

enum {
    KEPT_BODY_MAX = 8192,
    KEPT_BEGIN = 4,
    KEPT_MS = 1000,
    KEPT_TAG_MAX = 80,
};

struct kept_file {
    struct list bucket, used;
    uint64_t hash, until_ms;
    struct stat stat;
    struct slice path; /* of the URL */
    struct slice name; /* below the root, NUL-terminated */
    struct slice body; /* ptr NULL: it is not in memory */
    char begin[KEPT_BEGIN];
    unsigned alone; /* codings in which nothing lay beside it: a bit for each */
    uint8_t tag_len;
    char tag[KEPT_TAG_MAX]; /* of its ETag, once that was written; and its date */
    char modified[HTTP_DATE_LEN];
    char bytes[];
};

struct kept_files;

/* NULL without memory. */
struct kept_files *kept_files_new(void);
void kept_files_free(struct kept_files *k);
/* 0: none are kept. */
void kept_files_limit(struct kept_files *k, size_t bytes_max);
/* Forgets all: the rules by which they were found have changed. */
void kept_files_clear(struct kept_files *k);
size_t kept_files_bytes(const struct kept_files *k);

/* NULL: there is none, or its time is over. Valid until three others were put. */
struct kept_file *kept_files_find(struct kept_files *k, struct slice path);
/* Whether the file is still what it was. */
bool kept_file_is(const struct kept_file *f, const struct stat *now);
/* Notes the file `fd`, which was found under this path by `name`, and of which the `begin` is
 * known, in the place of what was kept; reads it, if it is small. NULL: it is not to be kept, or
 * there is no memory. */
struct kept_file *kept_files_put(struct kept_files *k, struct slice path, struct slice name,
                                 const struct stat *stat, int fd, struct slice begin);
void kept_files_forget(struct kept_files *k, struct kept_file *f);

#endif
