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
 * x.* the first in byte order answers; of more than 64, the first 64 are looked at. A script
 * without its run bit, or with something before its `#!`, is SITE_FORBIDDEN, under its own
 * name and where it alone would have answered as x.*, so that its source does not leak and its
 * writer sees why it does not run. So are files that are not meant for browsers (withheld.h), under
 * their own names, unless the settings name them. A file with a trailing slash is not found.
 *
 * Looks with openat2(RESOLVE_BENEATH): neither `..` nor a symlink leaves the root; relative
 * symlinks within it are followed, absolute ones never. Names that begin with a dot are not found,
 * except `.well-known`. FIFOs, sockets and devices are not found, and opening one never waits.
 *
 * Threads  One.
 * Cost     A file under its own name: openat2, fstat, pread, and close by the caller; one that was
 *          asked for within the last second: without pread, and if it is small, fstatat alone. A
 *          path that
 *          is not found costs openat2 and a look into the index of the folder in which it might
 *          have been (folder_index.h), which is openat2, fstat and close; in the root only fstat.
 */
#ifndef HTTP_SITE_H
#define HTTP_SITE_H

#include "base/slice.h"

#include <limits.h>
#include <sys/stat.h>

enum site_kind {
    SITE_NONE,      /* 404 */
    SITE_FORBIDDEN, /* 403, see `why` */
    SITE_REDIRECT,  /* a folder asked for without its slash: 301 to path + "/" */
    SITE_FILE,
    SITE_PROGRAM,
    SITE_FAILED, /* 503: no descriptor or memory to look with */
};

/* So much of a file is read to see what it is: a file that is not longer needs no other look. */
#define SITE_BEGIN 1024

struct site;
struct compressor;
struct kept_file;

struct site_found {
    struct site *site; /* borrowed: where it was found */
    enum site_kind kind;
    int fd; /* of SITE_FILE, the caller's, unless it is in memory; else -1: site_found_done() */
    /* Of SITE_FILE: what is known of it, which may be all (kept_files.h), or NULL. Valid until two
     * others have been looked for. */
    struct kept_file *kept;
    const char *why; /* of SITE_FORBIDDEN, for the log; static */
    struct stat stat;
    size_t begin_len; /* of `begin`: of SITE_FILE that is not `kept`, the file's first bytes */
    char begin[SITE_BEGIN];
    char file[PATH_MAX]; /* absolute path of the program or file */
    size_t
        script_len; /* SITE_PROGRAM: how much of the URL path is SCRIPT_NAME; the rest is PATH_INFO
                     */
};

/* Borrowed, and may change from one look to the next. */
struct site_config {
    size_t folder_index_max; /* bytes of the index; 0: the default of site_new() */
    size_t kept_files_max;   /* bytes of files in memory; 0: none */
    /* Patterns of paths that are handed out whatever they are, as fnmatch(3) has them: `*` and `?`
     * match no slash, and a folder stands for all in it. */
    char *const *served;
    size_t served_count;
    struct compressor *compressor; /* NULL: files are not compressed */
};

/* NULL and errno if `root` can't be opened as a folder. */
struct site *site_new(const char *root);
void site_free(struct site *site);
const char *site_root(const struct site *site); /* absolute; until the next site_follow() */
/* As site_use() was told; NULL: none. */
struct compressor *site_compressor(const struct site *site);
/* Bytes of its index of folders, and of its files in memory. */
size_t site_index_bytes(const struct site *site);
size_t site_kept_bytes(const struct site *site);
void site_use(struct site *site, const struct site_config *config);

/* Looks whether `root` of site_new() is another folder by now, such as a symlink that was switched,
 * or the same one at another place, and goes there. True: it has. If it is no folder now, the site
 * stays where it was; *error is then a negative errno, otherwise 0. Costs two stats. */
bool site_follow(struct site *site, int *error);

/* `path` as of http_path_decode. */
void site_find(struct site *site, struct slice path, struct site_found *ret);
/* Closes `fd`, if there is one. */
void site_found_done(struct site_found *found);
/* The file again that `kept` is of; negative: it is not there any more, or changed. */
int site_open_kept(const struct site_found *found);

/* Looks for the file whose name is that of the SITE_FILE `found` with `ending` behind it, such as
 * `.gz`: in the same folder, by the same rules. It counts if it would be handed out under its own
 * name, and is not older than `found`; of a time without a fraction, which tools round down to, the
 * whole seconds are compared. True: *ret is it, with `fd` the caller's. Costs openat2 if there is
 * none. */
struct site_beside {
    int fd; /* -1: it is in memory */
    struct kept_file *kept;
    struct stat stat;
    size_t begin_len;
    char begin[SITE_BEGIN];
};
bool site_find_beside(struct site_found *found, struct slice ending, struct site_beside *ret);

#endif
