/* SPDX-License-Identifier: MIT */
/* broker.h - the link of one loop to one broker, a Redis or Valkey server: calls, and announcements
 * of channels.
 *
 *   DOWN ──> LOOKING ──> JOINING ──> UP       Sentinel is asked (if there is one); two connections,
 *    ^          │           │         │       one for calls, one for announcements; on each the
 *    └──────────┴───────────┴─────────┘       password, the database, the role
 *
 * It begins by itself, and again after each break: after a random part of a delay that doubles from
 * 50 ms to 2 s. It breaks when a connection does, when nothing
 * has been answered for the time-out (a ping goes out after a quiet 2 s, or less), when the broker
 * says that it is no master or is loading, when Sentinel names another master, when a script is
 * unknown (SCRIPT FLUSH: the next link loads them again), and at a reply that is above
 * BROKER_REPLY_MAX or no RESP2.
 *
 * Lifetime  broker_new() to broker_free(); after that no callback. A call is the link's from
 *           broker_call() until its on_reply has run, or broker_free() returns.
 * Memory    What is queued for the broker is bounded by the callers (broker_queued()); what comes
 *           in by BROKER_REPLY_MAX; a subscription takes some 100 B and its name.
 * Threads   Loop thread only. While a name is looked up there is a thread for it.
 * Log       broker.up, broker.down, broker.refused: once per change, not per attempt.
 * Cost      What a turn writes leaves in one send. No allocation for a call.
 */
#ifndef CLUSTER_BROKER_H
#define CLUSTER_BROKER_H

#include "cluster/broker_url.h"
#include "cluster/script.h"
#include "core/loop.h"
#include "net/tls.h"

struct broker;
struct redisReply; /* <hiredis/hiredis.h> */

enum {
    BROKER_REPLY_MAX = 64 << 20 /* bytes that one reply takes in memory */
};

struct broker_config {
    const struct broker_url *url; /* borrowed: outlives the link */
    struct tls_context *tls;      /* of a URL with TLS; borrowed in the same way */
    uint64_t timeout_ms;
    const struct broker_script *const *scripts; /* those that are run; NULL after the last one */
};

struct broker_ops {
    /* Calls go from now on. Subscriptions of before are asked for again, and each is told by
     * on_subscribed. */
    void (*on_up)(void *owner);
    /* It was up. Calls that were under way have got NULL before this. */
    void (*on_down)(void *owner);
    void (*on_message)(void *owner, struct slice channel, struct slice payload);
    /* What is announced from now on is told, until the link is down. */
    void (*on_subscribed)(void *owner, struct slice channel);
};

struct broker_call {
    struct list node;
    /* Exactly once, never from inside of broker_call(). NULL: the link broke, and nobody knows
     * whether the call was done. REDIS_REPLY_ERROR: as Redis said. Valid during the callback. */
    void (*on_reply)(struct broker_call *call, const struct redisReply *reply);
};

/* What the metrics tell of a link. */
struct broker_counts {
    uint64_t ups;        /* how often it came up; above 1: reconnects */
    uint64_t calls;      /* that were answered, the link's own too */
    uint64_t failed;     /* of them with an error */
    uint64_t broken;     /* that got NULL */
    uint64_t messages;   /* announcements */
    uint64_t latency_us; /* the sum of the round trips of `timed` calls: one at a time is timed */
    uint64_t timed;
    uint64_t bytes_in, bytes_out;
};

/* NULL without memory. */
struct broker *broker_new(struct loop *loop, const struct broker_config *config,
                          const struct broker_ops *ops, void *owner);
void broker_free(struct broker *b); /* accepts NULL; also from inside of a callback */

bool broker_is_up(const struct broker *b);
/* While it is up: INFO's run_id, which changes when the broker is another instance or was
 * restarted. */
struct slice broker_run_id(const struct broker *b);
/* The URL without its password, for logs. */
struct slice broker_name(const struct broker *b);
const struct broker_counts *broker_counts(const struct broker *b);
/* Bytes that were written and have not left. */
size_t broker_queued(const struct broker *b);

/* Only while it is up; replies come in the order of the calls. `words` are copied. */
void broker_call(struct broker *b, struct broker_call *call, const struct slice *words,
                 size_t count);
/* EVALSHA of one of the scripts of the config. If the broker has forgotten it, the link breaks, so
 * that no later call overtakes this one. */
void broker_run(struct broker *b, struct broker_call *call, const struct broker_script *script,
                const struct slice *keys, size_t key_count, const struct slice *args,
                size_t arg_count);

/* At any time, kept over breaks: on_subscribed comes after it, and after each break. Does nothing
 * for a channel that is subscribed to. False without memory. */
bool broker_subscribe(struct broker *b, struct slice channel);
/* Nothing of it is told from now on. */
void broker_unsubscribe(struct broker *b, struct slice channel);

/* Whether an error says that the broker did nothing now and may do it later: OOM, MISCONF,
 * NOREPLICAS, BUSY and the like. */
bool broker_error_passes(const struct redisReply *reply);

#endif
