/* SPDX-License-Identifier: MIT */
#include "core/timer.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    TIMERS = 200,
    STEPS = 20000
};

static struct timer timers[TIMERS];
static bool expected[TIMERS]; /* the naive model: active, and due at due[] */
static uint64_t due[TIMERS];
static uint64_t started[TIMERS], starts;

static void never(struct timer *timer)
{
    (void)timer;
    fail();
}

/* Delays of every size, so that every level is used and every border between levels crossed. */
static uint64_t random_delay(void)
{
    return (uint64_t)random() >> (random() % 31);
}

static void start_one(struct timer_wheel *wheel, uint64_t now)
{
    unsigned i = (unsigned)random() % TIMERS;
    timer_stop(&timers[i]);
    due[i] = timers[i].due_ms = now + random_delay();
    expected[i] = true;
    started[i] = starts++;
    timer_wheel_add(wheel, &timers[i]);
}

static void stop_one(void)
{
    unsigned i = (unsigned)random() % TIMERS;
    timer_stop(&timers[i]);
    expected[i] = false;
}

static uint64_t first_expected(void)
{
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < TIMERS; i++) {
        if (expected[i] && due[i] < first)
            first = due[i];
    }
    return first;
}

static void check_due(struct list *fired, uint64_t now)
{
    uint64_t last_due = 0, last_start = 0;
    for (struct list *node; (node = list_pop(fired));) {
        struct timer *t = container_of(node, struct timer, node);
        unsigned i = (unsigned)(t - timers);
        assert_true(expected[i] && due[i] <= now);
        assert_true(due[i] > last_due || (due[i] == last_due && started[i] >= last_start));
        last_due = due[i];
        last_start = started[i];
        expected[i] = false;
    }
    for (unsigned i = 0; i < TIMERS; i++) {
        assert_true(!expected[i] || due[i] > now);
        assert_int_equal(timer_active(&timers[i]), expected[i]);
    }
}

static void random_starts_stops_and_steps_agree_with_a_list(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    uint64_t now = 123456789;
    srandom(7);
    timer_wheel_init(&wheel, now);
    for (unsigned i = 0; i < TIMERS; i++)
        timer_init(&timers[i], never);
    for (int step = 0; step < STEPS; step++) {
        for (long n = random() % 4; n > 0; n--)
            start_one(&wheel, now);
        if (random() % 3 == 0)
            stop_one();
        uint64_t next = 0, first = first_expected();
        assert_int_equal(timer_wheel_next(&wheel, &next), first != UINT64_MAX);
        assert_true(next <= first);
        now = random() % 4 == 0 && first != UINT64_MAX ? first : now + random_delay() / 1000;
        struct list fired;
        list_init(&fired);
        timer_wheel_advance(&wheel, now, &fired);
        check_due(&fired, now);
    }
}

/* The loop sleeps until `next` and advances: the number of wake-ups for one timer is that of the
 * levels at most. */
static void few_wakes_lead_to_a_far_timer(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct timer timer;
    timer_wheel_init(&wheel, 5);
    timer_init(&timer, never);
    timer.due_ms = 5 + 1000ull * 3600 * 24 * 365;
    timer_wheel_add(&wheel, &timer);
    struct list fired;
    list_init(&fired);
    int wakes = 0;
    for (uint64_t next; list_empty(&fired); wakes++) {
        assert_true(timer_wheel_next(&wheel, &next));
        assert_true(next <= timer.due_ms);
        timer_wheel_advance(&wheel, next, &fired);
    }
    assert_true(wakes <= WHEEL_LEVELS);
    assert_true(wheel.now_ms == timer.due_ms);
}

static void a_delay_without_end_is_kept(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct timer timer;
    timer_wheel_init(&wheel, 77);
    timer_init(&timer, never);
    timer.due_ms = UINT64_MAX;
    timer_wheel_add(&wheel, &timer);
    struct list fired;
    list_init(&fired);
    timer_wheel_advance(&wheel, 77 + ((uint64_t)1 << 40), &fired);
    assert_true(list_empty(&fired));
    assert_true(timer_active(&timer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_starts_stops_and_steps_agree_with_a_list),
        cmocka_unit_test(few_wakes_lead_to_a_far_timer),
        cmocka_unit_test(a_delay_without_end_is_kept),
    };
    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
