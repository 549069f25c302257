/* SPDX-License-Identifier: MIT */
#include "http/folder_index.h"

#include "base/list.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS    256
#define GRAIN_S    2       /* of file systems' clocks */
#define SLOW_NS    5000000 /* a folder that is read faster may be read each time */
#define REST_RATIO 20

struct folder {
    struct list node, used; /* of its bucket; of all, the one used last at the end */
    struct stat stat;       /* when it was read */
    bool grainy;            /* it had changed just before */
    uint64_t read_ns;       /* when, of a clock that goes on */
    uint64_t cost_ns;       /* of the processor */
    char *text;
    uint32_t *offsets;
    size_t count, bytes;
};

struct folder_index {
    struct list buckets[BUCKETS];
    struct list used;
    size_t bytes, bytes_max;
};

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- names that are gathered ---- */

struct gathering {
    char *text;
    uint32_t *offsets;
    size_t len, size, count, room;
    size_t bytes_max;
    int error;
};

/* False: no memory, or more than may be kept. */
static bool make_room(struct gathering *g, size_t len)
{
    if (g->len + len + (g->count + 1) * sizeof(*g->offsets) > g->bytes_max || g->len > INT32_MAX) {
        g->error = -EFBIG;
        return false;
    }
    size_t size = g->size;
    while (size < g->len + len)
        size = size ? 2 * size : 1024;
    size_t room = g->count < g->room ? g->room : g->room ? 2 * g->room : 64;
    char *text = size > g->size ? log_needed(realloc(g->text, size)) : g->text;
    if (text) {
        g->text = text;
        g->size = size;
    }
    uint32_t *offsets =
        room > g->room ? log_needed(realloc(g->offsets, room * sizeof(*offsets))) : g->offsets;
    if (offsets) {
        g->offsets = offsets;
        g->room = room;
    }
    if (!text || !offsets)
        g->error = -ENOMEM;
    return text && offsets;
}

static bool has_ending(const char *name)
{
    const char *dot = strchr(name + 1, '.');
    return *name != '.' && *name != '\0' && dot && dot[1] != '\0';
}

static bool may_be_file(const struct dirent *d)
{
    return d->d_type == DT_REG || d->d_type == DT_LNK || d->d_type == DT_UNKNOWN;
}

static void gather(struct gathering *g, DIR *dir)
{
    struct dirent *d;
    while (errno = 0, (d = readdir(dir)) != NULL) {
        size_t len = strlen(d->d_name) + 1;
        if (!may_be_file(d) || !has_ending(d->d_name))
            continue;
        if (!make_room(g, len))
            return;
        memcpy(g->text + g->len, d->d_name, len);
        g->offsets[g->count++] = (uint32_t)g->len;
        g->len += len;
    }
    g->error = -errno;
}

static int compare(const void *a, const void *b, void *text)
{
    return strcmp((char *)text + *(const uint32_t *)a, (char *)text + *(const uint32_t *)b);
}

/* ---- folders ---- */

static struct list *bucket_of(struct folder_index *index, const struct stat *stat)
{
    return &index->buckets[(stat->st_ino ^ stat->st_dev) % BUCKETS];
}

static struct folder *find(struct folder_index *index, const struct stat *stat)
{
    struct list *all = bucket_of(index, stat);
    for (struct list *node = all->next; node != all; node = node->next) {
        struct folder *f = container_of(node, struct folder, node);
        if (f->stat.st_ino == stat->st_ino && f->stat.st_dev == stat->st_dev)
            return f;
    }
    return NULL;
}

static void forget(struct folder_index *index, struct folder *f)
{
    list_remove(&f->node);
    list_remove(&f->used);
    index->bytes -= f->bytes;
    free(f->text);
    free(f->offsets);
    free(f);
}

static void make_place(struct folder_index *index, size_t bytes)
{
    while (!list_empty(&index->used) && index->bytes + bytes > index->bytes_max)
        forget(index, container_of(index->used.next, struct folder, used));
}

