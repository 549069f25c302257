/* SPDX-License-Identifier: MIT */
#include "core/chunk.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WHOLE_KEPT = 512,    /* 4 MiB */
    HEADERS_KEPT = 8192, /* a broadcast needs one for each receiver */
    SHARED_COPIED = 256, /* up to here a copy is cheaper than one more piece for the kernel */
};

_Static_assert(sizeof(struct chunk) <= 8192 - CHUNK_CAPACITY, "a whole chunk is two pages");

struct shared_bytes *shared_new(size_t len)
{
    if (len > UINT32_MAX)
        return NULL;
    struct shared_bytes *shared = log_needed(malloc(sizeof(*shared) + len));
    if (!shared)
        return NULL;
    shared->refs = 1;
    shared->len = shared->room = (uint32_t)len;
    return shared;
}

void shared_unref(struct shared_bytes *shared)
{
    assert(shared->refs > 0);
    if (--shared->refs == 0)
        free(shared);
}

static struct chunk *take(struct chunk **list, unsigned *count, size_t size)
{
    struct chunk *c = *list;
    if (!c)
        return log_needed(malloc(size));
    *list = c->next;
    --*count;
    return c;
}

static void give(struct chunk **list, unsigned *count, unsigned kept, struct chunk *c)
{
    if (*count >= kept) {
        free(c);
        return;
    }
    c->next = *list;
    *list = c;
    ++*count;
}

static void free_all(struct chunk *list)
{
    while (list) {
        struct chunk *next = list->next;
        free(list);
        list = next;
    }
}

void chunk_pool_done(struct chunk_pool *pool)
{
    free_all(pool->whole);
    free_all(pool->headers);
    *pool = (struct chunk_pool){0};
}

static size_t chunk_size(enum chunk_kind kind)
{
    return sizeof(struct chunk) + (kind == CHUNK_BYTES ? CHUNK_CAPACITY : 0);
}

static struct chunk *chunk_new(struct chunk_pool *pool, enum chunk_kind kind)
{
    struct chunk *c = kind == CHUNK_BYTES
                          ? take(&pool->whole, &pool->whole_count, chunk_size(kind))
                          : take(&pool->headers, &pool->header_count, chunk_size(kind));
    if (c)
        *c = (struct chunk){.kind = kind, .file = -1, .held = chunk_size(kind)};
    return c;
}

static void chunk_free(struct chunk_pool *pool, struct chunk *c)
{
    if (c->kind == CHUNK_BYTES) {
        give(&pool->whole, &pool->whole_count, WHOLE_KEPT, c);
        return;
    }
    if (c->kind == CHUNK_FILE)
        close(c->file);
    else if (c->kind != CHUNK_LENT)
        shared_unref(c->shared);
    give(&pool->headers, &pool->header_count, HEADERS_KEPT, c);
}

static void append(struct chunk_queue *q, struct chunk *c)
{
    if (q->last)
        q->last->next = c;
    else
        q->first = c;
    q->last = c;
    q->bytes += (size_t)(c->end - c->begin);
    q->held += c->held;
}

static size_t room(const struct chunk_queue *q)
{
    const struct chunk *c = q->last;
    return c && c->kind == CHUNK_BYTES ? CHUNK_CAPACITY - (size_t)c->end : 0;
}

char *chunk_queue_claim_new(struct chunk_queue *q, struct chunk_pool *pool, size_t len)
{
    struct chunk *c = chunk_new(pool, CHUNK_BYTES);
    if (!c)
        return NULL;
    c->end = (off_t)len;
    append(q, c);
    return c->bytes;
}

static bool copy_piece(struct chunk_queue *q, struct chunk_pool *pool, const char *ptr, size_t len)
{
    while (len) {
        size_t free = room(q), most = free ? free : CHUNK_CAPACITY, n = len < most ? len : most;
        char *to = free ? chunk_queue_claim(q, n) : chunk_queue_claim_new(q, pool, n);
        if (!to)
            return false;
        memcpy(to, ptr, n);
        ptr += n;
        len -= n;
    }
    return true;
}

bool chunk_queue_copy(struct chunk_queue *q, struct chunk_pool *pool, const struct iovec *pieces,
                      int count, size_t skip)
{
    for (int i = 0; i < count; i++) {
        size_t passed = skip < pieces[i].iov_len ? skip : pieces[i].iov_len;
        skip -= passed;
        if (!copy_piece(q, pool, (char *)pieces[i].iov_base + passed, pieces[i].iov_len - passed))
            return false;
    }
    return true;
}

