/* SPDX-License-Identifier: MIT */
#include "http/kept_files.h"

#include "base/hash.h"
#include "base/log.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS 1024
#define GRAIN_S 2 /* of the coarsest clock of a file system */
#define SHARE   4 /* of `bytes_max`: one file's */

struct kept_files {
    size_t bytes, bytes_max;
    struct list used; /* what was asked for longest ago first */
    struct list buckets[BUCKETS];
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static size_t size_of(const struct kept_file *f)
{
    return sizeof(*f) + f->path.len + f->name.len + 1 + f->body.len;
}

void kept_files_forget(struct kept_files *k, struct kept_file *f)
{
    k->bytes -= size_of(f);
    list_remove(&f->bucket);
    list_remove(&f->used);
    free(f);
}

static void make_room(struct kept_files *k, size_t bytes)
{
    while (!list_empty(&k->used) && k->bytes + bytes > k->bytes_max)
        kept_files_forget(k, container_of(k->used.next, struct kept_file, used));
}

static struct kept_file *find(struct kept_files *k, struct slice path, uint64_t hash)
{
    struct list *bucket = &k->buckets[hash % BUCKETS];
    for (struct list *node = bucket->next; node != bucket; node = node->next) {
        struct kept_file *f = container_of(node, struct kept_file, bucket);
        if (f->hash == hash && slice_equal(f->path, path))
            return f;
    }
    return NULL;
}

struct kept_file *kept_files_find(struct kept_files *k, struct slice path)
{
    if (k->bytes == 0)
        return NULL;
    struct kept_file *f = find(k, path, hash_bytes(path));
    if (!f || now_ms() >= f->until_ms)
        return NULL;
    list_remove(&f->used);
    list_append(&k->used, &f->used);
    return f;
}

static bool is_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool kept_file_is(const struct kept_file *f, const struct stat *now)
{
    const struct stat *was = &f->stat;
    return now->st_ino == was->st_ino && now->st_dev == was->st_dev &&
           now->st_size == was->st_size && now->st_mode == was->st_mode &&
           is_time(&now->st_mtim, &was->st_mtim) && is_time(&now->st_ctim, &was->st_ctim);
}

static bool may_change_unseen(const struct stat *stat)
{
    return stat->st_ctim.tv_sec + GRAIN_S >= time(NULL);
}

static struct slice append(char **at, struct slice s)
{
    struct slice copy = {*at, s.len};
    memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

/* False: it has another length by now. */
static bool read_body(int fd, struct slice begin, struct slice body)
{
    char *to = (char *)body.ptr;
    memcpy(to, begin.ptr, begin.len);
    size_t rest = body.len - begin.len;
    return rest == 0 || pread(fd, to + begin.len, rest, (off_t)begin.len) == (ssize_t)rest;
}

static size_t body_size(const struct stat *stat)
{
    return stat->st_size <= KEPT_BODY_MAX ? (size_t)stat->st_size : 0;
}

static struct kept_file *make(struct slice path, struct slice name, const struct stat *stat, int fd,
                              struct slice begin)
{
    size_t size = body_size(stat);
    struct kept_file *f = log_needed(malloc(sizeof(*f) + path.len + name.len + 1 + size));
    if (!f)
        return NULL;
    char *at = f->bytes;
    *f =
        (struct kept_file){.stat = *stat, .hash = hash_bytes(path), .until_ms = now_ms() + KEPT_MS};
    f->path = append(&at, path);
    f->name = append(&at, name);
    *at++ = '\0';
    memcpy(f->begin, begin.ptr, begin.len < KEPT_BEGIN ? begin.len : KEPT_BEGIN);
    if (stat->st_size <= KEPT_BODY_MAX)
        f->body = slice_make(at, size);
    if (f->body.ptr && !read_body(fd, begin, f->body)) {
        free(f);
        return NULL;
    }
    return f;
}

struct kept_file *kept_files_put(struct kept_files *k, struct slice path, struct slice name,
                                 const struct stat *stat, int fd, struct slice begin)
{
    struct kept_file *before = k->bytes ? find(k, path, hash_bytes(path)) : NULL;
    if (before)
        kept_files_forget(k, before);
    size_t bytes = sizeof(*before) + path.len + name.len + 1 + body_size(stat);
    if ((off_t)begin.len > stat->st_size || bytes > k->bytes_max / SHARE || may_change_unseen(stat))
        return NULL;
    struct kept_file *f = make(path, name, stat, fd, begin);
    if (!f)
        return NULL;
    make_room(k, bytes);
    k->bytes += bytes;
    list_append(&k->buckets[f->hash % BUCKETS], &f->bucket);
    list_append(&k->used, &f->used);
    return f;
}

/* ---- made and freed ---- */

struct kept_files *kept_files_new(void)
{
    struct kept_files *k = log_needed(calloc(1, sizeof(*k)));
    if (!k)
        return NULL;
    list_init(&k->used);
    for (size_t i = 0; i < BUCKETS; i++)
        list_init(&k->buckets[i]);
    return k;
}

void kept_files_clear(struct kept_files *k)
{
    while (!list_empty(&k->used))
        kept_files_forget(k, container_of(k->used.next, struct kept_file, used));
}

void kept_files_limit(struct kept_files *k, size_t bytes_max)
{
    k->bytes_max = bytes_max;
    make_room(k, 0);
}

size_t kept_files_bytes(const struct kept_files *k)
{
    return k->bytes;
}

void kept_files_free(struct kept_files *k)
{
    if (!k)
        return;
    kept_files_clear(k);
    free(k);
}
