/* SPDX-License-Identifier: MIT */
#include "access/verdicts.h"

#include "base/hash.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

enum {
    RECHECK_DELAY_MS = 1000,
    RECHECK_TOGETHER_MS = 10000, /* no verdict lives shorter */
    SHARE_WAIT_S = 1,            /* a look-up of theirs will have ended by then, or soon after */
};

/* A look-up's memory: the look-up of a verdict, or spare. */
struct slot {
    struct lookup lookup;
    struct verdict *verdict; /* borrowed: it holds us */
    struct list spare;
};

/*   IDLE <──> RUNNING <──> LEASED     place() puts a verdict where it belongs */
enum verdict_place {
    PLACE_NOWHERE,
    PLACE_IDLE,
    PLACE_RUNNING,
    PLACE_LEASED
};

struct verdict {
    struct verdicts *owner; /* borrowed: it owns us */
    struct list in_bucket;
    struct list in_list; /* of `place` */
    enum verdict_place place;
    struct origin origin;
    struct target target;
    enum access_via via;
    struct net_client_key client; /* who asked: pays for looking it up again */
    struct slot *slot;            /* NULL: no look-up runs */
    struct share share;           /* while one does, and is not decided */
    struct list waits, leases;
    bool known, doubted; /* doubted: by others, since it was looked up last */
    uint64_t expires_ms;
    struct lookup_outcome outcome;
};

/* ---- where a verdict is ---- */

static struct list *bucket_of(struct verdicts *v, const struct verdict_question *q)
{
    uint64_t parts[3] = {
        hash_bytes(authority_host(&q->origin->authority)),
        hash_bytes(slice_of(q->target->host)),
        (uint64_t)q->target->port << 32 | (uint64_t)q->origin->authority.port << 8 |
            (uint64_t)q->via << 2 | q->origin->scheme,
    };
    return &v->buckets[hash_bytes(slice_make(parts, sizeof(parts))) % VERDICTS_BUCKETS];
}

static struct verdict *find(struct verdicts *v, const struct verdict_question *q)
{
    struct list *bucket = bucket_of(v, q);
    for (struct list *node = bucket->next; node != bucket; node = node->next) {
        struct verdict *d = container_of(node, struct verdict, in_bucket);
        if (d->via == q->via && d->target.port == q->target->port &&
            strcmp(d->target.host, q->target->host) == 0 && origin_equal(&d->origin, q->origin))
            return d;
    }
    return NULL;
}

static void take_out(struct verdict *d)
{
    d->owner->idle_count -= d->place == PLACE_IDLE;
    list_remove(&d->in_list);
    d->place = PLACE_NOWHERE;
}

static void place(struct verdict *d)
{
    struct verdicts *v = d->owner;
    take_out(d);
    if (d->slot) {
        d->place = PLACE_RUNNING;
        list_append(&v->running, &d->in_list);
    } else if (!list_empty(&d->leases)) {
        d->place = PLACE_LEASED;
        list_append(&v->leased, &d->in_list);
        if (d->expires_ms < v->leased_due_ms)
            v->leased_due_ms = d->expires_ms;
    } else {
        d->place = PLACE_IDLE;
        v->idle_count++;
        list_append(&v->idle, &d->in_list);
    }
}

static void drop(struct verdict *d)
{
    assert(!d->slot && list_empty(&d->waits) && list_empty(&d->leases));
    take_out(d);
    list_remove(&d->in_bucket);
    free(d);
}

static struct verdict *add(struct verdicts *v, const struct verdict_question *q)
{
    while (v->idle_count && v->idle_count >= v->config->cache_max)
        drop(container_of(v->idle.next, struct verdict, in_list));
    struct verdict *d = log_needed(calloc(1, sizeof(*d)));
    if (!d)
        return NULL;
    d->owner = v;
    d->origin = *q->origin;
    d->target = *q->target;
    d->via = q->via;
    list_init(&d->in_list);
    list_init(&d->share.node);
    list_init(&d->waits);
    list_init(&d->leases);
    list_append(bucket_of(v, q), &d->in_bucket);
    place(d);
    return d;
}

/* ---- looking up ---- */

