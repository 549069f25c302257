/* SPDX-License-Identifier: MIT */
#include "http/site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RACE_RETRIES 8

struct site {
    int fd;
    char *root; /* absolute, without a trailing slash */
    size_t root_len;
};

/* The kinds of things that a name can stand for. */
enum entry_kind {
    ENTRY_NONE,
    ENTRY_FORBIDDEN, /* not readable */
    ENTRY_FAILED,
    ENTRY_FOLDER,
    ENTRY_FILE,
    ENTRY_PROGRAM,
    ENTRY_SCRIPT, /* without its run bit */
};

struct entry {
    enum entry_kind kind;
    int fd; /* of a folder or file; -1 otherwise */
    struct stat stat;
};

/* One look-up: the path, and the file name as far as it has been found out. */
struct search {
    const struct site *site;
    struct slice path; /* of the URL */
    char *file;        /* ret->file: root and name, NUL-terminated */
    size_t len;
};

/* ---- one entry ---- */

static void entry_close(struct entry *e)
{
    if (e->fd >= 0)
        close(e->fd);
    e->fd = -1;
}

static enum entry_kind kind_of_error(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return ENTRY_FORBIDDEN;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EIO:
        return ENTRY_FAILED;
    default: /* ENOENT, ENOTDIR, EXDEV, ELOOP, ENXIO, ENAMETOOLONG … */
        return ENTRY_NONE;
    }
}

static enum entry_kind kind_of_file(int fd, const struct stat *stat)
{
    char magic[4];
    ssize_t n = pread(fd, magic, sizeof(magic), 0);
    if (n < 0)
        return kind_of_error(errno);
    bool runs = stat->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH);
    if (n >= 2 && memcmp(magic, "#!", 2) == 0)
        return runs ? ENTRY_PROGRAM : ENTRY_SCRIPT;
    if (runs && n == 4 && memcmp(magic, "\177ELF", 4) == 0)
        return ENTRY_PROGRAM;
    return ENTRY_FILE;
}

