/* SPDX-License-Identifier: MIT */
/* embedded.h - a loop inside of another one, behind one descriptor that covers time too.
 *
 * A timerfd lies in the loop's own epoll set. It is set when a call from outside has given the loop
 * something to do, and after each turn; who runs the loop with loop_run() needs none.
 *
 *     embedded_start(&e, loop);                 poll loop_fd(loop) for reading
 *     embedded_turn(&e, timeout_ms);            when it is readable
 *     embedded_set(&e);                         after something was started from outside of a turn
 *
 * Threads  The loop's.
 */
#ifndef CORE_EMBEDDED_H
#define CORE_EMBEDDED_H

#include "core/loop.h"

struct embedded {
    struct loop *loop; /* borrowed */
    struct watch clock;
    uint64_t due_ms; /* what the clock is set to */
};

/* Negative errno on failure. */
int embedded_start(struct embedded *e, struct loop *loop);
/* Before the loop is freed. Allowed on one that is zeroed, or whose start has failed. */
void embedded_stop(struct embedded *e);
/* The loop's descriptor becomes readable when it has something to do, by what is known now. */
void embedded_set(struct embedded *e);
/* loop_turn(), and embedded_set(). */
int embedded_turn(struct embedded *e, int timeout_ms);

#endif