static struct slot *take_slot(struct verdicts *v)
{
    struct list *spare = list_pop(&v->spare);
    if (spare)
        return container_of(spare, struct slot, spare);
    struct slot *slot = log_needed(calloc(1, sizeof(*slot)));
    if (slot)
        list_init(&slot->spare);
    return slot;
}

static void free_slot(struct verdict *d)
{
    shares_leave(&d->owner->shares, &d->share);
    list_append(&d->owner->spare, &d->slot->spare);
    d->slot = NULL;
}

static void tell_waits(struct list *waits, const struct lookup_outcome *outcome)
{
    for (struct list *node; (node = list_pop(waits));) {
        struct verdict_wait *wait = container_of(node, struct verdict_wait, node);
        wait->verdict = NULL;
        wait->known(wait, outcome);
    }
}

static void revoke(struct verdict *d, struct list *leases)
{
    for (struct list *node; (node = list_pop(leases));) {
        struct verdict_lease *lease = container_of(node, struct verdict_lease, node);
        lease->verdict = NULL;
        d->owner->counts->revoked++;
        lease->revoked(lease, &d->outcome);
    }
}

static bool is_denial(const struct lookup_outcome *outcome)
{
    return access_reason_row(outcome->reason)->verdict == ACCESS_DENY;
}

static bool allows(const struct verdict *d)
{
    bool allowed = access_reason_row(d->outcome.reason)->verdict == ACCESS_ALLOW;
    return d->known ? allowed : !list_empty(&d->leases);
}

static void tell_others(struct verdict *d)
{
    struct verdicts *v = d->owner;
    struct verdict_question q = {&d->origin, d->via, &d->target, &d->client};
    if (v->refuses)
        v->refuses(v->refuses_owner, &q);
}

/* The lists are taken over first, so that waits and leases that the callbacks below start go to
 * fresh ones. The verdict can't be dropped during the callbacks, since its place is RUNNING. */
static void decided(struct lookup *lookup, const struct lookup_outcome *outcome)
{
    struct verdict *d = container_of(lookup, struct slot, lookup)->verdict;
    struct list waits, leases;
    bool news = is_denial(outcome) && allows(d) && !d->doubted;
    shares_leave(&d->owner->shares, &d->share); /* what is decided does not give way */
    list_init(&waits);
    list_init(&leases);
    list_splice(&waits, &d->waits);
    d->outcome = *outcome;
    d->known = true;
    d->expires_ms = d->owner->now_ms + outcome->ttl_s * 1000ull;
    d->doubted = false;
    if (is_denial(outcome))
        list_splice(&leases, &d->leases);
    if (news)
        tell_others(d);
    tell_waits(&waits, &d->outcome);
    revoke(d, &leases);
    free_slot(d);
    place(d);
}

static bool start(struct verdict *d)
{
    struct verdicts *v = d->owner;
    struct slot *slot = take_slot(v);
    if (!slot)
        return false;
    slot->verdict = d;
    slot->lookup.trace = v->trace;
    slot->lookup.decided = decided;
    d->slot = slot;
    place(d);
    shares_join(&v->shares, &d->share, &d->client, &d->origin);
    lookup_start(&slot->lookup, v->config, v->resolver, &d->origin, d->via, &d->target, &v->now_ms);
    return true;
}

/* ---- too many ---- */

/* Its waits end, its leases are looked up again a little later. */
static void give_way(struct verdict *d)
{
    const struct lookup_outcome overload = {
        .reason = ACCESS_OVERLOAD,
        .retry_s = access_reason_row(ACCESS_OVERLOAD)->retry_s,
    };
    struct list waits;
    list_init(&waits);
    list_splice(&waits, &d->waits);
    lookup_cancel(&d->slot->lookup);
    free_slot(d);
    if (d->known || !list_empty(&d->leases)) {
        d->expires_ms = d->owner->now_ms + (list_empty(&d->leases) ? 0 : RECHECK_DELAY_MS);
        place(d);
    } else {
        drop(d);
    }
    tell_waits(&waits, &overload);
}

