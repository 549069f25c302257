/* SPDX-License-Identifier: MIT */
/* memory.h - a budget for memory: who holds how many bytes of ours, and who is let go when it is
 * too much (docs/decisions/memory-budget.md).
 *
 *   holder               account                what it pays for                    let go by
 *   a page               struct page            lines to its program, the answer's  its end: 4507
 *                                               head, what of a body is spooled in  `memory`
 *                                               memory, the session's outbox, byte
 *                                               streams, the WebSocket
 *   a session without    struct tcp_session     its outbox, streams, the WebSocket  the same
 *   a page
 *   a WebSocket without  struct page_wire       what of a message has come, what    closing
 *   a session                                   waits for the kernel
 *   an HTTP connection   struct connection      heads, input read ahead, answers    503, closing
 *   a TCPConnection      struct relay           bytes for the target                `overload`
 *   a shared program     struct shared_process  the lines of all its pages, up to   never
 *                                               SHARED_QUEUE_MAX
 *   the topics of a home struct hub_home        their pasts; nobody's               one past after
 *                                                                                   the other
 *
 *   account ──of──> client (an address; of IPv6 a /64) ──of──> the client's /48 ──of──> the whole
 *
 * A holder has one account and several parts (queues, buffers). It says how many bytes a part holds
 * whenever that changes, as an absolute number: memory_hold(). So nothing is lost or counted twice
 * over time, and a recount, once a second, mends what was not said. Nothing is asked for:
 * memory_hold() never fails. How far a sender may be ahead is the holder's own bound, and at that
 * the sender waits; this room bounds the sum.
 *
 * Bounds   A client that holds more than `per_client` has its largest account let go (of equal ones
 *          the oldest), until it is below. One account is spared while it *moves*: the largest of
 *          those of which 64 KiB came or went in the last 5 s, up to 4 times `per_client`, and
 *          for `spared_ms` at most. So a large message passes, and nothing above `per_client`
 *          lasts. All clients of one IPv6 /48 together may hold 4 times `per_client`.
 *          When all together hold more than `max`, the largest account of the client that holds
 *          most is let go; clients above their own share first.
 * Counts   In granules of 16 KiB, taken and given back by the account; up to 4 KiB are free. An
 *          account that holds no more costs 64 B, and nothing in its client. If there is no memory
 *          to note who holds, the account is not counted until there is.
 * Cost     memory_hold(): two additions and two comparisons. Once for some 16 KiB of growth, a
 *          lock. A bound that was passed is looked at before anything more is read (loop_urgent):
 *          the accounts of the client, and one of them is recounted.
 * Threads  struct memory: any. An account belongs to its desk's loop. Accounts of one client may
 *          belong to several desks: each desk lets go only its own, in a turn of its loop, never
 *          from inside memory_hold().
 * Lifetime memory_new() before all desks, memory_free() after. An account is embedded by its
 *          holder: memory_open() to memory_close().
 */
#ifndef LIMITS_MEMORY_H
#define LIMITS_MEMORY_H

#include "core/loop.h"
#include "net/address.h"

#include <stdatomic.h>

enum {
    MEMORY_GRANULE = 16384,
    MEMORY_FREE = 4096,      /* of an account, uncounted */
    MEMORY_SLACK = 65536,    /* that an account keeps until the next recount */
    MEMORY_LARGE = 16384,    /* parts from this size on can be seen to move */
    MEMORY_MOVES = 65536,    /* bytes that come or go in MEMORY_REST_MS: it moves */
    MEMORY_REST_MS = 5000,   /* without that: it stands still */
    MEMORY_SPARED = 4,       /* times per_client: so large may one account be that moves */
    MEMORY_PREFIX_SHARE = 4, /* times per_client: a /48's */
};

struct memory;
struct memory_account;
struct memory_client;

struct memory_limits {
    size_t max;         /* all together */
    size_t per_client;  /* one client */
    uint64_t spared_ms; /* so long an account that moves may be above `per_client`; 0: for ever */
};

