/* SPDX-License-Identifier: MIT */
#include "limits/programs.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct net_client_key client(unsigned number)
{
    struct net_client_key key = {{0}};
    memcpy(key.bytes, &number, sizeof(number));
    return key;
}

static void a_client_and_all_together_have_their_bounds(void **state)
{
    (void)state;
    struct program_limits *limits = program_limits_new(3, 2);
    struct net_client_key a = client(1), b = client(2);
    assert_true(program_limits_take(limits, &a));
    assert_true(program_limits_take(limits, &a));
    assert_false(program_limits_take(limits, &a));
    assert_true(program_limits_take(limits, &b));
    assert_false(program_limits_take(limits, &b)); /* all are out */
    program_limits_release(limits, &a);
    assert_true(program_limits_take(limits, &b));

    program_limits_set(limits, 100, 3);
    assert_true(program_limits_take(limits, &a));
    assert_true(program_limits_take(limits, &a));
    assert_false(program_limits_take(limits, &a));
    program_limits_free(limits);
}

static struct net_client_key household(uint8_t net, uint8_t of_it)
{
    return (struct net_client_key){{0x20, 1, 0x0d, 0xb8, 0, net, 0, of_it}};
}

static void the_nets_of_one_household_have_four_shares(void **state)
{
    (void)state;
    struct program_limits *limits = program_limits_new(100, 2);
    struct net_client_key neighbour = household(2, 0);
    for (uint8_t i = 0; i < 8; i++) {
        struct net_client_key key = household(1, i / 2);
        assert_true(program_limits_take(limits, &key));
    }
    struct net_client_key fresh = household(1, 77), one = household(1, 0);
    assert_false(program_limits_take(limits, &fresh));
    assert_true(program_limits_take(limits, &neighbour));
    program_limits_release(limits, &one);
    assert_true(program_limits_take(limits, &fresh));
    program_limits_free(limits);
}

/* Against a count by client: entries come and go, so that runs of the table are closed again. */
static void random_clients_against_a_plain_count(void **state)
{
    (void)state;
    enum {
        CLIENTS = 200,
        MAX = 300,
        EACH = 4
    };
    struct program_limits *limits = program_limits_new(64, EACH);
    unsigned counts[CLIENTS] = {0}, all = 0, max = 64;
    srandom(7);
    for (int i = 0; i < 200000; i++) {
        unsigned who = (unsigned)random() % CLIENTS;
        struct net_client_key key = client(who * 2654435761u);
        if (random() % 2) {
            bool expected = all < max && counts[who] < EACH;
            assert_int_equal(program_limits_take(limits, &key), expected);
            counts[who] += expected;
            all += expected;
        } else if (counts[who] > 0) {
            program_limits_release(limits, &key);
            counts[who]--;
            all--;
        }
        if (i == 100000) {
            max = MAX;
            program_limits_set(limits, MAX, EACH);
        }
    }
    program_limits_free(limits);
}

static void *take_and_release(void *arg)
{
    struct program_limits *limits = arg;
    for (unsigned i = 0; i < 20000; i++) {
        struct net_client_key key = client(i % 7);
        if (program_limits_take(limits, &key))
            program_limits_release(limits, &key);
    }
    return NULL;
}

static void workers_share_it(void **state)
{
    (void)state;
    struct program_limits *limits = program_limits_new(4, 1);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_release, limits), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 4; i++) {
        struct net_client_key key = client(i);
        assert_true(program_limits_take(limits, &key)); /* nothing was lost */
    }
    program_limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_and_all_together_have_their_bounds),
        cmocka_unit_test(the_nets_of_one_household_have_four_shares),
        cmocka_unit_test(random_clients_against_a_plain_count),
        cmocka_unit_test(workers_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
