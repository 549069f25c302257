/* SPDX-License-Identifier: MIT */
/* greeting.h - what is said first on a connection to a broker, one step after the other: AUTH, the
 * client's name, and what INFO says: is it a master, which instance is it? On the connection of
 * calls also SELECT, PING (a broker that loads its data says so), and SCRIPT LOAD of each script.
 *
 * Lifetime  Embedded by its caller; from greeting_start() until a callback or greeting_stop().
 */
#ifndef CLUSTER_GREETING_H
#define CLUSTER_GREETING_H

#include "cluster/redis.h"

enum {
    GREETING_TEXT_SIZE = 64
};

struct greeting;

struct greeting_ops {
    void (*on_done)(struct greeting *g);
    /* `refused`: Redis says that it will not, so that a person has to change something. */
    void (*on_failed)(struct greeting *g, const char *why, bool refused);
};

struct greeting {
    const struct greeting_ops *ops;
    struct redis *redis;                /* borrowed: READY */
    const struct broker_config *config; /* borrowed */
    size_t step;
    size_t script; /* that is loaded next */
    bool for_calls;
    bool done;
    struct broker_call call;
    char run_id[GREETING_TEXT_SIZE], version[GREETING_TEXT_SIZE];
};

/* Never calls back from inside. */
void greeting_start(struct greeting *g, struct redis *redis, const struct broker_config *config,
                    bool for_calls, const struct greeting_ops *ops);
/* No callback after this. Accepts one that is zeroed. */
void greeting_stop(struct greeting *g);

#endif