static bool is_same(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_current(const struct folder *f, const struct stat *stat)
{
    bool unchanged =
        is_same(&f->stat.st_mtim, &stat->st_mtim) && is_same(&f->stat.st_ctim, &stat->st_ctim);
    bool rests =
        f->cost_ns > SLOW_NS && now_ns(CLOCK_MONOTONIC) - f->read_ns < REST_RATIO * f->cost_ns;
    return (unchanged && !f->grainy) || rests;
}

/* Takes the names that were gathered. */
static struct folder *keep(struct folder_index *index, struct gathering *g, const struct stat *stat)
{
    struct folder *f = log_needed(calloc(1, sizeof(*f)));
    if (!f)
        return NULL;
    f->stat = *stat;
    f->text = g->text;
    f->offsets = g->offsets;
    f->count = g->count;
    f->bytes = sizeof(*f) + g->size + g->room * sizeof(*g->offsets);
    make_place(index, f->bytes);
    index->bytes += f->bytes;
    list_append(bucket_of(index, stat), &f->node);
    list_append(&index->used, &f->used);
    return f;
}

static void drop_names(struct gathering *g)
{
    free(g->text);
    free(g->offsets);
    *g = (struct gathering){.error = g->error};
}

/* Of a descriptor of its own, whose position is nobody else's. */
static DIR *open_names(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    int error = errno;
    if (fd >= 0 && !dir)
        close(fd);
    errno = error;
    return dir;
}

/* NULL and *error. */
static struct folder *read_folder(struct folder_index *index, int fd, const char *path,
                                  const struct stat *stat, int *error)
{
    uint64_t begun = now_ns(CLOCK_THREAD_CPUTIME_ID);
    struct timespec today;
    clock_gettime(CLOCK_REALTIME, &today);
    /* While names are gathered, buffers are twice as large as needed at most. */
    struct gathering g = {.bytes_max = index->bytes_max / 2};
    DIR *dir = open_names(fd);
    if (!dir) {
        *error = -errno;
        return NULL;
    }
    gather(&g, dir);
    closedir(dir);
    if (g.error) {
        drop_names(&g);
        if (g.error == -EFBIG)
            log_warn("site.folder_too_large", log_text("folder", path),
                     log_int("folder_index_max", index->bytes_max),
                     log_text("why", "NAME.* is not looked for in it"));
        else
            *error = g.error;
        if (g.error != -EFBIG)
            return NULL;
    }
    if (g.count > 1)
        qsort_r(g.offsets, g.count, sizeof(*g.offsets), compare, g.text);
    struct folder *f = keep(index, &g, stat);
    if (!f) {
        drop_names(&g);
        *error = -ENOMEM;
        return NULL;
    }
    f->grainy = stat->st_mtim.tv_sec + GRAIN_S >= today.tv_sec ||
                stat->st_ctim.tv_sec + GRAIN_S >= today.tv_sec;
    f->read_ns = now_ns(CLOCK_MONOTONIC);
    f->cost_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - begun;
    return f;
}

/* ---- looking ---- */

/* The first name that is not less than `prefix` and the dot. */
static size_t lower_bound(const struct folder *f, struct slice prefix)
{
    size_t low = 0, high = f->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *name = f->text + f->offsets[middle];
        int order = strncmp(name, prefix.ptr, prefix.len);
        if (order == 0)
            order = (unsigned char)name[prefix.len] - '.';
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_name_with_ending(const char *file, struct slice name)
{
    return strncmp(file, name.ptr, name.len) == 0 && file[name.len] == '.' && file[name.len + 1];
}

static void select_names(const struct folder *f, struct slice name, struct folder_names *ret)
{
    size_t first = lower_bound(f, name), end = first;
    while (end < f->count && is_name_with_ending(f->text + f->offsets[end], name))
        end++;
    *ret = (struct folder_names){f->text, f->offsets + first, end - first};
}

int folder_index_find(struct folder_index *index, int fd, const char *path, struct slice name,
                      struct folder_names *ret)
{
    struct stat stat;
    int error = 0;
    *ret = (struct folder_names){0};
    if (fstat(fd, &stat) != 0)
        return -errno;
    struct folder *f = find(index, &stat);
    if (f && !is_current(f, &stat)) {
        forget(index, f);
        f = NULL;
    }
    if (!f)
        f = read_folder(index, fd, path, &stat, &error);
    if (!f)
        return error;
    list_remove(&f->used);
    list_append(&index->used, &f->used);
    if (f->count > 0)
        select_names(f, name, ret);
    return 0;
}

/* ---- made and freed ---- */

struct folder_index *folder_index_new(size_t bytes_max)
{
    struct folder_index *index = log_needed(calloc(1, sizeof(*index)));
    if (!index)
        return NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&index->buckets[i]);
    list_init(&index->used);
    index->bytes_max = bytes_max;
    return index;
}

void folder_index_limit(struct folder_index *index, size_t bytes_max)
{
    index->bytes_max = bytes_max;
    make_place(index, 0);
}

size_t folder_index_bytes(const struct folder_index *index)
{
    return index->bytes;
}

void folder_index_free(struct folder_index *index)
{
    if (!index)
        return;
    while (!list_empty(&index->used))
        forget(index, container_of(index->used.next, struct folder, used));
    free(index);
}
