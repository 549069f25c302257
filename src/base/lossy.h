/* SPDX-License-Identifier: MIT */
/* lossy.h - a hash table of numbers that never grows and may forget: where a new entry finds no
 * room, the smallest of its set is overwritten.
 *
 * For tables about unknown peers (bans, rates): a flood of peers costs no memory, and replaces the
 * entries that would have ended soonest.
 *
 * Threads  Any; each set has its lock.
 * Memory   16 bytes an entry.
 * Cost     One cache line pair.
 */
#ifndef BASE_LOSSY_H
#define BASE_LOSSY_H

#include "base/slice.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pack;

enum {
    LOSSY_LOCKS = 64,
    LOSSY_SET = 8, /* entries that share a place */
};

struct lossy_entry {
    uint64_t hash; /* 0: free */
    uint64_t value;
};

struct lossy {
    struct lossy_entry *entries; /* owned */
    size_t sets;                 /* a power of two */
    pthread_mutex_t locks[LOSSY_LOCKS];
};

/* An entry that is locked until lossy_release(). */
struct lossy_hold {
    struct lossy_entry *entry;
    pthread_mutex_t *lock;
};

/* Room for at least `entries`. False without memory. */
bool lossy_init(struct lossy *t, size_t entries);
void lossy_done(struct lossy *t);
/* The bytes that the entries take. */
size_t lossy_bytes(const struct lossy *t);

/* The value of the entry; 0 if there is none. */
uint64_t lossy_find(struct lossy *t, uint64_t hash);
/* The entry of `hash` (never 0), or else the smallest entry of its set. That one holds another
 * hash, and the caller overwrites it or leaves it. */
struct lossy_hold lossy_claim(struct lossy *t, uint64_t hash);
/* Forgets all. */
void lossy_clear(struct lossy *t);
/* The entries of one set, LOSSY_SET of them, some of them free. */
void lossy_look(struct lossy *t, size_t set, struct lossy_entry *ret);
/* For the process that takes over, while no other thread looks: all entries, each 16 bytes. */
void lossy_pack(const struct lossy *t, uint32_t tag, struct pack *p);
void lossy_unpack(struct lossy *t, struct slice entries);
static inline void lossy_release(struct lossy_hold hold)
{
    pthread_mutex_unlock(hold.lock);
}

#endif
