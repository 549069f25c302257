/* SPDX-License-Identifier: MIT */
#include "program/worker_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct worker_map *map;

static int make(void **state)
{
    (void)state;
    map = worker_map_new();
    return map ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    worker_map_free(map);
    return 0;
}

static struct worker_span enter(const char *file, uint32_t home, uint32_t processes)
{
    struct worker_span ret = {0};
    assert_true(worker_map_enter(map, file, &(struct worker_span){home, processes}, &ret));
    return ret;
}

static void the_first_says_where_home_is(void **state)
{
    (void)state;
    struct worker_span found;
    assert_false(worker_map_any(map));
    assert_false(worker_map_find(map, "/a", 0, &found));
    assert_int_equal(enter("/a", 3, 2).home, 3);
    found = enter("/a", 1, 9);
    assert_true(found.home == 3 && found.processes == 2);
    assert_int_equal(enter("/b", 1, 1).home, 1);
    assert_true(worker_map_any(map));
    assert_true(worker_map_find(map, "/a", 0, &found));
    assert_int_equal(found.home, 3);
}

static void it_is_forgotten_with_the_last(void **state)
{
    (void)state;
    struct worker_span found;
    enter("/a", 3, 2);
    enter("/a", 3, 2);
    worker_map_leave(map, "/a", 0);
    assert_true(worker_map_find(map, "/a", 0, &found));
    worker_map_leave(map, "/a", 0);
    assert_false(worker_map_find(map, "/a", 0, &found));
    assert_int_equal(enter("/a", 1, 1).home, 1);
}

static void or_after_a_while(void **state)
{
    (void)state;
    struct worker_span found;
    enter("/a", 3, 2);
    worker_map_leave(map, "/a", 1000);
    assert_true(worker_map_find(map, "/a", 999, &found));
    assert_int_equal(enter("/a", 1, 1).home, 3);
    assert_true(worker_map_find(map, "/a", 2000, &found)); /* it runs */
    worker_map_leave(map, "/a", 3000);
    assert_false(worker_map_find(map, "/a", 3000, &found));
    assert_false(worker_map_any(map));
}

/* Whatever the numbers: each process has one worker, and each worker knows of its own. */
static void shares_and_workers_agree(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers < 9; workers++)
        for (uint32_t home = 0; home < workers; home++)
            for (uint32_t processes = 1; processes < 20; processes++) {
                uint32_t have[9] = {0};
                struct worker_span span = {home, processes};
                for (uint64_t i = 0; i < processes; i++)
                    have[worker_span_at(&span, i + 5 * (uint64_t)processes, workers)]++;
                for (uint32_t w = 0; w < workers; w++)
                    assert_int_equal(worker_span_share(&span, w, workers), have[w]);
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
