/* SPDX-License-Identifier: MIT */
/* policy.h - what the servers of a cluster share of script access, by one broker: bans, how often
 * clients and origins came, what the DNS has answered, and that an answer withdraws a leave.
 *
 *   bans     one that is set here is told within POLICY_TICK_MS, and kept in the broker until it
 *            ends, for servers that start later. A server that comes back after an outage tells
 *            what it has set meanwhile, and reads what the others have.
 *   rates    each second what matters of the tally (limits/tally.h).
 *   DNS      a question is asked by one server, the others wait for its answer (shared_dns.h).
 *   doubts   a verdict that refuses what it allowed has the others look at theirs, at once.
 *
 * While the broker is away each server goes on by itself, with what it knows. The broker is
 * trusted: whoever can write to it can ban, and can allow what the DNS does not.
 *
 *   AWAY ──policy_subscribed()──> GREETING ──> READING ──> THERE
 *    ^                               │ the key of hashes, then all bans
 *    └─────────policy_down()─────────┴────────────┴──────────┘
 *
 * Lifetime  Made before the threads that use it, freed after them. The bans and rates outlive it.
 * Threads   That of its loop (worker 0's). Bans and rates are told from any thread, and so are
 *           policy_tell_refusal() and policy_ask().
 * Memory    260 KiB, and 200 B for each DNS question that waits.
 * Cost      Nothing for each request. A second: four turns of the loop; at most some 25 KiB from
 *           all servers together for rates; of bans what is new.
 */
#ifndef CLUSTER_POLICY_H
#define CLUSTER_POLICY_H

#include "access/verdicts.h"
#include "cluster/broker.h"
#include "limits/bans.h"
#include "limits/rates.h"

enum {
    POLICY_TICK_MS = 250
};

struct policy;

/* Read by other threads without a lock. */
struct policy_counts {
    uint64_t bans_told, bans_heard, bans_lifted;
    uint64_t rates_told, rates_heard; /* keys */
    uint64_t dns_known, dns_asked, dns_waited;
    uint64_t doubts_told, doubts_heard;
    uint64_t left_out; /* of all these, for want of room or time */
};

struct policy_spec {
    struct loop *loop;   /* borrowed */
    const char *cluster; /* what keys and channels begin with; copied */
    struct bans *bans;   /* borrowed */
    struct rates *rates; /* borrowed */
    size_t bans_max;     /* that the broker keeps */
    /* Another evaluation doubts this verdict: access_doubt() of all workers (post it). NULL: no
     * verdict is watched here. */
    void (*doubt)(void *owner, const struct verdict_question *q);
    void *owner;
};

/* NULL without memory. */
struct policy *policy_new(const struct policy_spec *spec);
void policy_free(struct policy *p); /* accepts NULL */
/* All threads have been joined, and none of their loops is freed: nothing is posted from now on. */
void policy_stop(struct policy *p);
struct policy_counts policy_count(const struct policy *p);

/* Which of the brokers it is for, the same in all servers, in whatever order they name them. */
size_t policy_broker(const struct slice *names, size_t count);

/* ---- from the owner of the link to that broker: broker_ops ---- */

void policy_up(struct policy *p, struct broker *b);
/* Also when its loop is about to end: from then on each worker asks the DNS itself. */
void policy_down(struct policy *p);
/* False: the channel is not the policy's. */
bool policy_message(struct policy *p, struct slice channel, struct slice payload);
bool policy_subscribed(struct policy *p, struct slice channel);

/* ---- from any thread ---- */

/* A verdict of this process refuses what it allowed. */
void policy_tell_refusal(struct policy *p, const struct verdict_question *q);
/* Lifts all bans, here and, by the broker, everywhere. False: the broker is away, so they are
 * lifted here only. */
bool policy_lift_bans(struct policy *p);

#endif