enum memory_cause {
    MEMORY_CLIENT, /* its client holds too much */
    MEMORY_WHOLE,  /* all together do */
    MEMORY_CAUSES
};

struct memory_ops {
    const char *what; /* for the log: "session" */
    /* Gives back all that it can, now: the end of the holder. May close the account, and others.
     * Called again after MEMORY_REST_MS if the account is still there. NULL: never let go. */
    void (*let_go)(struct memory_account *a, enum memory_cause cause);
    /* Says the sizes of all parts again. May be NULL. Closes nothing. */
    void (*recount)(struct memory_account *a);
    /* let_go() gives back a part, and never closes the account: it is called on, for as long as
     * that helps. */
    bool stays;
};

/* One worker's end: its accounts. */
struct memory_desk {
    struct memory *memory; /* borrowed */
    struct loop *loop;     /* borrowed */
    struct list accounts;  /* that have a granule */
    struct list node;      /* memory.desks */
    struct timer timer;    /* the next recount */
    struct mail mail;
    atomic_bool rung;          /* the mail is under way */
    struct loop_urgent urgent; /* a bound was passed */
    uint64_t log_second_ms;
    uint32_t log_count;
    uint64_t let_go[MEMORY_CAUSES]; /* how many, for metrics */
    uint64_t let_go_bytes;
    uint64_t given_back; /* memory_given_back() when it last gave back what it keeps itself */
};

struct memory_holding;

struct memory_account {
    struct memory_desk *desk;
    const struct memory_ops *ops;
    struct memory_holding *holding; /* NULL: nothing is taken from its client */
    size_t used;                    /* the sum of the parts */
    size_t reserved;                /* granules that were taken; others read it under the lock */
    uint32_t moved;                 /* bytes of large parts that came or went, in all */
    bool has_key;
    struct net_client_key key;
};

/* ---- the whole ---- */

/* NULL without memory. */
struct memory *memory_new(const struct memory_limits *limits);
/* For a reload. */
void memory_set(struct memory *m, const struct memory_limits *limits);
void memory_free(struct memory *m);
/* What is counted now; how many clients hold something. */
size_t memory_bytes(struct memory *m);
size_t memory_clients(struct memory *m);
/* How often the heap has given back to the system what was freed. */
uint64_t memory_given_back(struct memory *m);
/* Less than an eighth of `max` is left: whoever comes new should come later. */
bool memory_is_short(struct memory *m);
/* What this process may use: the least of the machine's memory and its cgroup's limits (v1, v2). */
size_t memory_of_machine(void);

/* ---- desks ---- */

void memory_desk_init(struct memory_desk *desk, struct memory *memory, struct loop *loop);
/* All its accounts are closed, and no other desk's loop runs any more. */
void memory_desk_done(struct memory_desk *desk);

/* ---- accounts ---- */

/* `key` NULL: nobody's, bounded by the whole alone. `desk` NULL: nothing is counted. */
void memory_open(struct memory_account *a, struct memory_desk *desk, const struct memory_ops *ops,
                 const struct net_client_key *key);
/* From now on this client pays. */
void memory_move(struct memory_account *a, const struct net_client_key *key);
/* Whatever the parts hold is forgotten. Allowed again, and on an account that was never opened but
 * zeroed. */
void memory_close(struct memory_account *a);

/* The account has to be looked at: its granules don't fit what it uses. */
void memory_settle(struct memory_account *a);

/* Its parts have changed without the holder's doing. */
static inline void memory_recount(struct memory_account *a)
{
    if (a->ops && a->ops->recount)
        a->ops->recount(a);
}

/* The part `*part` holds `bytes` from now on. */
static inline void memory_hold(struct memory_account *a, size_t *part, size_t bytes)
{
    size_t before = *part;
    *part = bytes;
    a->used += bytes - before;
    if (bytes > MEMORY_LARGE || before > MEMORY_LARGE)
        a->moved += (uint32_t)(bytes > before ? bytes - before : before - bytes);
    if (a->used > a->reserved + MEMORY_FREE || a->used + MEMORY_SLACK < a->reserved)
        memory_settle(a);
}

#endif
