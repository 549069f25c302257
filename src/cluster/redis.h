/* SPDX-License-Identifier: MIT */
/* redis.h - one connection to a Redis, Valkey or Sentinel: from the host's name to replies in the
 * order of the calls.
 *
 *   STOPPED ──> FINDING ──> CONNECTING ──> SECURING ──> READY      SECURING: with TLS only
 *      ^           │             │             │          │
 *      └───────────┴─────────────┴─────────────┴──────────┘       redis_stop, or lost
 *
 * It is lost when the other side ends it, at bytes that are no RESP2, when it can't be had within
 * the time-out, and when something is waited for and no byte has come for so long. After a quiet
 * time it pings. Looking up the name has no limit but the resolver's.
 *
 * Lifetime  The caller embeds struct redis; it is ours from redis_start() to redis_stop() or
 *           on_lost, in which the caller stops it. Its memory stays until the end of the turn.
 * Threads   Loop thread only.
 */
#ifndef CLUSTER_REDIS_H
#define CLUSTER_REDIS_H

#include "cluster/broker.h"
#include "cluster/reply_reader.h"
#include "net/race.h"
#include "net/resolve.h"
#include "net/stream.h"

struct redis;

struct redis_ops {
    void (*on_ready)(struct redis *r);
    /* A reply, before it is given to the call that waits for it. True: it was none of a call's, or
     * redis_stop() was called. May be NULL. */
    bool (*takes)(struct redis *r, const redisReply *reply);
    /* Calls are still under way: redis_stop() says which. `why` is valid during the call. */
    void (*on_lost)(struct redis *r, const char *why);
};

enum redis_state {
    REDIS_STOPPED,
    REDIS_FINDING,
    REDIS_CONNECTING,
    REDIS_SECURING,
    REDIS_READY
};

struct redis {
    enum redis_state state;
    struct loop *loop; /* borrowed, as the next five */
    const struct redis_ops *ops;
    const struct broker_host *host;
    struct tls_context *tls; /* NULL: plain */
    struct broker_counts *counts;
    uint64_t timeout_ms;
    struct resolve lookup;
    struct race race;
    struct stream *stream; /* owned */
    struct reply_reader reader;
    struct list calls; /* that wait for their reply, the oldest first */
    struct broker_call ping;
    struct timer timer;
    uint64_t heard_ms;               /* when a byte came, or was first waited for */
    const struct broker_call *timed; /* one at a time is timed; borrowed: it is among `calls` */
    uint64_t timed_us;               /* when it was sent */
};

/* What a connection is made by. */
struct redis_target {
    struct loop *loop;
    const struct redis_ops *ops;
    const struct broker_host *host;
    struct tls_context *tls;
    struct broker_counts *counts;
    uint64_t timeout_ms;
};

/* Of one that is stopped. Never calls back from inside. */
void redis_start(struct redis *r, const struct redis_target *target);
/* No callback after this; also from inside of one. The calls that are under way are appended to
 * `ret_calls`, or, with NULL, forgotten. Allowed for one that is zeroed or stopped. */
void redis_stop(struct redis *r, struct list *ret_calls);

/* Words in parts, which make one command. */
struct redis_words {
    const struct slice *words;
    size_t count;
};
/* While it is READY. NULL for `call`: no reply is due, or `takes` takes all. */
void redis_send(struct redis *r, struct broker_call *call, const struct redis_words *parts,
                size_t part_count);

/* Ends it as if it were lost. */
void redis_lose(struct redis *r, const char *why);

static inline struct slice redis_text(const redisReply *reply)
{
    return slice_make(reply->str, reply->len);
}
static inline bool redis_is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

#endif
