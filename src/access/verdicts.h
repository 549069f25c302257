/* SPDX-License-Identifier: MIT */
/* verdicts.h - the results of look-ups, each kept for as long as it holds, and looked up once for
 * all that wait.
 *
 * The key of a verdict is the way in (`via`), the origin, host and port. A verdict lives for the
 * lowest TTL used, within the bounds of lookup.h. A connection that a verdict allowed holds a lease
 * on it. When the verdict expires, it is looked up again for the leases, and only a definite
 * refusal revokes them. A temporary failure revokes nothing.
 *
 * Limits   config->pending_max look-ups run at once, of these a few for one client and one origin;
 *          a check that joins a running look-up does not count. At the limit of the origin or of
 *          all a look-up of the client that has most gives way to a client that has at least two
 *          fewer; its waits get `overload`. So a client without a look-up is refused only where all
 *          look-ups are of as many clients: an origin's limit does not hold for it. At most
 *          config->cache_max verdicts
 *          are kept without a lease; the least recently used goes first. Verdicts with a lease are
 *          looked up again within half of config->rate_lookups for each client, and those on one
 *          name together; where that is not enough a verdict holds longer.
 * Memory   1 KiB for a verdict, 5 KiB for a look-up while it runs.
 * Threads  One.
 */
#ifndef ACCESS_VERDICTS_H
#define ACCESS_VERDICTS_H

#include "access/lookup.h"
#include "access/shares.h"

enum {
    VERDICTS_BUCKETS = 1024
};

struct verdict;

/* The key of a verdict, and who asks. */
struct verdict_question {
    const struct origin *origin;
    enum access_via via;
    const struct target *target; /* for the web its port is 0 */
    const struct net_client_key *client;
};

struct verdicts_counts {
    uint64_t hits, misses, rechecks, revoked;
};

struct verdicts {
    const struct access_config *config; /* borrowed: outlives us */
    struct resolver *resolver;          /* borrowed: outlives us */
    struct access_trace *trace;         /* borrowed; NULL: none */
    struct rates *rates;                /* borrowed; NULL: no limit by rate */
    struct list buckets[VERDICTS_BUCKETS];
    struct list idle; /* without lease or look-up, the least recently used first */
    struct list running, leased;
    struct shares shares; /* of those in `running` that are not decided */
    struct list spare;    /* look-ups' memory, to be used again */
    size_t idle_count;
    uint64_t now_ms;                /* set by the owner before anything happens */
    uint64_t leased_due_ms;         /* no lease is due before */
    struct verdicts_counts *counts; /* borrowed */
    struct verdicts_counts own_counts;
    /* A verdict that allowed refuses now, by a look of our own: other evaluations that know it may
     * want to look, too. NULL: nobody hears of it. Nothing is called from inside. */
    void (*refuses)(void *owner, const struct verdict_question *q);
    void *refuses_owner; /* borrowed */
};

/* One that waits for a verdict. */
struct verdict_wait {
    struct list node;
    struct verdict *verdict; /* NULL: not waiting */
    void (*known)(struct verdict_wait *wait, const struct lookup_outcome *outcome);
};

/* An open connection that a verdict allowed. */
struct verdict_lease {
    struct list node;
    struct verdict *verdict; /* NULL: none is held */
    /* A definite refusal; the lease is no longer held. */
    void (*revoked)(struct verdict_lease *lease, const struct lookup_outcome *outcome);
};

enum verdicts_status {
    VERDICTS_KNOWN,        /* *ret is set */
    VERDICTS_WAIT,         /* wait->known will be called, never from inside */
    VERDICTS_FULL,         /* too many look-ups run, and none gives way */
    VERDICTS_RATE_LIMITED, /* too many for this client or origin; *ret_wait_s says how long */
};

void verdicts_init(struct verdicts *v, const struct access_config *config,
                   struct resolver *resolver);
/* No check may wait and no lease may be held. */
void verdicts_done(struct verdicts *v);

enum verdicts_status verdicts_get(struct verdicts *v, const struct verdict_question *q,
                                  struct verdict_wait *wait, struct lookup_outcome *ret,
                                  uint32_t *ret_wait_s);
/* No callback after this; allowed at any time after the wait was zeroed. */
void verdict_wait_cancel(struct verdicts *v, struct verdict_wait *wait);

/* Holds the verdict on `q`, which must have been given in this turn. `lease->revoked` is set. */
void verdict_lease_start(struct verdicts *v, const struct verdict_question *q,
                         struct verdict_lease *lease);
/* Allowed at any time after the lease was zeroed. */
void verdict_lease_end(struct verdicts *v, struct verdict_lease *lease);

/* Another evaluation has found that this verdict (`client` is not read) refuses: if it is known
 * here as one that allows, it is looked up again at the next tick for its leases, else when it is
 * asked for. `refuses` does not follow from that. */
void verdicts_doubt(struct verdicts *v, const struct verdict_question *q);

/* When verdicts_tick() is wanted; UINT64_MAX: not at all. */
uint64_t verdicts_due_ms(const struct verdicts *v);
void verdicts_tick(struct verdicts *v);

#endif
