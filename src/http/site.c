/* SPDX-License-Identifier: MIT */
#include "http/site.h"

#include "base/log.h"
#include "http/folder_index.h"
#include "http/kept_files.h"
#include "http/withheld.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RACE_RETRIES   8
#define CANDIDATES_MAX 64
#define INDEX_DEFAULT  (16u << 20)

struct site {
    int fd;
    char *name; /* of the root, as it was given */
    dev_t device;
    ino_t inode;
    char *root; /* absolute, without a trailing slash */
    size_t root_len;
    struct folder_index *index;
    struct kept_files *kept;
    struct site_config config;
};

/* The kinds of things that a name can stand for. */
enum entry_kind {
    ENTRY_NONE,
    ENTRY_FORBIDDEN, /* not readable */
    ENTRY_FAILED,
    ENTRY_FOLDER,
    ENTRY_FILE,
    ENTRY_PROGRAM,
    ENTRY_SCRIPT,   /* that can't run */
    ENTRY_WITHHELD, /* not for browsers */
};

struct entry {
    enum entry_kind kind;
    const char *why; /* of SCRIPT and WITHHELD */
    int fd;          /* of a folder or file; -1 otherwise */
    struct stat stat;
    size_t begin_len; /* of a file, in the search's `begin` */
};

/* One look-up: the path, and the file name as far as it has been found out. */
struct search {
    const struct site *site;
    struct slice path; /* of the URL */
    char *file;        /* ret->file: root and name, NUL-terminated */
    char *begin;       /* ret->begin: of the file that was looked at last */
    size_t len;
    struct kept_file *known; /* what is known of the file of the whole path, or NULL */
    bool missing; /* the whole path (of a folder, its index.html) was looked for and is not there */
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
        log_lack("look into the root", error);
        return ENTRY_FAILED;
    default: /* ENOENT, ENOTDIR, EXDEV, ELOOP, ENXIO, ENAMETOOLONG … */
        return ENTRY_NONE;
    }
}

/* The settings may name what is handed out whatever it is. `path`: below the root, with its slash.
 */
static bool is_served(const struct site *site, const char *path)
{
    for (size_t i = 0; i < site->config.served_count; i++)
        if (fnmatch(site->config.served[i], path, FNM_PATHNAME | FNM_LEADING_DIR) == 0)
            return true;
    return false;
}

static void refuse_file(struct entry *e, enum entry_kind kind, const char *why)
{
    e->kind = kind;
    e->why = why;
}

/* A regular file, by its first bytes, run bit and name. `path`: below the root, with its slash. */
static void look_at_file(const struct site *site, const char *path, char *begin, struct entry *e)
{
    ssize_t n = pread(e->fd, begin, SITE_BEGIN, 0);
    bool runs = e->stat.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH);
    struct slice s = slice_make(begin, n < 0 ? 0 : n < WITHHELD_BEGIN ? (size_t)n : WITHHELD_BEGIN);
    e->begin_len = n > 0 ? (size_t)n : 0;
    const char *why;
    e->kind = ENTRY_FILE;
    if (n < 0)
        e->kind = kind_of_error(errno);
    else if (runs && (withheld_is_script(s) || slice_starts_with(s, SLICE_LITERAL("\177ELF"))))
        e->kind = ENTRY_PROGRAM;
    else if (withheld_is_script(s))
        refuse_file(e, ENTRY_SCRIPT, "a script without its run bit: chmod +x");
    else if (withheld_is_marked_script(s))
        refuse_file(e, ENTRY_SCRIPT, "a script with a byte order mark or blank lines before #!");
    else if ((why = withheld_why(slice_of(strrchr(path, '/') + 1), s, runs)) != NULL)
        refuse_file(e, ENTRY_WITHHELD, why);
    if (e->why && is_served(site, path))
        e->kind = ENTRY_FILE;
}

/* `name` is relative to the root. EAGAIN: a rename was going on beside us. */
static int open_beneath(const struct site *site, const char *name, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags),
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

