/* SPDX-License-Identifier: MIT */
/* subscriptions.h - the channels that a link listens to: what is wanted, and what the broker knows.
 *
 *   NONE ──> ASKED ──> ON ──> LEAVING ──> NONE      each channel by itself; what has changed
 *     ^________│________│________│                  meanwhile is done when the answer is there
 *       the connection is lost
 *
 * Commands name many channels, and so many answers are waited for at a time that neither side piles
 * them up.
 *
 * Lifetime  Embedded by the link. Callbacks come from the connection or a timer, never from inside
 *           of subscriptions_add().
 */
#ifndef CLUSTER_SUBSCRIPTIONS_H
#define CLUSTER_SUBSCRIPTIONS_H

#include "cluster/redis.h"
#include "hub/name_table.h"

struct subscriptions {
    struct loop *loop;            /* borrowed, as the next three */
    const struct broker_ops *ops; /* on_message and on_subscribed */
    void *owner;
    struct redis *redis; /* NULL: there is none */
    struct name_table table;
    struct list settled, changed; /* each subscription is in one of them */
    unsigned under_way;           /* answers that are due */
    struct timer timer;           /* does what is to be done about `changed` */
};

void subscriptions_init(struct subscriptions *s, struct loop *loop, const struct broker_ops *ops,
                        void *owner);
/* No callback after this; names that a callback was given stay until subscriptions_done(). */
void subscriptions_stop(struct subscriptions *s);
void subscriptions_done(struct subscriptions *s);

bool subscriptions_add(struct subscriptions *s, struct slice channel);
void subscriptions_remove(struct subscriptions *s, struct slice channel);

/* From now on by this connection: all that is wanted is asked for. */
void subscriptions_begin(struct subscriptions *s, struct redis *redis);
/* The connection is gone; no callback until the next one. */
void subscriptions_end(struct subscriptions *s);
/* True: the reply was about subscriptions. */
bool subscriptions_hear(struct subscriptions *s, const redisReply *reply);

#endif