/* `name` is relative to the root. EAGAIN: a rename was going on beside us. */
static int open_beneath(const struct site *site, const char *name)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    int fd = -1;
    for (int i = 0; i < RACE_RETRIES; i++) {
        fd = (int)syscall(SYS_openat2, site->fd, name, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd;
}

static struct entry entry_at(const struct site *site, const char *name)
{
    struct entry e = {.fd = open_beneath(site, name)};
    if (e.fd < 0) {
        e.kind = kind_of_error(errno);
        return e;
    }
    if (fstat(e.fd, &e.stat) != 0)
        e.kind = kind_of_error(errno);
    else if (S_ISDIR(e.stat.st_mode))
        e.kind = ENTRY_FOLDER;
    else if (S_ISREG(e.stat.st_mode))
        e.kind = kind_of_file(e.fd, &e.stat);
    if (e.kind != ENTRY_FOLDER && e.kind != ENTRY_FILE)
        entry_close(&e);
    return e;
}

/* ---- the file name that grows with the search ---- */

static const char *relative_name(const struct search *s)
{
    size_t skip = s->site->root_len + 1;
    return s->len > skip ? s->file + skip : ".";
}

/* False: longer than the system takes. */
static bool append(struct search *s, struct slice part)
{
    if (s->len + part.len >= PATH_MAX)
        return false;
    memcpy(s->file + s->len, part.ptr, part.len);
    s->len += part.len;
    s->file[s->len] = '\0';
    return true;
}

static void cut(struct search *s, size_t len)
{
    s->len = len;
    s->file[len] = '\0';
}

static bool is_hidden(struct slice name)
{
    return name.len > 0 && *name.ptr == '.' && !slice_equal(name, SLICE_LITERAL(".well-known"));
}

/* ---- results ---- */

/* Ends the search with this entry, which it takes. `script_len`: how much of the path names it. */
static void conclude(struct search *s, struct entry *e, size_t script_len, struct site_found *ret)
{
    static const enum site_kind kinds[] = {
        [ENTRY_NONE] = SITE_NONE,        [ENTRY_FORBIDDEN] = SITE_FORBIDDEN,
        [ENTRY_FAILED] = SITE_FAILED,    [ENTRY_FOLDER] = SITE_NONE,
        [ENTRY_FILE] = SITE_FILE,        [ENTRY_PROGRAM] = SITE_PROGRAM,
        [ENTRY_SCRIPT] = SITE_FORBIDDEN,
    };
    ret->kind = kinds[e->kind];
    ret->stat = e->stat;
    if (e->kind == ENTRY_FILE && script_len < s->path.len)
        ret->kind = SITE_NONE; /* nothing can follow a file */
    if (ret->kind == SITE_FILE)
        ret->fd = e->fd;
    else
        entry_close(e);
    if (ret->kind == SITE_PROGRAM)
        ret->script_len = script_len;
}

/* ---- programs by their name without its ending ---- */

/* The entry `name` of the folder that the search has reached; the search stays there. */
static struct entry entry_in(struct search *s, struct slice name)
{
    size_t folder = s->len;
    struct entry e = {.fd = -1};
    if (append(s, SLICE_LITERAL("/")) && append(s, name))
        e = entry_at(s->site, relative_name(s));
    cut(s, folder);
    return e;
}

static bool may_be_file(const struct dirent *d)
{
    return d->d_type == DT_REG || d->d_type == DT_LNK || d->d_type == DT_UNKNOWN;
}

static bool is_name_with_ending(struct slice file, struct slice name)
{
    return file.len > name.len + 1 && slice_starts_with(file, name) && file.ptr[name.len] == '.';
}

/* The first program NAME.* of the folder in byte order: *ret, its name in `first`. Otherwise *ret
 * says why there is none. */
static void scan_folder(struct search *s, DIR *folder, struct slice name, struct entry *ret,
                        char first[NAME_MAX + 1])
{
    for (struct dirent *d; (d = readdir(folder)) != NULL;) {
        struct slice file = slice_of(d->d_name);
        if (!may_be_file(d) || !is_name_with_ending(file, name) ||
            (*first != '\0' && strcmp(first, d->d_name) < 0))
            continue;
        struct entry e = entry_in(s, file);
        entry_close(&e);
        if (e.kind == ENTRY_PROGRAM)
            memcpy(first, file.ptr, file.len + 1);
        bool tells_why = e.kind == ENTRY_SCRIPT || e.kind == ENTRY_FAILED;
        if (e.kind == ENTRY_PROGRAM || (*first == '\0' && tells_why))
            *ret = e;
    }
}

/* Looks for a program NAME.* in the folder that the search has reached, and goes to it. */
static struct entry go_to_program(struct search *s, struct slice name)
{
    char first[NAME_MAX + 1] = "";
    struct entry e = {.fd = -1};
    int fd = open_beneath(s->site, relative_name(s));
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        if (kind_of_error(errno) == ENTRY_FAILED)
            e.kind = ENTRY_FAILED;
        if (fd >= 0)
            close(fd);
        return e;
    }
    scan_folder(s, folder, name, &e, first);
    closedir(folder);
    if (e.kind == ENTRY_PROGRAM) {
        append(s, SLICE_LITERAL("/"));
        append(s, slice_of(first));
    }
    return e;
}

/* ---- a folder's own answer ---- */

static void find_index(struct search *s, struct site_found *ret)
{
    struct slice index = SLICE_LITERAL("index.html");
    struct entry e = entry_in(s, index);
    if (e.kind == ENTRY_NONE || e.kind == ENTRY_FOLDER) {
        entry_close(&e);
        index = SLICE_LITERAL("index");
        e = entry_in(s, index);
        if (e.kind == ENTRY_FILE || e.kind == ENTRY_FOLDER) {
            entry_close(&e);
            e.kind = ENTRY_NONE;
        }
    }
    if (e.kind == ENTRY_NONE) {
        e = go_to_program(s, SLICE_LITERAL("index"));
    } else {
        append(s, SLICE_LITERAL("/"));
        append(s, index);
    }
    conclude(s, &e, s->path.len, ret);
}

