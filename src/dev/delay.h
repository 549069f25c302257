/* SPDX-License-Identifier: MIT */
/* delay.h - messages of one connection that wait on purpose, both directions, in order.
 *
 * Threads  Loop thread only.
 * Memory   A copy of each message that waits; nothing without latency.
 */
#ifndef DEV_DELAY_H
#define DEV_DELAY_H

#include "base/slice.h"
#include "core/loop.h"

struct dev_delay {
    struct loop *loop;   /* borrowed */
    uint32_t latency_ms; /* of each direction; 0: none */
    struct list waiting;
    struct timer timer;
    /* A message's time has come; it may be changed in place. False: the connection is gone, and so
     * is the delay. */
    bool (*deliver)(struct dev_delay *delay, bool to_page, bool binary, struct bytes data);
};

void dev_delay_init(struct dev_delay *d, struct loop *loop,
                    bool (*deliver)(struct dev_delay *, bool, bool, struct bytes));
/* The messages that wait are lost. */
void dev_delay_drop(struct dev_delay *d);
/* The connection is about to be closed properly: what is for the page goes
 * now, the rest is lost. */
void dev_delay_hurry(struct dev_delay *d);

/* A message has been sent: takes a copy, to be delivered later. False: it is not to wait. */
bool dev_delay_take(struct dev_delay *d, bool to_page, bool binary, const struct slice *pieces,
                    size_t count);

#endif
