/* site.h - which file answers for a path: the folder that is served (the contract, section 1).
 *
 * Looks with openat2(RESOLVE_BENEATH): neither `..` nor a symlink leaves the root. Names that begin with a dot are never found, but `.well-known`.
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
    int fd;              /* of SITE_FILE, the caller's; -1 otherwise */
    struct stat stat;
    char file[PATH_MAX]; /* absolute path of the program or file */
    size_t script_len;   /* SITE_PROGRAM: how much of the URL path is SCRIPT_NAME; the rest is PATH_INFO */
};

struct site;
/* NULL and errno if `root` can't be opened as a folder. */
struct site *site_new(const char *root);
void site_free(struct site *site);
const char *site_root(const struct site *site); /* absolute */

/* `path` as of http_path_decode. */
void site_find(struct site *site, struct slice path, struct site_found *ret);

#endif
