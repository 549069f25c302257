/* SPDX-License-Identifier: MIT */
/* sends.h - commands for a broker whose answers do not matter.
 *
 * An error is logged once in SENDS_COMPLAIN_MS, with how many there were meanwhile: it comes again
 * with each command until somebody has changed the broker.
 *
 * Lifetime  The owner embeds struct sends. sends_done() after the link has been freed, or is down.
 * Memory    80 B a command until it is answered. Beyond SENDS_QUEUE_MAX that wait at the link, a
 *           command is left out, and counted as that.
 * Threads   The link's.
 */
#ifndef CLUSTER_SENDS_H
#define CLUSTER_SENDS_H

#include "cluster/broker.h"

enum {
    SENDS_QUEUE_MAX = 4 << 20,
    SENDS_COMPLAIN_MS = 10000
};

struct sends {
    struct loop *loop; /* borrowed */
    struct list calls;
    uint64_t left_out;
    uint64_t errors, quiet_until_ms;
};

void sends_init(struct sends *s, struct loop *loop);
void sends_done(struct sends *s);
/* The link must be up. */
void sends_command(struct sends *s, struct broker *b, const struct slice *words, size_t count);
/* A call for broker_run(), whose answer does not matter. NULL: it is left out. */
struct broker_call *sends_call(struct sends *s, struct broker *b);

/* The broker has answered this, here or elsewhere: logged as above. */
void sends_complain(struct sends *s, const struct broker *b, struct slice error);

#endif
