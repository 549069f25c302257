/* SPDX-License-Identifier: MIT */
/* abouts.h - what servers say of themselves (servers_set_about), asked of a broker.
 *
 * Threads  The link's.
 */
#ifndef CLUSTER_ABOUTS_H
#define CLUSTER_ABOUTS_H

#include "cluster/broker.h"

/* What came; valid during the callback. */
struct abouts {
    const struct redisReply *reply;
};

/* Embedded by the caller; the link's until `done` has run, or the link is freed. */
struct abouts_call {
    struct broker_call call;
    /* NULL: the broker did not say. */
    void (*done)(struct abouts_call *call, const struct abouts *all);
};

/* Only while the link is up. `done` is set, and does not run from inside. */
void abouts_ask(struct abouts_call *call, struct broker *b, const char *cluster);
/* A JSON object; SLICE_NONE: the server has said nothing, or no JSON. */
struct slice abouts_find(const struct abouts *all, uint32_t tag);

#endif
