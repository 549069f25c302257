/* SPDX-License-Identifier: MIT */
/* site.h - which file answers for a path: the folder that is served (docs/http.md).
 *
 * The first of these that exists answers (`x` is a name, `/a/` stands for any folders before it):
 *
 *   /a/x      the file or program x; a program x.*; the folder x (redirect to /a/x/)
 *   /a/x/     in the folder x: index.html; a program index; a program index.*
 *             without a folder x: the program x, or x.*, with PATH_INFO "/"
 *   /a/x/y…   as above inside the folder x
 *             without a folder x: the program x, or x.*, with PATH_INFO "/y…"
 *
 * A program is a regular file with a run bit that begins with `#!` or is an ELF binary. Of several
 * x.* the first in byte order answers. A script without its run bit is SITE_FORBIDDEN, under its
 * own name and where it alone would have answered as x.*, so that its source does not leak and its
 * writer sees why it does not run. A file with a trailing slash is not found.
 *
 * Looks with openat2(RESOLVE_BENEATH): neither `..` nor a symlink leaves the root; relative
 * symlinks within it are followed, absolute ones never. Names that begin with a dot are not found,
 * except `.well-known`. FIFOs, sockets and devices are not found, and opening one never waits.
 *
 * Threads  A site is not changed after site_new: any number of threads may look at once.
 * Cost     A file under its own name: openat2, fstat, pread. A path that is not found also costs a
 *          read of the folder in which it might have been.
 */
#ifndef HTTP_SITE_H
#define HTTP_SITE_H

#include "base/slice.h"

#include <limits.h>
#include <sys/stat.h>

enum site_kind {
    SITE_NONE,      /* 404 */
    SITE_FORBIDDEN, /* 403: a script without its run bit, or not readable */
    SITE_REDIRECT,  /* a folder asked for without its slash: 301 to path + "/" */
    SITE_FILE,
    SITE_PROGRAM,
    SITE_FAILED, /* 503: no descriptor or memory to look with */
};

struct site_found {
    enum site_kind kind;
    int fd; /* of SITE_FILE, the caller's; -1 otherwise */
    struct stat stat;
    char file[PATH_MAX]; /* absolute path of the program or file */
    size_t
        script_len; /* SITE_PROGRAM: how much of the URL path is SCRIPT_NAME; the rest is PATH_INFO
                     */
};

struct site;
/* NULL and errno if `root` can't be opened as a folder. */
struct site *site_new(const char *root);
void site_free(struct site *site);
const char *site_root(const struct site *site); /* absolute */

/* `path` as of http_path_decode. */
void site_find(struct site *site, struct slice path, struct site_found *ret);

#endif
