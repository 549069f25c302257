/* SPDX-License-Identifier: MIT */
/* loop_fixture.h - what the tests of loops share: one loop on one backend, a clock that the test
 * moves, and a count of descriptors at the end.
 *
 * A group of tests runs once over every backend: run_on_every_backend().
 */
#ifndef TESTS_LOOP_FIXTURE_H
#define TESTS_LOOP_FIXTURE_H

#include "core/backend.h"

#include "descriptors.h"
#include "every_backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct loop *loop;
static uint64_t fake_ms;
static int descriptors_before;

static inline uint64_t fake_clock(void *arg)
{
    (void)arg;
    return fake_ms;
}

static inline uint64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline int make_loop(void **state)
{
    (void)state;
    descriptors_before = count_descriptors();
    loop = loop_new();
    assert_non_null(loop);
    fake_ms = 1000;
    loop_set_clock(loop, fake_clock, NULL);
    return 0;
}

static inline int end_loop(void **state)
{
    (void)state;
    loop_free(loop);
    assert_int_equal(count_descriptors(), descriptors_before);
    return 0;
}

/* Turns the loop until the condition holds, which is checked at least every 50 ms (the test's own
 * descriptors don't wake the loop). Fails after 20 seconds. */
#define TURN_UNTIL(condition)                                                                      \
    do {                                                                                           \
        uint64_t until_deadline = real_ms() + 20000;                                               \
        while (!(condition)) {                                                                     \
            assert_true(real_ms() < until_deadline);                                               \
            assert_int_equal(loop_turn(loop, 50), 0);                                              \
        }                                                                                          \
    } while (0)

/* A turn, and what was written in it is sent: a backend may put that off to the next wait. */
static inline void turn_and_send(int max_wait_ms)
{
    assert_int_equal(loop_turn(loop, max_wait_ms), 0);
    loop_wait_ms(loop);
}

/* Turns the loop until everything that is ready now has been dispatched. */
static inline void turn_while_busy(void)
{
    const struct loop_counts *c = loop_counts(loop);
    uint64_t before;
    do {
        before = c->receives + c->sends + c->timers_fired + c->mails + c->accepts;
        turn_and_send(0);
    } while (before != c->receives + c->sends + c->timers_fired + c->mails + c->accepts);
}

#define loop_test(f) cmocka_unit_test_setup_teardown(f, make_loop, end_loop)

#endif