/* ---- the whole path ---- */

/* A folder whose path has no slash at its end: a program of that name wins. */
static void find_folder_or_program(struct search *s, size_t parent_len, struct slice name,
                                   struct site_found *ret)
{
    size_t folder_len = s->len;
    char first = s->file[parent_len];
    cut(s, parent_len);
    struct entry e = go_to_program(s, name);
    if (e.kind != ENTRY_NONE) {
        conclude(s, &e, s->path.len, ret);
        return;
    }
    s->file[parent_len] = first;
    s->len = folder_len;
    ret->kind = SITE_REDIRECT;
}

/* Goes one name further from `at`, the slash before it. Returns the slash after it if the search
 * goes on inside a folder, otherwise 0. */
static size_t walk_one(struct search *s, size_t at, struct site_found *ret)
{
    struct slice rest = slice_skip(s->path, at + 1);
    struct slice name = slice_first(rest, slice_find(rest, '/'));
    size_t parent_len = s->len, end = at + 1 + name.len;
    if (is_hidden(name) || !append(s, SLICE_LITERAL("/")) || !append(s, name))
        return 0;
    struct entry e = entry_at(s->site, relative_name(s));
    if (e.kind == ENTRY_FOLDER) {
        entry_close(&e);
        if (end < s->path.len)
            return end;
        find_folder_or_program(s, parent_len, name, ret);
        return 0;
    }
    if (e.kind == ENTRY_NONE) {
        cut(s, parent_len);
        e = go_to_program(s, name);
    }
    conclude(s, &e, end, ret);
    return 0;
}

static void walk(struct search *s, struct site_found *ret)
{
    size_t at = 0;
    cut(s, s->site->root_len);
    do {
        if (at + 1 == s->path.len) {
            find_index(s, ret);
            return;
        }
        at = walk_one(s, at, ret);
    } while (at > 0);
}

static bool may_be_hidden(struct slice path)
{
    return memmem(path.ptr, path.len, "/.", 2) != NULL;
}

/* Most paths name a file as it stands, or a folder with its index.html: one look. */
static bool find_directly(struct search *s, struct site_found *ret)
{
    bool is_folder = s->path.ptr[s->path.len - 1] == '/';
    if (may_be_hidden(s->path) || !append(s, s->path) ||
        (is_folder && !append(s, SLICE_LITERAL("index.html"))))
        return false;
    struct entry e = entry_at(s->site, relative_name(s));
    if (e.kind == ENTRY_NONE || e.kind == ENTRY_FOLDER) {
        entry_close(&e);
        return false;
    }
    conclude(s, &e, s->path.len, ret);
    return true;
}

void site_find(struct site *site, struct slice path, struct site_found *ret)
{
    struct search s = {.site = site, .path = path, .file = ret->file};
    ret->kind = SITE_NONE;
    ret->fd = -1;
    ret->script_len = 0;
    append(&s, slice_make(site->root, site->root_len));
    if (!find_directly(&s, ret))
        walk(&s, ret);
}

/* ---- made and freed ---- */

struct site *site_new(const char *root)
{
    struct site *site = calloc(1, sizeof(*site));
    if (site == NULL)
        return NULL;
    site->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    site->root = site->fd >= 0 ? realpath(root, NULL) : NULL;
    if (site->root == NULL) {
        int error = errno;
        site_free(site);
        errno = error;
        return NULL;
    }
    site->root_len = strlen(site->root);
    if (site->root_len == 1)
        site->root_len = 0; /* `/`: every name brings its own slash */
    return site;
}

void site_free(struct site *site)
{
    if (site == NULL)
        return;
    if (site->fd >= 0)
        close(site->fd);
    free(site->root);
    free(site);
}

const char *site_root(const struct site *site)
{
    return site->root;
}
