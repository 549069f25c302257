/* SPDX-License-Identifier: MIT */
#include "program/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct program_places *places;

static int make(void **state)
{
    (void)state;
    places = program_places_new();
    return places ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    program_places_free(places);
    return 0;
}

static struct program_place enter(const char *file, uint32_t home, uint32_t processes)
{
    struct program_place ret = {0};
    assert_true(program_places_enter(places, file, &(struct program_place){home, processes}, &ret));
    return ret;
}

static void the_first_says_where_home_is(void **state)
{
    (void)state;
    struct program_place found;
    assert_false(program_places_any(places));
    assert_false(program_places_find(places, "/a", 0, &found));
    assert_int_equal(enter("/a", 3, 2).home, 3);
    found = enter("/a", 1, 9);
    assert_true(found.home == 3 && found.processes == 2);
    assert_int_equal(enter("/b", 1, 1).home, 1);
    assert_true(program_places_any(places));
    assert_true(program_places_find(places, "/a", 0, &found));
    assert_int_equal(found.home, 3);
}

static void it_is_forgotten_with_the_last(void **state)
{
    (void)state;
    struct program_place found;
    enter("/a", 3, 2);
    enter("/a", 3, 2);
    program_places_leave(places, "/a", 0);
    assert_true(program_places_find(places, "/a", 0, &found));
    program_places_leave(places, "/a", 0);
    assert_false(program_places_find(places, "/a", 0, &found));
    assert_int_equal(enter("/a", 1, 1).home, 1);
}

static void or_after_a_while(void **state)
{
    (void)state;
    struct program_place found;
    enter("/a", 3, 2);
    program_places_leave(places, "/a", 1000);
    assert_true(program_places_find(places, "/a", 999, &found));
    assert_int_equal(enter("/a", 1, 1).home, 3);
    assert_true(program_places_find(places, "/a", 2000, &found)); /* it runs */
    program_places_leave(places, "/a", 3000);
    assert_false(program_places_find(places, "/a", 3000, &found));
    assert_false(program_places_any(places));
}

/* Whatever the numbers: each process has one worker, and each worker knows of its own. */
static void shares_and_workers_agree(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers < 9; workers++)
        for (uint32_t home = 0; home < workers; home++)
            for (uint32_t processes = 1; processes < 20; processes++) {
                uint32_t have[9] = {0};
                struct program_place place = {home, processes};
                for (uint64_t i = 0; i < processes; i++)
                    have[program_place_worker(&place, i + 5 * (uint64_t)processes, workers)]++;
                for (uint32_t w = 0; w < workers; w++)
                    assert_int_equal(program_place_share(&place, w, workers), have[w]);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_says_where_home_is, make, drop),
        cmocka_unit_test_setup_teardown(it_is_forgotten_with_the_last, make, drop),
        cmocka_unit_test_setup_teardown(or_after_a_while, make, drop),
        cmocka_unit_test(shares_and_workers_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
