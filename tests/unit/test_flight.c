/* SPDX-License-Identifier: MIT */
/* The budget of bytes on their way, on a simulated line: it fills a long one, spares a slow client,
 * and never waits for a `.pong` that nobody was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "session/flight.h"

enum {
    FRAME = 16384,
    WIRE = 192 * 1024, /* what our side queues, kernel and all */
    PINGS = 64
};

/* A line that carries `line_rate` bytes a millisecond and takes `line_ms` there and back, then a
 * client that deals with `rate` of them. */
static struct line {
    struct flight f;
    uint64_t now_ms, line_rate, rate, line_ms;
    uint64_t sent, arrived, done; /* bytes */
    struct {
        uint64_t at, arrived_ms; /* 0: not dealt with yet */
    } pings[PINGS];
    unsigned first, count;
    uint64_t longest_queue;
} l;

static void begin(uint64_t line_rate, uint64_t rate, uint64_t line_ms)
{
    memset(&l, 0, sizeof(l));
    l.now_ms = 1000;
    l.line_rate = line_rate;
    l.rate = rate;
    l.line_ms = line_ms;
    flight_begin(&l.f, l.now_ms);
}

static void ping(void)
{
    flight_pinged(&l.f, l.now_ms);
    assert_true(l.count < PINGS);
    l.pings[(l.first + l.count++) % PINGS].at = l.sent;
}

static void send(void)
{
    while (l.sent - l.arrived < WIRE && flight_room(&l.f) > 0) {
        l.sent += FRAME;
        if (flight_sent(&l.f, FRAME))
            ping();
    }
    assert_true(l.sent - l.arrived >= WIRE || l.count > 0); /* somebody will wake us */
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void pass(uint64_t ms)
{
    for (uint64_t end = l.now_ms + ms; l.now_ms < end; l.now_ms++) {
        l.done += least(l.rate, l.arrived - l.done);
        l.arrived += least(l.line_rate, l.sent - l.arrived);
        if (l.arrived - l.done > l.longest_queue)
            l.longest_queue = l.arrived - l.done;
        for (unsigned i = 0; i < l.count; i++) {
            unsigned at = (l.first + i) % PINGS;
            if (!l.pings[at].arrived_ms && l.pings[at].at <= l.done)
                l.pings[at].arrived_ms = l.now_ms;
        }
        while (l.count && l.pings[l.first].arrived_ms &&
               l.pings[l.first].arrived_ms + l.line_ms <= l.now_ms) {
            l.pings[l.first].arrived_ms = 0;
            l.first = (l.first + 1) % PINGS;
            l.count--;
            if (flight_ponged(&l.f, l.now_ms))
                ping();
        }
        send();
    }
}

static void a_long_line_is_filled(void **state)
{
    (void)state;
    begin(100000, 1000000, 100); /* 10 MB have to be under way */
    pass(3000);
    uint64_t before = l.done;
    pass(10000);
    assert_true(l.done - before > 90 * UINT64_C(10000000));
}

static void a_slow_client_gets_no_heap(void **state)
{
    (void)state;
    begin(1000000, 30000, 1); /* 30 MB/s */
    pass(1000);
    l.longest_queue = 0;
    uint64_t before = l.done;
    pass(10000);
    assert_true(l.longest_queue < 25 * l.rate); /* an event waits less than 25 ms */
    assert_true(l.done - before > 25 * UINT64_C(10000000));
}

static void it_follows_a_client_that_becomes_slower_and_quicker(void **state)
{
    (void)state;
    begin(1000000, 150000, 2);
    pass(2000);
    l.rate = 20000;
    pass(1000);
    l.longest_queue = 0;
    pass(5000);
    assert_true(l.longest_queue < 25 * l.rate);
    l.rate = 150000;
    pass(1000);
    uint64_t before = l.done;
    pass(1000);
    assert_true(l.done - before > 120 * UINT64_C(1000000));
}

static void a_line_that_becomes_longer_is_found_out(void **state)
{
    (void)state;
    begin(100000, 1000000, 2);
    pass(1000);
    l.line_ms = 60; /* now it looks as if the client were late */
    pass(FLIGHT_PROBE_MS + 2000);
    uint64_t before = l.done;
    pass(5000);
    assert_true(l.done - before > 80 * UINT64_C(5000000));
}

static void it_never_waits_for_nothing(void **state)
{
    (void)state;
    uint64_t seed = 77;
    for (int run = 0; run < 200; run++) {
        begin(1 + random_below(&seed, 200000), 1 + random_below(&seed, 200000),
              random_below(&seed, 200));
        for (int i = 0; i < 40; i++) {
            if (random_below(&seed, 4) == 0)
                l.rate = 1 + random_below(&seed, 200000);
            if (random_below(&seed, 8) == 0 && l.count < 20)
                ping(); /* the session's own */
            if (random_below(&seed, 8) == 0)
                flight_ponged(&l.f, l.now_ms); /* unasked */
            pass(1 + random_below(&seed, 60)); /* asserts it */
            assert_in_range(l.f.budget, FLIGHT_BUDGET_MIN, FLIGHT_BUDGET_MAX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_line_is_filled),
        cmocka_unit_test(a_slow_client_gets_no_heap),
        cmocka_unit_test(it_follows_a_client_that_becomes_slower_and_quicker),
        cmocka_unit_test(a_line_that_becomes_longer_is_found_out),
        cmocka_unit_test(it_never_waits_for_nothing),
    };
    return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
