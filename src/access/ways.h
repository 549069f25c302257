/* SPDX-License-Identifier: MIT */
/* ways.h - a table of numbers by hash that never grows: where a new one finds no room, the smallest
 * of its set is forgotten.
 *
 * What is true of each table that script access keeps about strangers: its memory is fixed, and
 * whoever fills it pushes out what would have ended soonest.
 *
 * Threads  Any; each set has its lock.
 * Memory   16 bytes an entry.
 * Cost     One cache line pair.
 */
#ifndef ACCESS_WAYS_H
#define ACCESS_WAYS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WAYS_LOCKS = 64
};

struct way {
    uint64_t hash; /* 0: free */
    uint64_t value;
};

struct ways {
    struct way *entries; /* owned */
    size_t sets;         /* a power of two */
    pthread_mutex_t locks[WAYS_LOCKS];
};

/* A place that is locked until ways_release(). */
struct ways_hold {
    struct way *way;
    pthread_mutex_t *lock;
};

/* For at least `entries`. False without memory. */
bool ways_init(struct ways *w, size_t entries);
void ways_done(struct ways *w);
/* Of the entries. */
size_t ways_bytes(const struct ways *w);

/* 0 if there is none. */
uint64_t ways_find(struct ways *w, uint64_t hash);
/* The place of `hash` (never 0), or the smallest of its set: then with another hash in it, which
 * the caller replaces or leaves. */
struct ways_hold ways_claim(struct ways *w, uint64_t hash);
static inline void ways_release(struct ways_hold hold)
{
    pthread_mutex_unlock(hold.lock);
}

#endif