static const char *relative_name(const struct search *s)
{
    size_t skip = s->site->root_len + 1;
    return s->len > skip ? s->file + skip : ".";
}

/* What the search has reached. `known`: what is known of it, or NULL. */
static struct entry entry_known(const struct search *s, const struct kept_file *known)
{
    struct entry e = {.fd = open_beneath(s->site, relative_name(s), 0)};
    if (e.fd < 0) {
        e.kind = kind_of_error(errno);
        return e;
    }
    if (fstat(e.fd, &e.stat) != 0)
        e.kind = kind_of_error(errno);
    else if (S_ISDIR(e.stat.st_mode))
        e.kind = ENTRY_FOLDER;
    else if (known && kept_file_is(known, &e.stat))
        e.kind = ENTRY_FILE;
    else if (S_ISREG(e.stat.st_mode))
        look_at_file(s->site, s->file + s->site->root_len, s->begin, &e);
    if (e.kind != ENTRY_FOLDER && e.kind != ENTRY_FILE)
        entry_close(&e);
    return e;
}

static struct entry entry_at(const struct search *s)
{
    return entry_known(s, NULL);
}

/* ---- the file name that grows with the search ---- */

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
        [ENTRY_SCRIPT] = SITE_FORBIDDEN, [ENTRY_WITHHELD] = SITE_FORBIDDEN,
    };
    ret->kind = kinds[e->kind];
    ret->why = e->why ? e->why : "not readable";
    ret->stat = e->stat;
    ret->begin_len = e->begin_len;
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
        e = entry_at(s);
    cut(s, folder);
    return e;
}

/* The first program among the names of the folder that the search has reached, and goes to it.
 * Otherwise the entry says why there is none. */
static struct entry go_to_first(struct search *s, const struct folder_names *names)
{
    struct entry found = {.fd = -1};
    for (size_t i = 0; i < names->count && i < CANDIDATES_MAX; i++) {
        struct slice file = slice_of(names->text + names->offsets[i]);
        struct entry e = entry_in(s, file);
        entry_close(&e);
        if (e.kind == ENTRY_PROGRAM) {
            append(s, SLICE_LITERAL("/"));
            append(s, file);
            return e;
        }
        if (e.kind == ENTRY_SCRIPT || e.kind == ENTRY_FAILED)
            found = e;
    }
    return found;
}

static bool is_at_root(const struct search *s)
{
    return s->len == s->site->root_len;
}

/* The folder that the search has reached; to be given back. A negative errno. */
static int borrow_folder(const struct search *s)
{
    if (is_at_root(s))
        return s->site->fd;
    int fd = open_beneath(s->site, relative_name(s), O_DIRECTORY);
    return fd < 0 ? -errno : fd;
}

static void give_back(const struct search *s, int fd)
{
    if (fd >= 0 && fd != s->site->fd)
        close(fd);
}

/* Looks for a program NAME.* in the folder that the search has reached, `fd` or the error for which
 * there is none, and goes to it. */
static struct entry go_to_program_in(struct search *s, int fd, struct slice name)
{
    struct entry e = {.fd = -1};
    struct folder_names names;
    int error = fd < 0 ? fd : folder_index_find(s->site->index, fd, s->file, name, &names);
    give_back(s, fd);
    if (error == 0)
        return go_to_first(s, &names);
    if (kind_of_error(-error) == ENTRY_FAILED)
        e.kind = ENTRY_FAILED;
    return e;
}

static struct entry go_to_program(struct search *s, struct slice name)
{
    return go_to_program_in(s, borrow_folder(s), name);
}

/* ---- a folder's own answer ---- */

