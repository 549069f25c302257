/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "page/coverage.h"
#include "random.h"

static void without_gaps_both_count_alike(void **state)
{
    (void)state;
    struct coverage c = {0};
    coverage_confirm(&c, 7);
    assert_int_equal(coverage_count(&c), 7);
}

static void a_gap_is_covered_with_what_is_before_it(void **state)
{
    (void)state;
    struct coverage c = {0};
    coverage_add_gap(&c, 0); /* before the first message */
    coverage_add_gap(&c, 2);
    coverage_add_gap(&c, 2);
    coverage_confirm(&c, 0);
    assert_int_equal(coverage_count(&c), 1);
    coverage_confirm(&c, 1);
    assert_int_equal(coverage_count(&c), 2);
    coverage_confirm(&c, 2);
    assert_int_equal(coverage_count(&c), 5);
    coverage_confirm(&c, 3);
    assert_int_equal(coverage_count(&c), 6);
}

enum {
    MESSAGES = 300
};

/* Beside a model that remembers of each message whether the program counts it: what is covered is
 * never more than that, and with few gaps it is exactly that. */
static void run(uint64_t *r, unsigned gaps_in_100, bool exact)
{
    struct coverage c = {0};
    bool is_gap[MESSAGES];
    uint64_t told = 0, confirmed = 0;
    for (unsigned i = 0; i < MESSAGES; i++) {
        is_gap[i] = random_below(r, 100) < gaps_in_100;
        if (is_gap[i])
            coverage_add_gap(&c, told);
        else
            told++;
        if (random_below(r, 4) > 0)
            continue;
        confirmed += random_below(r, told - confirmed + 1);
        coverage_confirm(&c, confirmed);
        uint64_t counted = 0, most = 0;
        while (most <= i && (is_gap[most] || counted < confirmed))
            counted += !is_gap[most++];
        assert_true(coverage_count(&c) <= most && coverage_count(&c) >= confirmed);
        if (exact)
            assert_int_equal(coverage_count(&c), most);
    }
}

static void nothing_is_covered_that_the_program_is_not_done_with(void **state)
{
    (void)state;
    uint64_t r = 42;
    for (int i = 0; i < 500; i++) {
        run(&r, 50, false);
        run(&r, 0, true);
        run(&r, 2, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_gaps_both_count_alike),
        cmocka_unit_test(a_gap_is_covered_with_what_is_before_it),
        cmocka_unit_test(nothing_is_covered_that_the_program_is_not_done_with),
    };
    return cmocka_run_group_tests_name("coverage", tests, NULL, NULL);
}
