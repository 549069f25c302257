/* SPDX-License-Identifier: MIT */
/* How many at a time: against a naive count, and by several threads. */
#include "limits/quota.h"

#include "random.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    KEY_COUNT = 300,
    KINDS = 2,
    MAX = 3,
    STEPS = 200000
};

static struct slice key_of(int i, char text[16])
{
    return slice_make(text, (size_t)snprintf(text, 16, "key-%d", i));
}

static void random_holds_are_those_of_a_naive_count(void **state)
{
    (void)state;
    struct quota *q = quota_new();
    static struct quota_hold holds[KINDS][KEY_COUNT][MAX];
    static uint32_t counts[KINDS][KEY_COUNT];
    uint64_t seed = 20261123;
    char text[16];
    for (int step = 0; step < STEPS; step++) {
        uint64_t r = next_random(&seed);
        unsigned kind = r % KINDS;
        int i = (int)(r / 8 % KEY_COUNT);
        uint32_t *count = &counts[kind][i];
        if (r >> 40 & 1) {
            struct quota_hold hold = {0};
            assert_int_equal(quota_take(q, kind, key_of(i, text), MAX, &hold), *count < MAX);
            assert_int_equal(hold.hash != 0, *count < MAX);
            if (hold.hash)
                holds[kind][i][(*count)++] = hold;
        } else if (*count > 0) {
            quota_release(q, &holds[kind][i][--*count]);
            assert_int_equal(holds[kind][i][*count].hash, 0);
        }
    }
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < KEY_COUNT; i++)
            while (counts[kind][i] > 0)
                quota_release(q, &holds[kind][i][--counts[kind][i]]);
    assert_int_equal(quota_keys(q), 0);
    quota_free(q);
}

static void releasing_nothing_has_no_effect(void **state)
{
    (void)state;
    struct quota *q = quota_new();
    struct quota_hold none = {0};
    quota_release(q, &none);
    quota_free(q);
    quota_free(NULL);
}

static void *take_and_release(void *arg)
{
    struct quota *q = arg;
    for (int i = 0; i < STEPS / 10; i++) {
        struct quota_hold hold = {0};
        char text[16];
        assert_true(quota_take(q, 0, key_of(i % 7, text), 4, &hold));
        quota_release(q, &hold);
    }
    return NULL;
}

static void threads_count_together(void **state)
{
    (void)state;
    struct quota *q = quota_new();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_release, q), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(quota_keys(q), 0);
    quota_free(q);
}

/* ---- shares ---- */

enum {
    SHARERS = 40,
    SHARED_MAX = 24
};

static uint32_t take_all(struct quota *q, int client, uint32_t max, struct quota_share *ret)
{
    char text[16];
    uint32_t taken = 0;
    while (quota_take_share(q, 0, SLICE_LITERAL("target"), key_of(client, text), max, &ret[taken]))
        taken++;
    return taken;
}

static void greedy_clients_leave_as_much_as_each_of_them_has(void **state)
{
    (void)state;
    struct quota *q = quota_new();
    static struct quota_share shares[5][1024];
    static const uint32_t half = 1024 / 2;
    struct quota_share modest;
    char text[16];
    uint32_t all = 1;
    assert_true(quota_take_share(q, 0, SLICE_LITERAL("target"), key_of(5, text), 1024, &modest));
    for (int client = 0; client < 5; client++) {
        uint32_t taken = take_all(q, client, 1024, shares[client]);
        assert_in_range(taken, client == 0 ? half : 1, half);
        assert_in_range(1024 - all - taken, taken - 2, taken + 1); /* free are as many */
        all += taken;
    }
    quota_release_share(q, &modest);
    for (int client = 0; client < 5; client++)
        for (int i = 0; i < 1024; i++)
            quota_release_share(q, &shares[client][i]);
    assert_int_equal(quota_keys(q), 0);
    quota_free(q);
}

static void a_client_without_a_share_gets_one_while_others_have_more(void **state)
{
    (void)state;
    struct quota *q = quota_new();
    struct quota_share shares[8][8] = {0};
    assert_int_equal(take_all(q, 0, 4, shares[0]), 4); /* alone it has all */
    for (int client = 1; client < 4; client++)
        assert_int_equal(take_all(q, client, 4, shares[client]), 1);
    assert_int_equal(take_all(q, 4, 4, shares[4]), 0); /* four clients have one at least */
    quota_release_share(q, &shares[0][0]);
    quota_release_share(q, &shares[0][1]);
    quota_release_share(q, &shares[0][2]);
    assert_int_equal(take_all(q, 4, 4, shares[4]), 0);
    quota_release_share(q, &shares[0][3]);
    assert_int_equal(take_all(q, 4, 4, shares[4]), 1);
    for (int client = 0; client < 8; client++)
        for (int i = 0; i < 8; i++)
            quota_release_share(q, &shares[client][i]);
    assert_int_equal(quota_keys(q), 0);
    quota_free(q);
}

static void random_shares_are_those_of_a_naive_count(void **state)
{
    (void)state;
    struct quota *q = quota_new();
    static struct quota_share shares[SHARERS][SHARED_MAX + 1];
    static uint32_t counts[SHARERS];
    uint32_t all = 0, sharers = 0;
    uint64_t seed = 20261129;
    char text[16];
    for (int step = 0; step < STEPS; step++) {
        uint64_t r = next_random(&seed);
        int i = (int)(r % SHARERS);
        uint32_t *count = &counts[i];
        if (r >> 40 & 1) {
            bool fits = *count <= SHARED_MAX - all || *count == all;
            bool may = *count ? all < SHARED_MAX && fits : sharers < SHARED_MAX;
            assert_int_equal(quota_take_share(q, 0, SLICE_LITERAL("origin"), key_of(i, text),
                                              SHARED_MAX, &shares[i][*count]),
                             may);
            sharers += may && *count == 0;
            *count += may;
            all += may;
            assert_true(all < 2 * SHARED_MAX);
        } else if (*count > 0) {
            quota_release_share(q, &shares[i][--*count]);
            sharers -= *count == 0;
            all--;
        }
    }
    for (int i = 0; i < SHARERS; i++)
        while (counts[i] > 0)
            quota_release_share(q, &shares[i][--counts[i]]);
    assert_int_equal(quota_keys(q), 0);
    quota_free(q);
}

static void many_are_taken_all_or_none(void **state)
{
    (void)state;
    struct quota *q = quota_new();
    struct quota_hold hold = quota_hold_of(0, SLICE_LITERAL("bytes"));
    assert_true(quota_take_many(q, &hold, 60, 100));
    assert_false(quota_take_many(q, &hold, 41, 100));
    assert_false(quota_take_many(q, &hold, UINT32_MAX, UINT32_MAX));
    assert_true(quota_take_many(q, &hold, 40, 100));
    assert_false(quota_take_many(q, &hold, 1, 50));
    assert_int_equal(quota_count(q, &hold), 100);
    quota_release_many(q, &hold, 99);
    assert_int_equal(quota_keys(q), 1);
    quota_release_many(q, &hold, 1);
    assert_int_equal(quota_keys(q), 0);
    quota_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_holds_are_those_of_a_naive_count),
        cmocka_unit_test(releasing_nothing_has_no_effect),
        cmocka_unit_test(threads_count_together),
        cmocka_unit_test(greedy_clients_leave_as_much_as_each_of_them_has),
        cmocka_unit_test(a_client_without_a_share_gets_one_while_others_have_more),
        cmocka_unit_test(random_shares_are_those_of_a_naive_count),
        cmocka_unit_test(many_are_taken_all_or_none),
    };
    return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
