/* SPDX-License-Identifier: MIT */
/* memory_parts.h - struct memory, as its files see it.
 *
 *   memory.c          who holds what
 *   memory_desk.c     recounts, and who is let go
 *   memory_machine.c  what the machine has
 */
#ifndef LIMITS_MEMORY_PARTS_H
#define LIMITS_MEMORY_PARTS_H

#include "limits/memory.h"

#include <pthread.h>

/* Guarded by the lock. */
struct memory_client {
    struct memory_client *next;   /* in its bucket */
    struct memory_client *prefix; /* of an IPv6 client: its /48; NULL: it is a top itself */
    struct list accounts;         /* of a top: all below it */
    struct list over;             /* memory.over, while it holds too much */
    size_t bytes;
    uint32_t holders; /* accounts, or clients of a prefix */
    bool is_prefix;
    struct net_client_key key;
};

/* What an account has taken from its client. Guarded by the lock. */
struct memory_holding {
    struct memory_account *account;
    struct memory_client *client;
    struct list of_desk, of_client;
    uint32_t moved_seen;
    uint64_t moved_ms;   /* when it was last seen to move */
    uint64_t leaving_ms; /* let_go was called; 0: not */
    uint64_t spared_ms;  /* since then it is spared; 0: not */
    uint64_t age;        /* older ones have smaller ones */
};

struct memory {
    pthread_mutex_t lock;
    struct memory_limits limits;
    struct list desks;
    struct list over;
    struct memory_client nobody; /* pays for accounts without a client */
    struct memory_client **buckets;
    size_t bucket_count, client_count; /* the first a power of two */
    uint64_t ages;
    size_t freed; /* since the heap last gave back to the system */
    uint64_t given_back;
    atomic_size_t bytes, max;
};

/* To be called with the lock. SIZE_MAX: unbounded. */
size_t memory_share(const struct memory *m, const struct memory_client *c);
static inline struct memory_client *memory_top(struct memory_client *c)
{
    return c->prefix ? c->prefix : c;
}

/* Wakes the desk, from any thread. */
void memory_ring(struct memory_desk *desk);

#endif
