/* SPDX-License-Identifier: MIT */
#include "limits/programs.h"

#include "every_backend.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- a world of programs ---- */

enum {
    PLACES = 400
};

static struct program_limits *limits;
static struct room_desk desk;
static struct loop *loop;
static struct room_place places[PLACES];
static unsigned given_up[PLACES];

static int begin(void **state)
{
    (void)state;
    memset(places, 0, sizeof(places));
    memset(given_up, 0, sizeof(given_up));
    limits = program_limits_new(3, 2);
    loop = loop_new();
    room_desk_init(&desk, program_limits_room(limits), loop);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < PLACES; i++)
        room_release(&places[i]);
    loop_turn(loop, 0);
    loop_free(loop);
    program_limits_free(limits);
    return 0;
}

static struct net_client_key client(unsigned number)
{
    struct net_client_key key = {{0}};
    memcpy(key.bytes + 12, &number, sizeof(number)); /* as of IPv4 */
    return key;
}

static bool takes(unsigned who, int place)
{
    struct net_client_key key = client(who);
    return program_limits_take(limits, &desk, &key, &places[place]);
}

static void note(void *owner)
{
    ++*(unsigned *)owner;
}

static void leaves(int place, enum room_claim claim)
{
    room_idle(&places[place], claim, note, &given_up[place]);
}

/* ---- counts ---- */

static void a_client_and_all_together_have_their_bounds(void **state)
{
    (void)state;
    assert_true(takes(1, 0));
    assert_true(takes(1, 1));
    assert_false(takes(1, 2));
    assert_true(takes(2, 2));
    assert_false(takes(2, 3)); /* all are out */
    room_release(&places[0]);
    assert_true(takes(2, 3));

    program_limits_set(limits, 100, 3);
    assert_true(takes(1, 0));
    assert_true(takes(1, 4));
    assert_false(takes(1, 5));
}

static void the_nets_of_one_household_have_four_shares(void **state)
{
    (void)state;
    struct net_client_key key = {{0x20, 1, 0x0d, 0xb8, 0, 1}};
    struct net_client_key neighbour = {{0x20, 1, 0x0d, 0xb8, 0, 2}};
    program_limits_set(limits, 100, 2);
    for (int i = 0; i < 8; i++) {
        key.bytes[7] = (uint8_t)(i / 2);
        assert_true(program_limits_take(limits, &desk, &key, &places[i]));
    }
    key.bytes[7] = 77;
    assert_false(program_limits_take(limits, &desk, &key, &places[8]));
    assert_true(program_limits_take(limits, &desk, &neighbour, &places[9]));
    room_release(&places[0]);
    assert_true(program_limits_take(limits, &desk, &key, &places[8]));
}

/* Against a count by client: entries come and go, so that runs of the table are closed again. */
static void random_clients_against_a_plain_count(void **state)
{
    (void)state;
    enum {
        CLIENTS = 100,
        EACH = 4
    };
    unsigned counts[CLIENTS] = {0}, all = 0, max = 64;
    program_limits_set(limits, max, EACH);
    srandom(7);
    for (int i = 0; i < 200000; i++) {
        unsigned who = (unsigned)random() % CLIENTS;
        int first = (int)who * EACH;
        if (random() % 2) {
            bool expected = all < max && counts[who] < EACH;
            int at = counts[who] < EACH ? first + (int)counts[who] : 0;
            if (counts[who] < EACH)
                assert_int_equal(takes(who * 2654435761u, at), expected);
            counts[who] += expected;
            all += expected;
        } else if (counts[who] > 0) {
            room_release(&places[first + (int)--counts[who]]);
            all--;
        }
        if (i == 100000)
            program_limits_set(limits, max = 300, EACH);
    }
}

static void *take_and_release(void *arg)
{
    struct room_place place = {0};
    (void)arg;
    for (unsigned i = 0; i < 20000; i++) {
        struct net_client_key key = client(i % 7);
        if (program_limits_take(limits, &desk, &key, &place))
            room_release(&place);
    }
    return NULL;
}

static void workers_share_it(void **state)
{
    (void)state;
    pthread_t threads[4];
    program_limits_set(limits, 4, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_release, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++)
        assert_true(takes((unsigned)i, i)); /* nothing was lost */
}

/* ---- who gives way ---- */

static void who_did_nothing_gives_way_at_once_and_is_told_later(void **state)
{
    (void)state;
    assert_true(takes(1, 0) && takes(1, 1) && takes(2, 2));
    leaves(0, ROOM_USED);
    leaves(1, ROOM_UNUSED);
    assert_true(takes(3, 3));
    assert_int_equal(given_up[1], 0); /* never inside of another one's call */
    loop_turn(loop, 0);
    assert_int_equal(given_up[1], 1);
    assert_int_equal(given_up[0] + given_up[2], 0);
    assert_false(takes(4, 4)); /* an eighth, and one, may be going */
    room_release(&places[1]);
    assert_true(takes(4, 4));
    loop_turn(loop, 0);
    assert_int_equal(given_up[0], 1);
}

static void at_a_clients_own_limit_only_his_own_give_way(void **state)
{
    (void)state;
    assert_true(takes(2, 2));
    leaves(2, ROOM_UNUSED);
    assert_true(takes(1, 0) && takes(1, 1));
    assert_false(takes(1, 3));
    leaves(1, ROOM_USED);
    assert_true(takes(1, 3));
    loop_turn(loop, 0);
    assert_int_equal(given_up[1], 1);
    assert_int_equal(given_up[2], 0);
}

static void nobody_gives_way_to_a_client_that_has_more(void **state)
{
    (void)state;
    program_limits_set(limits, 3, 3);
    assert_true(takes(1, 0) && takes(1, 1) && takes(2, 2));
    leaves(2, ROOM_UNUSED);
    assert_false(takes(1, 3));
    assert_true(takes(3, 3));
}

static void who_comes_back_in_that_instant_stays(void **state)
{
    (void)state;
    assert_true(takes(1, 0) && takes(1, 1) && takes(2, 2));
    leaves(0, ROOM_UNUSED);
    assert_true(takes(3, 3));
    room_busy(&places[0]);
    loop_turn(loop, 0);
    assert_int_equal(given_up[0], 0);
    room_release(&places[1]);
    assert_false(takes(4, 4)); /* there are three */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(a_client_and_all_together_have_their_bounds),
        T(the_nets_of_one_household_have_four_shares),
        T(random_clients_against_a_plain_count),
        T(workers_share_it),
        T(who_did_nothing_gives_way_at_once_and_is_told_later),
        T(at_a_clients_own_limit_only_his_own_give_way),
        T(nobody_gives_way_to_a_client_that_has_more),
        T(who_comes_back_in_that_instant_stays),
    };
    return run_on_every_backend("program_limits", tests);
}