/* VERDICTS_WAIT: one more look-up may start, once *ret_gives_way (NULL: none) has given way. */
static enum verdicts_status find_room(const struct verdicts *v, const struct verdict_question *q,
                                      struct share **ret_gives_way)
{
    const struct access_config *config = v->config;
    uint32_t of_client = shares_of_client(&v->shares, q->client);
    bool full = v->shares.count >= config->pending_max;
    struct share *s = NULL;
    if (of_client >= config->pending_client_max)
        return full ? VERDICTS_FULL : VERDICTS_RATE_LIMITED;
    if (shares_of_origin(&v->shares, q->origin) >= config->pending_origin_max) {
        s = shares_greediest(&v->shares, q->client, q->origin);
        if (!s && of_client > 0)
            return VERDICTS_RATE_LIMITED;
    }
    if (!s && full) {
        s = shares_greediest(&v->shares, q->client, NULL);
        if (!s)
            return VERDICTS_FULL;
    }
    *ret_gives_way = s;
    return VERDICTS_WAIT;
}

static enum verdicts_status may_start(struct verdicts *v, const struct verdict_question *q,
                                      uint32_t *ret_wait_s)
{
    struct share *gives_way = NULL;
    enum verdicts_status status = find_room(v, q, &gives_way);
    uint32_t wait_s = status == VERDICTS_RATE_LIMITED ? SHARE_WAIT_S : 0;
    if (status == VERDICTS_WAIT && v->rates)
        wait_s = rates_take(v->rates, &v->config->rate_lookups, LIMIT_LOOKUPS,
                            net_client_slice(q->client), v->now_ms);
    if (wait_s) {
        *ret_wait_s = wait_s;
        return VERDICTS_RATE_LIMITED;
    }
    if (gives_way)
        give_way(container_of(gives_way, struct verdict, share));
    return status;
}

enum verdicts_status verdicts_get(struct verdicts *v, const struct verdict_question *q,
                                  struct verdict_wait *wait, struct lookup_outcome *ret,
                                  uint32_t *ret_wait_s)
{
    struct verdict *d = find(v, q);
    if (d && d->known && v->now_ms < d->expires_ms) {
        v->counts->hits++;
        *ret = d->outcome;
        place(d); /* to the end of its list: recently used */
        return VERDICTS_KNOWN;
    }
    if (!d || !d->slot) {
        enum verdicts_status status = may_start(v, q, ret_wait_s);
        if (status != VERDICTS_WAIT)
            return status;
        d = d ? d : add(v, q);
        if (!d)
            return VERDICTS_FULL;
        d->client = *q->client;
        if (!start(d))
            return VERDICTS_FULL;
        v->counts->misses++;
    } else {
        shares_wait(&v->shares, &d->share, q->client);
    }
    wait->verdict = d;
    list_append(&d->waits, &wait->node);
    return VERDICTS_WAIT;
}

void verdict_wait_cancel(struct verdicts *v, struct verdict_wait *wait)
{
    (void)v;
    struct verdict *d = wait->verdict;
    if (!d)
        return;
    wait->verdict = NULL;
    list_remove(&wait->node);
    if (!list_empty(&d->waits) || !list_empty(&d->leases) || !d->slot || d->known)
        return;
    /* No wait or lease needs the result any more. */
    lookup_cancel(&d->slot->lookup);
    free_slot(d);
    drop(d);
}

/* ---- leases ---- */

void verdict_lease_start(struct verdicts *v, const struct verdict_question *q,
                         struct verdict_lease *lease)
{
    struct verdict *d = find(v, q);
    if (!d)
        d = add(v, q);
    if (!d) { /* no memory: the connection goes on unwatched rather than not at all */
        lease->verdict = NULL;
        return;
    }
    if (!d->known && !d->slot)
        d->expires_ms = v->now_ms;
    lease->verdict = d;
    list_append(&d->leases, &lease->node);
    place(d);
}

void verdict_lease_end(struct verdicts *v, struct verdict_lease *lease)
{
    (void)v;
    struct verdict *d = lease->verdict;
    if (!d)
        return;
    lease->verdict = NULL;
    list_remove(&lease->node);
    place(d);
}

/* The open connections of one client cost no more look-ups than it may begin. What a web request
 * asks for is our own record, once for all. */
