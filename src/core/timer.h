/* SPDX-License-Identifier: MIT */
/* timer.h - the timers of one loop: a hierarchical timing wheel that counts milliseconds.
 *
 * Eight levels of 64 slots. A timer hangs at the level of the highest group of six bits in which
 * its due time differs from the wheel's time, so the lowest level with a timer has the next one,
 * and each timer moves down at most seven times. Stopping unlinks and no more: a slot's bit may
 * outlive its timers, and is cleared when it is looked at.
 *
 * Memory   None beyond the struct. No system call, no clock: time is handed in.
 * Threads  Loop thread only.
 * Cost     Start and stop O(1); the next due time and each step of advancing: one look at each
 *          level.
 */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include "core/loop.h"

enum {
    WHEEL_LEVELS = 8,
    WHEEL_SLOTS = 64
};

struct timer_wheel {
    uint64_t now_ms; /* every timer due before this has been handed out */
    uint64_t occupied[WHEEL_LEVELS];
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* `timer->due_ms` is set. A timer that is already due comes with the next advance. */
void timer_wheel_add(struct timer_wheel *wheel, struct timer *timer);

/* Moves to `now_ms` and appends every timer due by then to `due`, in the order of their due times,
 * and of their starts where those are equal. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms, struct list *due);

/* When to advance next: when the first timer is due, or before. False: no timer. */
bool timer_wheel_next(struct timer_wheel *wheel, uint64_t *ret_ms);

#endif
