/* SPDX-License-Identifier: MIT */
#include "limits/quota.h"

#include "base/hash.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    SIZE_FIRST = 64
};

struct entry {
    uint64_t hash;
    uint32_t count; /* 0: free */
};

/* Open addressing with linear probing; an entry leaves with its last count. */
struct quota {
    pthread_mutex_t lock;
    size_t used, mask;
    struct entry *entries;
};

struct quota *quota_new(void)
{
    struct quota *q = calloc(1, sizeof(*q));
    if (!q)
        return NULL;
    q->entries = calloc(SIZE_FIRST, sizeof(*q->entries));
    if (!q->entries) {
        free(q);
        return NULL;
    }
    q->mask = SIZE_FIRST - 1;
    pthread_mutex_init(&q->lock, NULL);
    return q;
}

void quota_free(struct quota *q)
{
    if (!q)
        return;
    pthread_mutex_destroy(&q->lock);
    free(q->entries);
    free(q);
}

/* The key's entry, or the free one where it belongs. */
static size_t find(const struct quota *q, uint64_t hash)
{
    size_t i = (size_t)hash & q->mask;
    while (q->entries[i].count && q->entries[i].hash != hash)
        i = (i + 1) & q->mask;
    return i;
}

/* Moves later entries of the run back over the hole, so that no search stops too early. */
static void close_hole(struct quota *q, size_t hole)
{
    struct entry *entries = q->entries;
    for (size_t i = (hole + 1) & q->mask; entries[i].count; i = (i + 1) & q->mask) {
        size_t from_home = (i - (size_t)entries[i].hash) & q->mask;
        size_t from_hole = (i - hole) & q->mask;
        if (from_home < from_hole)
            continue;
        entries[hole] = entries[i];
        entries[i].count = 0;
        hole = i;
    }
}

/* Room for one more key. */
static bool make_room(struct quota *q)
{
    size_t old_size = q->mask + 1;
    if (2 * (q->used + 1) <= old_size)
        return true;
    struct entry *old = q->entries, *entries = calloc(2 * old_size, sizeof(*entries));
    if (!entries)
        return false;
    q->entries = entries;
    q->mask = 2 * old_size - 1;
    for (size_t i = 0; i < old_size; i++)
        if (old[i].count)
            entries[find(q, old[i].hash)] = old[i];
    free(old);
    return true;
}

static bool add(struct quota *q, uint64_t hash, uint32_t n, uint32_t max)
{
    struct entry *e = &q->entries[find(q, hash)];
    if (e->count >= max || n > max - e->count)
        return false;
    if (e->count == 0) {
        if (!make_room(q))
            return false;
        e = &q->entries[find(q, hash)];
        e->hash = hash;
        q->used++;
    }
    e->count += n;
    return true;
}

static bool count_in(struct quota *q, uint64_t hash, uint32_t max)
{
    return add(q, hash, 1, max);
}

struct quota_hold quota_hold_of(enum limit_kind kind, struct slice key)
{
    uint64_t hash = hash_bytes(key) + (uint64_t)kind * 0x9e3779b97f4a7c15U;
    return (struct quota_hold){hash + (hash == 0)}; /* 0 is none */
}

bool quota_take_many(struct quota *q, const struct quota_hold *hold, uint32_t n, uint32_t max)
{
    pthread_mutex_lock(&q->lock);
    bool taken = add(q, hold->hash, n, max);
    pthread_mutex_unlock(&q->lock);
    return taken;
}

bool quota_take_hold(struct quota *q, const struct quota_hold *hold, uint32_t max)
{
    return quota_take_many(q, hold, 1, max);
}

bool quota_take(struct quota *q, enum limit_kind kind, struct slice key, uint32_t max,
                struct quota_hold *ret)
{
    struct quota_hold hold = quota_hold_of(kind, key);
    bool taken = quota_take_hold(q, &hold, max);
    if (taken)
        *ret = hold;
    return taken;
}

uint32_t quota_count(struct quota *q, const struct quota_hold *hold)
{
    pthread_mutex_lock(&q->lock);
    uint32_t count = q->entries[find(q, hold->hash)].count;
    pthread_mutex_unlock(&q->lock);
    return count;
}

static void subtract(struct quota *q, uint64_t hash, uint32_t n)
{
    size_t i = find(q, hash);
    assert(q->entries[i].count >= n);
    q->entries[i].count -= n;
    if (q->entries[i].count == 0) {
        q->used--;
        close_hole(q, i);
    }
}

static void count_out(struct quota *q, uint64_t hash)
{
    subtract(q, hash, 1);
}

void quota_release_many(struct quota *q, const struct quota_hold *hold, uint32_t n)
{
    pthread_mutex_lock(&q->lock);
    subtract(q, hold->hash, n);
    pthread_mutex_unlock(&q->lock);
}

void quota_release(struct quota *q, struct quota_hold *hold)
{
    if (!hold->hash)
        return;
    pthread_mutex_lock(&q->lock);
    count_out(q, hold->hash);
    pthread_mutex_unlock(&q->lock);
    hold->hash = 0;
}

/* ---- shares ---- */

static uint32_t count_of(const struct quota *q, struct quota_hold hold)
{
    return q->entries[find(q, hold.hash)].count;
}

static struct quota_share share_of(enum limit_kind kind, struct slice key, struct slice client)
{
    struct quota_hold all = quota_hold_of(kind, key);
    uint64_t parts[2] = {all.hash, hash_bytes(client)};
    return (struct quota_share){
        .all = all,
        .client = quota_hold_of(LIMIT_SHARE, slice_make((const char *)parts, sizeof(parts))),
        .clients =
            quota_hold_of(LIMIT_SHARERS, slice_make((const char *)&all.hash, sizeof(all.hash))),
    };
}

static bool may_have_more(const struct quota *q, const struct quota_share *share, uint32_t max)
{
    uint32_t all = count_of(q, share->all), own = count_of(q, share->client);
    if (own == 0)
        return count_of(q, share->clients) < max;
    return all < max && (own == all || own <= max - all);
}

/* The sharers are counted once for each client: with its first share, and until its last. */
static bool count_share_in(struct quota *q, const struct quota_share *share)
{
    bool first = count_of(q, share->client) == 0;
    if (!count_in(q, share->all.hash, UINT32_MAX))
        return false;
    if (count_in(q, share->client.hash, UINT32_MAX)) {
        if (!first || count_in(q, share->clients.hash, UINT32_MAX))
            return true;
        count_out(q, share->client.hash);
    }
    count_out(q, share->all.hash);
    return false;
}

bool quota_take_share(struct quota *q, enum limit_kind kind, struct slice key, struct slice client,
                      uint32_t max, struct quota_share *ret)
{
    struct quota_share share = share_of(kind, key, client);
    pthread_mutex_lock(&q->lock);
    bool taken = may_have_more(q, &share, max) && count_share_in(q, &share);
    pthread_mutex_unlock(&q->lock);
    if (taken)
        *ret = share;
    return taken;
}

void quota_release_share(struct quota *q, struct quota_share *share)
{
    if (!share->all.hash)
        return;
    pthread_mutex_lock(&q->lock);
    count_out(q, share->all.hash);
    count_out(q, share->client.hash);
    if (count_of(q, share->client) == 0)
        count_out(q, share->clients.hash);
    pthread_mutex_unlock(&q->lock);
    *share = (struct quota_share){0};
}

size_t quota_keys(struct quota *q)
{
    pthread_mutex_lock(&q->lock);
    size_t keys = q->used;
    pthread_mutex_unlock(&q->lock);
    return keys;
}