static bool may_recheck(struct verdicts *v, const struct verdict *d)
{
    const struct rate *rate = &v->config->rate_lookups;
    struct rate half = {(rate->per_minute + 1) / 2, (rate->burst + 1) / 2};
    return v->shares.count < v->config->pending_max &&
           (d->via == ACCESS_VIA_WEB || !v->rates ||
            !rates_take(v->rates, &half, LIMIT_RECHECKS, net_client_slice(&d->client), v->now_ms));
}

static bool recheck(struct verdict *d)
{
    bool started = d->owner->shares.count < d->owner->config->pending_max && start(d);
    d->owner->counts->rechecks += started;
    return started;
}

/* Equal questions that are asked at once are one: the other verdicts on the same name are looked up
 * together with `first`, also those that would expire soon. */
static void recheck_together(struct verdict *first, struct list *due)
{
    uint64_t soon_ms = first->owner->now_ms + RECHECK_TOGETHER_MS;
    for (struct list *node = due->next, *next; node != due; node = next) {
        struct verdict *d = container_of(node, struct verdict, in_list);
        next = node->next;
        if (d->expires_ms <= soon_ms && strcmp(d->target.host, first->target.host) == 0 &&
            !recheck(d))
            return;
    }
}

static void recheck_leased(struct verdicts *v)
{
    struct list due, *node;
    if (v->now_ms < v->leased_due_ms)
        return;
    list_init(&due);
    list_splice(&due, &v->leased);
    v->leased_due_ms = UINT64_MAX;
    while ((node = list_pop(&due))) {
        struct verdict *d = container_of(node, struct verdict, in_list);
        bool expired = d->expires_ms <= v->now_ms;
        if (expired && may_recheck(v, d) && recheck(d)) {
            recheck_together(d, &due);
            continue;
        }
        if (expired)
            d->expires_ms = v->now_ms + RECHECK_DELAY_MS;
        place(d);
    }
}

void verdicts_doubt(struct verdicts *v, const struct verdict_question *q)
{
    struct verdict *d = find(v, q);
    if (!d || !allows(d))
        return;
    d->doubted = true;
    if (!d->slot) { /* else it is being looked up */
        d->expires_ms = v->now_ms;
        place(d);
    }
}

/* ---- from outside ---- */

void verdicts_init(struct verdicts *v, const struct access_config *config,
                   struct resolver *resolver)
{
    *v = (struct verdicts){.config = config, .resolver = resolver, .leased_due_ms = UINT64_MAX};
    v->counts = &v->own_counts;
    for (int i = 0; i < VERDICTS_BUCKETS; i++)
        list_init(&v->buckets[i]);
    list_init(&v->idle);
    list_init(&v->running);
    shares_init(&v->shares);
    list_init(&v->leased);
    list_init(&v->spare);
}

void verdicts_done(struct verdicts *v)
{
    assert(list_empty(&v->leased));
    while (!list_empty(&v->running)) {
        struct verdict *d = container_of(v->running.next, struct verdict, in_list);
        lookup_cancel(&d->slot->lookup);
        free_slot(d);
        drop(d);
    }
    while (!list_empty(&v->idle))
        drop(container_of(v->idle.next, struct verdict, in_list));
    for (struct list *node; (node = list_pop(&v->spare));)
        free(container_of(node, struct slot, spare));
}

uint64_t verdicts_due_ms(const struct verdicts *v)
{
    uint64_t due = v->leased_due_ms;
    for (const struct list *node = v->running.next; node != &v->running; node = node->next) {
        const struct verdict *d = container_of(node, struct verdict, in_list);
        uint64_t own = lookup_due_ms(&d->slot->lookup);
        due = own < due ? own : due;
    }
    return due;
}

void verdicts_tick(struct verdicts *v)
{
    recheck_leased(v);
    /* A decision may start and end others: each round takes the first that is due. */
    for (struct verdict *due = NULL;; due = NULL) {
        for (struct list *node = v->running.next; node != &v->running && !due; node = node->next) {
            struct verdict *d = container_of(node, struct verdict, in_list);
            if (lookup_due_ms(&d->slot->lookup) <= v->now_ms)
                due = d;
        }
        if (!due)
            return;
        lookup_tick(&due->slot->lookup);
    }
}