static void find_index(struct search *s, struct site_found *ret)
{
    struct slice index = SLICE_LITERAL("index.html");
    struct entry e = {.fd = -1};
    if (!s->missing)
        e = entry_in(s, index);
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
    struct entry e = entry_at(s);
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

/* Nothing is there under its own name. If the folder of that name is there, all folders before it
 * are, and only NAME.* is left to be looked for. */
static bool find_in_folder(struct search *s, struct site_found *ret)
{
    size_t slash = s->path.len - 1;
    while (s->path.ptr[slash] != '/')
        slash--;
    struct slice name = slice_skip(s->path, slash + 1);
    cut(s, s->site->root_len);
    if (!s->missing || name.len == 0 || !append(s, slice_first(s->path, slash)))
        return false;
    int fd = borrow_folder(s);
    if (fd < 0)
        return false;
    struct entry e = go_to_program_in(s, fd, name);
    conclude(s, &e, s->path.len, ret);
    return true;
}

static bool may_be_hidden(struct slice path)
{
    return memmem(path.ptr, path.len, "/.", 2) != NULL;
}

/* ---- files in memory ---- */

/* Whether the path still leads to the file, which is in memory. */
static bool is_still(const struct site *site, struct kept_file *f)
{
    struct stat now;
    return f->body.ptr && fstatat(site->fd, f->name.ptr, &now, 0) == 0 && kept_file_is(f, &now);
}

/* Keeps the file that the search has reached under the path that leads to it, unless it is known or
 * can't be kept. Then it is closed, if it is in memory. */
static struct kept_file *keep(const struct search *s, struct slice path, struct kept_file *known,
                              struct entry *e)
{
    struct slice begin = slice_make(s->begin, e->begin_len);
    if (known && kept_file_is(known, &e->stat))
        return known;
    struct kept_file *f =
        kept_files_put(s->site->kept, path, slice_of(relative_name(s)), &e->stat, e->fd, begin);
    if (f && f->body.ptr)
        entry_close(e);
    return f;
}

static bool find_kept(struct search *s, struct site_found *ret)
{
    struct kept_file *f = s->known = kept_files_find(s->site->kept, s->path);
    if (!f || !is_still(s->site, f) || !append(s, SLICE_LITERAL("/")) || !append(s, f->name))
        return false;
    ret->kind = SITE_FILE;
    ret->kept = f;
    ret->stat = f->stat;
    ret->begin_len = 0;
    return true;
}

int site_open_kept(const struct site_found *found)
{
    struct stat now;
    int fd = open_beneath(found->site, found->kept->name.ptr, 0);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &now) == 0 && kept_file_is(found->kept, &now))
        return fd;
    close(fd);
    return -ESTALE;
}

/* Most paths name a file as it stands, or a folder with its index.html: one look. */
static bool find_directly(struct search *s, struct site_found *ret)
{
    bool is_folder = s->path.ptr[s->path.len - 1] == '/';
    if (may_be_hidden(s->path) || !append(s, s->path) ||
        (is_folder && !append(s, SLICE_LITERAL("index.html"))))
        return false;
    struct entry e = entry_known(s, s->known);
    if (e.kind == ENTRY_NONE || e.kind == ENTRY_FOLDER) {
        entry_close(&e);
        s->missing = e.kind == ENTRY_NONE;
        return false;
    }
    if (e.kind == ENTRY_FILE)
        ret->kept = keep(s, s->path, s->known, &e);
    conclude(s, &e, s->path.len, ret);
    return true;
}

void site_find(struct site *site, struct slice path, struct site_found *ret)
{
    struct search s = {.site = site, .path = path, .file = ret->file, .begin = ret->begin};
    ret->site = site;
    ret->kind = SITE_NONE;
    ret->fd = -1;
    ret->kept = NULL;
    ret->why = NULL;
    ret->script_len = 0;
    append(&s, slice_make(site->root, site->root_len));
    if (!find_kept(&s, ret) && !find_directly(&s, ret) && !find_in_folder(&s, ret))
        walk(&s, ret);
}

/* ---- beside a file ---- */

static bool is_older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec ||
           (a->tv_sec == b->tv_sec && a->tv_nsec && a->tv_nsec < b->tv_nsec);
}

