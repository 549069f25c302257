/* SPDX-License-Identifier: MIT */
/* sentinel.h - asks Sentinels which server is the master, and hears when that changes.
 *
 *   IDLE ──> WATCHING ──> ASKING ──> KNOWN       one connection that is subscribed to
 *             ^   │          │         │         +switch-master, then a short one that asks: so no
 *             └───┴──────────┴─────────┘         change falls between the two
 *               the next Sentinel is tried
 *
 * A Sentinel that is lost, or does not know the master, is left for the next one in the list: after
 * a delay that doubles from 50 ms to 2 s once all have been tried. They are asked without a
 * password first; with that of the broker if they want one.
 *
 * Lifetime  Embedded by the link. Callbacks come never from inside of a call.
 * Memory    Two connections, one of them for a moment.
 */
#ifndef CLUSTER_SENTINEL_H
#define CLUSTER_SENTINEL_H

#include "cluster/redis.h"

struct sentinel_ops {
    /* The answer to sentinel_ask(), and later each change that is heard of. */
    void (*on_master)(void *owner, const struct broker_host *master);
    /* All have been tried. They are tried again, by themselves. */
    void (*on_silent)(void *owner, const char *why);
};

enum sentinel_state {
    SENTINEL_IDLE,
    SENTINEL_WATCHING,
    SENTINEL_ASKING,
    SENTINEL_KNOWN
};

struct sentinel {
    enum sentinel_state state;
    struct loop *loop; /* borrowed, as the next three */
    const struct broker_config *config;
    const struct sentinel_ops *ops;
    void *owner;
    struct broker_counts counts; /* not the broker's */
    size_t at;                   /* which Sentinel */
    unsigned failures;           /* since the last answer */
    bool wants_password;         /* that one */
    bool ask_again;              /* once it is KNOWN */
    struct redis watch, ask;
    struct broker_call password, question;
    struct timer retry;
};

void sentinel_init(struct sentinel *s, struct loop *loop, const struct broker_config *config,
                   const struct sentinel_ops *ops, void *owner);
/* One of the callbacks follows. */
void sentinel_ask(struct sentinel *s);
/* The master that was named is none: another one may know better. */
void sentinel_doubt(struct sentinel *s);
/* No callback after this. Its memory stays until the end of the turn. */
void sentinel_stop(struct sentinel *s);

#endif