static bool goes_on(const struct chunk *last, enum chunk_kind kind,
                    const struct shared_bytes *shared, size_t at)
{
    return last && last->kind == kind && last->shared == shared && last->end == (off_t)at;
}

static void lengthen(struct chunk_queue *q, size_t len)
{
    struct chunk *c = q->last;
    size_t held = c->kind == CHUNK_SHARED ? len : 0;
    c->end += (off_t)len;
    c->held += held;
    q->bytes += len;
    q->held += held;
}

bool chunk_queue_share(struct chunk_queue *q, struct chunk_pool *pool, struct shared_bytes *shared,
                       size_t at, size_t len, bool elsewhere)
{
    enum chunk_kind kind = elsewhere ? CHUNK_REFERRED : CHUNK_SHARED;
    if (len <= SHARED_COPIED && len <= room(q))
        return copy_piece(q, pool, shared->bytes + at, len);
    if (goes_on(q->last, kind, shared, at)) {
        lengthen(q, len);
        return true;
    }
    struct chunk *c = chunk_new(pool, kind);
    if (!c)
        return false;
    c->shared = shared;
    c->held += elsewhere ? 0 : len;
    c->begin = (off_t)at;
    c->end = (off_t)(at + len);
    shared->refs++;
    append(q, c);
    return true;
}

bool chunk_queue_lend(struct chunk_queue *q, struct chunk_pool *pool, struct slice bytes)
{
    struct chunk *c = chunk_new(pool, CHUNK_LENT);
    if (!c)
        return false;
    c->lent = bytes.ptr;
    c->end = (off_t)bytes.len;
    append(q, c);
    return true;
}

static bool keep(struct chunk_queue *q, struct chunk_pool *pool, struct chunk *c)
{
    c->next = NULL;
    if (c->kind != CHUNK_LENT) {
        append(q, c);
        return true;
    }
    struct iovec rest = chunk_bytes(c);
    bool good = copy_piece(q, pool, rest.iov_base, rest.iov_len);
    chunk_free(pool, c);
    return good;
}

bool chunk_queue_keep(struct chunk_queue *q, struct chunk_pool *pool)
{
    struct chunk *c = q->first;
    bool good = true;
    *q = (struct chunk_queue){0};
    while (c) {
        struct chunk *next = c->next;
        good &= keep(q, pool, c);
        c = next;
    }
    return good;
}

bool chunk_queue_file(struct chunk_queue *q, struct chunk_pool *pool, int file, off_t offset,
                      size_t len)
{
    struct chunk *c = chunk_new(pool, CHUNK_FILE);
    if (!c)
        return false;
    c->file = file;
    c->begin = offset;
    c->end = offset + (off_t)len;
    append(q, c);
    return true;
}

struct iovec chunk_bytes(const struct chunk *c)
{
    const char *base = c->kind == CHUNK_BYTES  ? c->bytes
                       : c->kind == CHUNK_LENT ? c->lent
                                               : c->shared->bytes;
    return (struct iovec){(char *)base + c->begin, (size_t)(c->end - c->begin)};
}

int chunk_queue_pieces(const struct chunk_queue *q, struct iovec *pieces, int max,
                       size_t *ret_bytes)
{
    int count = 0;
    size_t bytes = 0;
    for (struct chunk *c = q->first; c && c->kind != CHUNK_FILE && count < max; c = c->next) {
        pieces[count] = chunk_bytes(c);
        bytes += pieces[count++].iov_len;
    }
    *ret_bytes = bytes;
    return count;
}

size_t chunk_queue_referred(const struct chunk_queue *q)
{
    size_t bytes = 0;
    for (const struct chunk *c = q->first; c; c = c->next)
        bytes += c->kind == CHUNK_REFERRED ? c->shared->room : 0;
    return bytes;
}

static void drop_first(struct chunk_queue *q, struct chunk_pool *pool)
{
    struct chunk *c = q->first;
    q->first = c->next;
    if (!q->first)
        q->last = NULL;
    q->held -= c->held;
    chunk_free(pool, c);
}

void chunk_queue_advance(struct chunk_queue *q, struct chunk_pool *pool, size_t n)
{
    if (n == q->bytes) {
        chunk_queue_clear(q, pool);
        return;
    }
    q->bytes -= n;
    while (n) {
        size_t left = (size_t)(q->first->end - q->first->begin);
        if (n < left) {
            q->first->begin += (off_t)n;
            return;
        }
        n -= left;
        drop_first(q, pool);
    }
}

void chunk_queue_clear(struct chunk_queue *q, struct chunk_pool *pool)
{
    while (q->first)
        drop_first(q, pool);
    q->bytes = 0;
}
