/* SPDX-License-Identifier: MIT */
#include "limits/rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void a_bucket_empties_and_fills(void **state)
{
    (void)state;
    struct rates *r = rates_new(64);
    struct rate rate = {.per_minute = 60, .burst = 3};
    struct slice k = slice_of("k");
    for (int i = 0; i < 3; i++)
        assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, k, 0), 0);
    assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, k, 0), 1);
    assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_ORIGIN, k, 0),
                     0); /* another kind, another key */
    assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, slice_of("l"), 0), 0);
    assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, k, 999), 1);
    assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, k, 1000), 0);
    assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, k, 1000), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, k, 1000000),
                         0); /* never more than the burst */
    assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, k, 1000000), 1);
    rate.per_minute = 0;
    assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, k, 1000000), 0);
    rate = (struct rate){.per_minute = 1, .burst = 1};
    assert_int_equal(rates_take(r, &rate, LIMIT_LOOKUPS, k, 0), 0);
    assert_int_equal(rates_take(r, &rate, LIMIT_LOOKUPS, k, 0), 60);
    rates_free(r);
}

static void a_flood_of_keys_forgets_no_busy_one(void **state)
{
    (void)state;
    struct rates *r = rates_new(1024);
    struct rate rate = {.per_minute = 60, .burst = 5};
    size_t bytes = rates_bytes(r);
    char name[32];
    for (int i = 0; i < 5; i++)
        rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, slice_of("busy"), 0);
    for (int i = 0; i < 100000; i++)
        rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT,
                   slice_make(name, (size_t)sprintf(name, "%d", i)), 0);
    assert_true(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, slice_of("busy"), 0) > 0);
    assert_int_equal(rates_bytes(r), bytes);
    rates_free(r);
}

/* Against the plain model: tokens as a fraction, refilled at each look. */
static void a_bucket_is_as_the_model_says(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct rates *r = rates_new(8);
        srand(seed);
        struct rate rate = {.per_minute = 60000 / (unsigned)(rand() % 100 + 1),
                            .burst = (unsigned)rand() % 20 + 1};
        uint64_t token_us = 60000000 / rate.per_minute, now = 1000, filled_us = 1000000;
        uint64_t level_us = token_us * rate.burst;
        for (int i = 0; i < 5000; i++) {
            now += (uint64_t)rand() % 300;
            level_us += now * 1000 - filled_us;
            filled_us = now * 1000;
            if (level_us > token_us * rate.burst)
                level_us = token_us * rate.burst;
            bool allowed = level_us >= token_us;
            level_us -= allowed ? token_us : 0;
            assert_int_equal(rates_take(r, &rate, LIMIT_CHECKS_OF_CLIENT, slice_of("k"), now) == 0,
                             allowed);
        }
        rates_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_empties_and_fills),
        cmocka_unit_test(a_flood_of_keys_forgets_no_busy_one),
        cmocka_unit_test(a_bucket_is_as_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
