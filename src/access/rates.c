#include "access/rates.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    WAYS = 8,
    LOCKS = 64
};

/* A bucket is kept as the time when it will be full (the generic cell rate algorithm): one number
 * that needs no refilling. Kept in microseconds, so that high rates don't round to nothing. */
struct bucket {
    uint64_t hash; /* 0: free */
    uint64_t full_us;
};

struct rates {
    struct bucket *buckets;
    size_t sets; /* a power of two */
    pthread_mutex_t locks[LOCKS];
};

struct rates *rates_new(size_t entries)
{
    struct rates *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->sets = 1;
    while (r->sets * WAYS < entries)
        r->sets *= 2;
    r->buckets = aligned_alloc(128, r->sets * WAYS * sizeof(struct bucket));
    if (!r->buckets) {
        free(r);
        return NULL;
    }
    memset(r->buckets, 0, r->sets * WAYS * sizeof(struct bucket));
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_init(&r->locks[i], NULL);
    return r;
}

void rates_free(struct rates *r)
{
    if (!r)
        return;
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&r->locks[i]);
    free(r->buckets);
    free(r);
}

size_t rates_bytes(const struct rates *r)
{
    return sizeof(*r) + r->sets * WAYS * sizeof(struct bucket);
}

/* The bucket of `hash`, or the fullest one made into it. */
static struct bucket *claim(struct bucket *set, uint64_t hash)
{
    struct bucket *victim = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (set[i].full_us < victim->full_us)
            victim = &set[i];
    }
    *victim = (struct bucket){.hash = hash};
    return victim;
}

static uint32_t take(struct bucket *bucket, const struct rate *rate, uint64_t now_us)
{
    uint64_t token_us = 60000000 / rate->per_minute;
    uint64_t capacity_us = token_us * rate->burst;
    uint64_t full = bucket->full_us > now_us ? bucket->full_us : now_us;
    if (full - now_us + token_us > capacity_us) {
        uint64_t wait_us = full - now_us + token_us - capacity_us;
        return (uint32_t)((wait_us + 999999) / 1000000);
    }
    bucket->full_us = full + token_us;
    return 0;
}

uint32_t rates_take(struct rates *r, const struct rate *rate, unsigned kind, struct slice key,
                    uint64_t now_ms)
{
    if (rate->per_minute == 0)
        return 0;
    uint64_t parts[2] = {hash_bytes(key), kind};
    uint64_t hash = hash_bytes(slice_make(parts, sizeof(parts)));
    hash = hash ? hash : 1;
    size_t set = hash & (r->sets - 1);
    pthread_mutex_t *lock = &r->locks[set % LOCKS];
    pthread_mutex_lock(lock);
    uint32_t wait_s = take(claim(r->buckets + set * WAYS, hash), rate, now_ms * 1000);
    pthread_mutex_unlock(lock);
    return wait_s;
}