/* What the search has reached, whatever its age. */
static bool look_beside(struct search *s, struct site_beside *ret)
{
    struct slice path = slice_skip(slice_make(s->file, s->len), s->site->root_len);
    struct kept_file *known = kept_files_find(s->site->kept, path);
    ret->fd = -1;
    ret->kept = known;
    ret->begin_len = 0;
    if (known && is_still(s->site, known)) {
        ret->stat = known->stat;
        return true;
    }
    struct entry e = entry_known(s, known);
    if (e.kind == ENTRY_FILE) {
        ret->kept = keep(s, path, known, &e);
        ret->fd = e.fd;
        ret->stat = e.stat;
        ret->begin_len = e.begin_len;
        return true;
    }
    entry_close(&e);
    return false;
}

bool site_find_beside(struct site_found *found, struct slice ending, struct site_beside *ret)
{
    struct search s = {.site = found->site, .file = found->file, .begin = ret->begin};
    size_t len = s.len = strlen(found->file);
    bool is_there = append(&s, ending) && look_beside(&s, ret);
    cut(&s, len);
    if (is_there && !is_older(&ret->stat.st_mtim, &found->stat.st_mtim))
        return true;
    if (is_there && ret->fd >= 0)
        close(ret->fd);
    return false;
}

void site_found_done(struct site_found *found)
{
    if (found->fd >= 0)
        close(found->fd);
    found->fd = -1;
}

/* ---- made and freed ---- */

/* Opens the folder of this name in the place of what the site had. 0 or a negative errno, and
 * nothing has changed. */
static int open_root(struct site *site)
{
    struct stat stat;
    int fd = open(site->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *root = fd >= 0 && fstat(fd, &stat) == 0 ? realpath(site->name, NULL) : NULL;
    if (root == NULL) {
        int error = -errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    if (site->fd >= 0)
        close(site->fd);
    free(site->root);
    kept_files_clear(site->kept);
    site->fd = fd;
    site->device = stat.st_dev;
    site->inode = stat.st_ino;
    site->root = root;
    site->root_len = strlen(root);
    if (site->root_len == 1)
        site->root_len = 0; /* `/`: every name brings its own slash */
    return 0;
}

/* Is this path the folder that is served? Otherwise errno, or 0. */
static bool is_at(const struct site *site, const char *path)
{
    struct stat now;
    errno = 0;
    return stat(path, &now) == 0 && now.st_dev == site->device && now.st_ino == site->inode;
}

bool site_follow(struct site *site, int *error)
{
    bool is_same = is_at(site, site->name);
    *error = -errno;
    if (is_same && (strcmp(site->name, site->root) == 0 || is_at(site, site->root)))
        return false;
    if (*error == 0)
        *error = open_root(site);
    return *error == 0;
}

struct compressor *site_compressor(const struct site *site)
{
    return site->config.compressor;
}

void site_use(struct site *site, const struct site_config *config)
{
    site->config = *config;
    kept_files_clear(site->kept);
    kept_files_limit(site->kept, config->kept_files_max);
    folder_index_limit(site->index,
                       config->folder_index_max ? config->folder_index_max : INDEX_DEFAULT);
}

struct site *site_new(const char *root)
{
    struct site *site = log_needed(calloc(1, sizeof(*site)));
    if (site == NULL)
        return NULL;
    site->fd = -1;
    site->name = log_needed(strdup(root));
    site->index = folder_index_new(INDEX_DEFAULT);
    site->kept = kept_files_new();
    int error = site->name && site->index && site->kept ? open_root(site) : -ENOMEM;
    if (error == 0)
        return site;
    site_free(site);
    errno = -error;
    return NULL;
}

void site_free(struct site *site)
{
    if (site == NULL)
        return;
    if (site->fd >= 0)
        close(site->fd);
    folder_index_free(site->index);
    kept_files_free(site->kept);
    free(site->name);
    free(site->root);
    free(site);
}

const char *site_root(const struct site *site)
{
    return site->root;
}

size_t site_kept_bytes(const struct site *site)
{
    return kept_files_bytes(site->kept);
}

size_t site_index_bytes(const struct site *site)
{
    return folder_index_bytes(site->index);
}
