/* SPDX-License-Identifier: MIT */
#include "limits/rates.h"
#include "limits/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct tally_row rows[TALLY_TELL_MAX];

/* `tokens` of a bucket of 100, which gains one a second. */
static void add(struct tally *t, uint64_t hash, unsigned tokens, uint64_t now_ms)
{
    struct tally_row row = {
        .hash = hash, .taken_us = tokens * UINT64_C(1000000), .whole_us = 100000000};
    tally_add(t, &row, now_ms);
}

static size_t collect(struct tally *t, uint32_t servers, uint64_t now_ms)
{
    return tally_collect(t, servers, now_ms, rows);
}

static void what_matters_is_told_once(void **state)
{
    (void)state;
    struct tally *t = tally_new();
    add(t, 1, 5, 0);
    add(t, 2, 9, 0);
    assert_int_equal(collect(t, 3, 0), 1); /* 9 of 3 servers are a quarter of 100 */
    assert_int_equal(rows[0].hash, 2);
    assert_int_equal(rows[0].taken_us, 9000000);
    assert_int_equal(rows[0].whole_us, 100000000);
    assert_int_equal(collect(t, 3, 0), 0);
    add(t, 1, 4, 1000);
    assert_int_equal(collect(t, 3, 1000), 1); /* what stayed is not lost */
    assert_int_equal(rows[0].taken_us, 9000000);
    tally_free(t);
}

static void little_matters_among_many_servers_and_at_a_bucket_that_is_near_its_end(void **state)
{
    (void)state;
    struct tally *t = tally_new();
    struct tally_row near = {.hash = 2, .taken_us = 1, .whole_us = 100000000, .near = true};
    add(t, 1, 1, 0);
    assert_int_equal(collect(t, 2, 0), 0);
    assert_int_equal(collect(t, 100, 0), 1);
    tally_add(t, &near, 0);
    assert_int_equal(collect(t, 2, 0), 1);
    tally_free(t);
}

static void what_the_bucket_has_gained_again_is_forgotten(void **state)
{
    (void)state;
    struct tally *t = tally_new();
    add(t, 1, 8, 0);
    assert_int_equal(collect(t, 3, 26000), 0);
    assert_int_equal(collect(t, 3, 26001), 0); /* a quarter, and the second of the next look */
    add(t, 1, 1, 27000);
    assert_int_equal(collect(t, 3, 27000), 0);
    tally_free(t);
}

static void a_flood_of_keys_keeps_the_busy_ones_and_its_size(void **state)
{
    (void)state;
    struct tally *t = tally_new();
    for (uint64_t hash = 1; hash <= 64; hash++)
        add(t, hash, 90, 0);
    for (uint64_t hash = 1000; hash < 200000; hash++)
        add(t, hash, 20, 0);
    assert_int_equal(collect(t, 16, 0), 64); /* 1024 for 16 servers */
    for (size_t i = 0; i < 64; i++)
        assert_true(rows[i].hash <= 64);
    assert_int_equal(collect(t, 1, 0), 0); /* 20 of one server do not matter */
    assert_int_equal(collect(t, 1000, 0), 4);
    assert_int_equal(collect(t, 4, 0), 256);
    tally_free(t);
}

/* ---- with rates ---- */

static const struct rate rate = {.per_minute = 60, .burst = 20};

static bool take(struct rates *r, enum limit_kind kind, const char *key, uint64_t now_ms)
{
    return rates_take(r, &rate, kind, slice_of(key), now_ms) == 0;
}

static void tell(struct tally *from, struct rates *to, uint64_t now_ms)
{
    size_t count = collect(from, 2, now_ms);
    for (size_t i = 0; i < count; i++)
        rates_put(to, rows[i].hash, rows[i].taken_us, rows[i].whole_us, now_ms);
}

static void two_servers_that_tell_each_other_let_pass_what_one_does(void **state)
{
    (void)state;
    struct tally *tallies[2] = {tally_new(), tally_new()};
    struct rates *servers[2] = {rates_new(64), rates_new(64)};
    unsigned passed = 0;
    for (int i = 0; i < 2; i++)
        rates_tally(servers[i], tallies[i]);
    for (uint64_t now = 1000; now < 601000; now += 100) { /* 10 a second, at each in turn */
        passed += take(servers[now / 100 % 2], LIMIT_CHECKS_OF_CLIENT, "greedy", now);
        if (now % 1000 == 0) {
            tell(tallies[0], servers[1], now);
            tell(tallies[1], servers[0], now);
        }
    }
    assert_in_range(passed, 600, 800); /* one server: 620; two that know nothing: 1240 */
    assert_true(take(servers[0], LIMIT_CHECKS_OF_CLIENT, "another", 601000));
    for (int i = 0; i < 2; i++) {
        rates_free(servers[i]);
        tally_free(tallies[i]);
    }
}

static void what_others_take_never_makes_one_wait_longer_than_an_empty_bucket(void **state)
{
    (void)state;
    struct tally *t = tally_new();
    struct rates *from = rates_new(64), *to = rates_new(64);
    rates_tally(from, t);
    for (int i = 0; i < 20; i++)
        take(from, LIMIT_CHECKS_OF_CLIENT, "k", 0);
    assert_int_equal(collect(t, 2, 0), 1);
    for (int i = 0; i < 10; i++)
        rates_put(to, rows[0].hash, rows[0].taken_us, rows[0].whole_us, 0);
    assert_int_equal(rates_take(to, &rate, LIMIT_CHECKS_OF_CLIENT, slice_of("k"), 0), 1);
    rates_put(to, rows[0].hash, UINT64_MAX, 5, 0); /* no sense */
    rates_put(to, 0, 1, 5, 0);
    assert_true(take(to, LIMIT_CHECKS_OF_CLIENT, "k", 1000));
    rates_free(from);
    rates_free(to);
    tally_free(t);
}

static void rechecks_are_each_servers_own(void **state)
{
    (void)state;
    struct tally *t = tally_new();
    struct rates *r = rates_new(64);
    rates_tally(r, t);
    for (int i = 0; i < 20; i++)
        assert_true(take(r, LIMIT_RECHECKS, "k", 0));
    assert_int_equal(collect(t, 1000, 0), 0);
    rates_free(r);
    tally_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_matters_is_told_once),
        cmocka_unit_test(little_matters_among_many_servers_and_at_a_bucket_that_is_near_its_end),
        cmocka_unit_test(what_the_bucket_has_gained_again_is_forgotten),
        cmocka_unit_test(a_flood_of_keys_keeps_the_busy_ones_and_its_size),
        cmocka_unit_test(two_servers_that_tell_each_other_let_pass_what_one_does),
        cmocka_unit_test(what_others_take_never_makes_one_wait_longer_than_an_empty_bucket),
        cmocka_unit_test(rechecks_are_each_servers_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
