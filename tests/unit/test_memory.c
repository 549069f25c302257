/* SPDX-License-Identifier: MIT */
/* The budget for memory: accounts against a naive model, and who is let go at which bound. */
#include "limits/memory.h"

#include "every_backend.h"
#include "random.h"

#include "core/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define K (size_t)1024
#define M (1024 * K)

enum {
    DESKS = 2,
    HOLDERS = 40,
    PARTS = 3,
    STEPS = 20000
};

struct holder {
    struct memory_account account;
    size_t parts[PARTS];
    size_t recounted; /* what part 0 holds in truth, if not SIZE_MAX */
    int let_go;
    enum memory_cause cause;
    bool stays; /* gives nothing back */
};

static uint64_t now_ms;
static struct memory *memory;
static struct memory_desk desks[DESKS];
static struct holder holders[HOLDERS];

static uint64_t clock_of_test(void *arg)
{
    (void)arg;
    return now_ms;
}

static void on_let_go(struct memory_account *a, enum memory_cause cause)
{
    struct holder *h = container_of(a, struct holder, account);
    h->let_go++;
    h->cause = cause;
    if (!h->stays)
        memory_close(a);
}

static void on_recount(struct memory_account *a)
{
    struct holder *h = container_of(a, struct holder, account);
    if (h->recounted != SIZE_MAX)
        memory_hold(a, &h->parts[0], h->recounted);
}

static const struct memory_ops ops = {"test", on_let_go, on_recount};
static const struct memory_ops bound_by_nothing = {"test", NULL, on_recount};

static struct net_client_key key_of(const char *text)
{
    struct net_address address;
    const char *why;
    assert_int_equal(net_address_parse(slice_of(text), &address, &why), 0);
    return net_client_key_of(&address);
}

static struct holder *holds_on(int desk, int i, const char *client, size_t bytes)
{
    struct net_client_key key = client ? key_of(client) : (struct net_client_key){{0}};
    struct holder *h = &holders[i];
    *h = (struct holder){.recounted = SIZE_MAX};
    memory_open(&h->account, &desks[desk], &ops, client ? &key : NULL);
    memory_hold(&h->account, &h->parts[0], bytes);
    return h;
}

static struct holder *holds(int i, const char *client, size_t bytes)
{
    return holds_on(0, i, client, bytes);
}

static void turn(void)
{
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < DESKS; i++)
            assert_int_equal(loop_turn(desks[i].loop, 0), 0);
}

static void seconds_pass(unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        now_ms += 1000;
        turn();
    }
}

static int begin(void **state)
{
    (void)state;
    now_ms = 1000;
    memory = memory_new(&(struct memory_limits){.max = 100 * M, .per_client = 16 * M});
    for (int i = 0; i < DESKS; i++) {
        struct loop *loop = loop_new();
        loop_set_clock(loop, clock_of_test, NULL);
        memory_desk_init(&desks[i], memory, loop);
    }
    memset(holders, 0, sizeof(holders));
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < HOLDERS; i++)
        memory_close(&holders[i].account);
    turn();
    assert_int_equal(memory_bytes(memory), 0);
    assert_int_equal(memory_clients(memory), 0);
    for (int i = 0; i < DESKS; i++) {
        memory_desk_done(&desks[i]);
        loop_free(desks[i].loop);
    }
    memory_free(memory);
    return 0;
}

/* ---- what is counted ---- */

static size_t granules(size_t used)
{
    return used > MEMORY_FREE ? (used + MEMORY_GRANULE - 1) / MEMORY_GRANULE * MEMORY_GRANULE : 0;
}

static size_t used_by(const struct holder *h)
{
    size_t sum = 0;
    for (int i = 0; i < PARTS; i++)
        sum += h->parts[i];
    return sum;
}

static void random_parts_sum_up_as_in_a_naive_model(void **state)
{
    (void)state;
    static const char *const clients[] = {"1.2.3.4:1", "5.6.7.8:1", "[2001:db8:1:2::3]:1",
                                          "[2001:db8:1:3::3]:1", "[2001:db8:2::]:1"};
    uint64_t seed = 20261129;
    memory_set(memory, &(struct memory_limits){.max = SIZE_MAX / 8, .per_client = SIZE_MAX / 8});
    for (int i = 0; i < HOLDERS; i++)
        holds_on(i % DESKS, i, clients[random_below(&seed, COUNT_OF(clients))], 0);
    for (int step = 0; step < STEPS; step++) {
        struct holder *h = &holders[random_below(&seed, HOLDERS)];
        size_t size = random_below(&seed, (size_t)1 << random_below(&seed, 21));
        if (random_below(&seed, 50) == 0) {
            struct net_client_key key = key_of(clients[random_below(&seed, COUNT_OF(clients))]);
            memory_move(&h->account, &key);
        }
        memory_hold(&h->account, &h->parts[random_below(&seed, PARTS)], size);
        assert_int_equal(h->account.used, used_by(h));
        assert_true(h->account.used <= h->account.reserved + MEMORY_FREE);
        assert_true(h->account.reserved <= h->account.used + MEMORY_SLACK);
    }
    seconds_pass(1);
    size_t sum = 0;
    for (int i = 0; i < HOLDERS; i++) {
        assert_int_equal(holders[i].account.reserved, granules(used_by(&holders[i])));
        sum += holders[i].account.reserved;
    }
    assert_int_equal(memory_bytes(memory), sum);
}

static void what_holds_little_costs_nothing(void **state)
{
    (void)state;
    holds(0, "1.2.3.4:1", MEMORY_FREE);
    assert_int_equal(memory_bytes(memory), 0);
    assert_int_equal(memory_clients(memory), 0);
}

static void what_was_not_said_is_recounted_within_a_second(void **state)
{
    (void)state;
    struct holder *h = holds(0, "1.2.3.4:1", 10 * M);
    h->recounted = 1 * M;
    seconds_pass(1);
    assert_int_equal(memory_bytes(memory), 1 * M);
}

static void a_closed_account_counts_nothing_whatever_is_said(void **state)
{
    (void)state;
    struct holder *h = holds(0, "1.2.3.4:1", 1 * M);
    memory_close(&h->account);
    memory_hold(&h->account, &h->parts[0], 2 * M);
    memory_close(&h->account);
    assert_int_equal(memory_bytes(memory), 0);
}

/* ---- a client's share ---- */

static void above_its_share_a_client_loses_what_is_largest(void **state)
{
    (void)state;
    struct holder *others = holds(0, "5.6.7.8:1", 15 * M);
    struct holder *small = holds(1, "1.2.3.4:1", 1 * M), *large = holds(2, "1.2.3.4:1", 9 * M);
    struct holder *last = holds(3, "1.2.3.4:1", 8 * M);
    seconds_pass(6);
    assert_int_equal(large->let_go, 1);
    assert_int_equal(large->cause, MEMORY_CLIENT);
    assert_int_equal(others->let_go + small->let_go + last->let_go, 0);
    assert_int_equal(desks[0].let_go[MEMORY_CLIENT], 1);
}

static void of_equal_ones_the_oldest_goes(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++)
        holds(i, "1.2.3.4:1", 1 * M);
    holds(16, "1.2.3.4:1", 64 * K);
    seconds_pass(6);
    for (int i = 0; i < 17; i++)
        assert_int_equal(holders[i].let_go, i == 0);
}

static void one_that_moves_may_be_above_the_share(void **state)
{
    (void)state;
    struct holder *h = holds(0, "1.2.3.4:1", 30 * M);
    for (int i = 0; i < 20; i++) {
        memory_hold(&h->account, &h->parts[0], 30 * M + (i % 2) * 64 * K);
        seconds_pass(1);
    }
    assert_int_equal(h->let_go, 0);
    seconds_pass(4);
    assert_int_equal(h->let_go, 0);
    seconds_pass(2);
    assert_int_equal(h->let_go, 1); /* now it stands still */
}

static void what_moves_is_above_the_share_for_a_time_and_no_longer(void **state)
{
    (void)state;
    memory_set(memory, &(struct memory_limits){100 * M, 16 * M, .spared_ms = 10000});
    struct holder *h = holds(0, "1.2.3.4:1", 30 * M);
    for (int i = 0; i < 25; i++) {
        size_t above = i < 8 || i > 10 ? 30 * M : 1 * M; /* below it, its time begins anew */
        memory_hold(&h->account, &h->parts[0], above + (i % 2) * 64 * K);
        seconds_pass(1);
        assert_int_equal(h->let_go, i > 20);
    }
}

static void a_trickle_is_no_move(void **state)
{
    (void)state;
    struct holder *h = holds(0, "1.2.3.4:1", 17 * M);
    for (int i = 0; i < 7; i++) {
        memory_hold(&h->account, &h->parts[0], h->parts[0] + 1000);
        seconds_pass(1);
    }
    assert_int_equal(h->let_go, 1);
}

static void only_one_is_spared(void **state)
{
    (void)state;
    struct holder *first = holds(0, "1.2.3.4:1", 20 * M), *second = holds(1, "1.2.3.4:1", 17 * M);
    turn();
    assert_int_equal(first->let_go, 0);
    assert_int_equal(second->let_go, 1);
}

static void what_moves_and_is_far_too_large_goes_at_once(void **state)
{
    (void)state;
    struct holder *h = holds(0, "1.2.3.4:1", 65 * M);
    turn();
    assert_int_equal(h->let_go, 1);
}

static void the_networks_of_one_48_have_four_shares(void **state)
{
    (void)state;
    char client[64];
    for (int i = 0; i < 8; i++) {
        snprintf(client, sizeof(client), "[2001:db8:7:%d::1]:1", i);
        holds(i, client, 8 * M);
    }
    struct holder *elsewhere = holds(20, "[2001:db8:8::1]:1", 15 * M);
    seconds_pass(6);
    for (int i = 0; i < 8; i++)
        assert_int_equal(holders[i].let_go, 0);
    holds(8, "[2001:db8:7:99::1]:1", 1 * M);
    seconds_pass(6);
    assert_int_equal(holders[0].let_go, 1); /* the oldest of the largest */
    assert_int_equal(holders[1].let_go + holders[8].let_go + elsewhere->let_go, 0);
}

/* ---- the whole ---- */

static void at_the_whole_the_client_that_holds_most_pays(void **state)
{
    (void)state;
    char client[32];
    for (int i = 0; i < 9; i++) {
        snprintf(client, sizeof(client), "10.0.0.%d:1", i);
        holds(i, client, 10 * M);
    }
    struct holder *most = holds(9, "10.0.1.1:1", 9 * M), *rest = holds(10, "10.0.1.1:1", 4 * M);
    turn();
    assert_int_equal(most->let_go, 1);
    assert_int_equal(most->cause, MEMORY_WHOLE);
    assert_int_equal(rest->let_go, 0);
    for (int i = 0; i < 9; i++)
        assert_int_equal(holders[i].let_go, 0);
}

static void what_is_nobodys_is_bounded_by_the_whole_alone(void **state)
{
    (void)state;
    struct holder *h = holds(0, NULL, 99 * M);
    seconds_pass(10);
    assert_int_equal(h->let_go, 0);
    assert_true(memory_is_short(memory));
    memory_hold(&h->account, &h->parts[0], 101 * M);
    turn();
    assert_int_equal(h->let_go, 1);
    assert_false(memory_is_short(memory));
}

static void what_cannot_be_let_go_is_passed_over(void **state)
{
    (void)state;
    struct holder *fixed = holds(0, NULL, 0);
    fixed->account.ops = &bound_by_nothing;
    memory_hold(&fixed->account, &fixed->parts[0], 150 * M);
    struct holder *client = holds(1, "1.2.3.4:1", 1 * M);
    turn();
    assert_int_equal(fixed->let_go + client->let_go, 0);
}

/* ---- when ---- */

static struct io flooded[2];

/* What comes makes its client hold far too much. */
static void on_flood(struct io *io, struct bytes data)
{
    (void)data;
    holds((int)(io - flooded), "1.2.3.4:1", 70 * M);
    assert_true(memory_bytes(memory) < 71 * M);
}

static void on_flood_end(struct io *io, int error)
{
    (void)io, (void)error;
}

static const struct io_ops flood_ops = {.on_recv = on_flood, .on_end = on_flood_end};

static void nothing_more_is_read_before_a_bound_is_kept_again(void **state)
{
    (void)state;
    int ends[2][2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
        assert_int_equal(send(ends[i][1], "x", 1, 0), 1);
        assert_int_equal(io_open(desks[0].loop, &flooded[i], ends[i][0], &flood_ops, false), 0);
    }
    turn();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(holders[i].let_go, 1);
        io_close(&flooded[i]);
        close(ends[i][1]);
    }
}

/* ---- who acts ---- */

static void each_desk_lets_go_its_own(void **state)
{
    (void)state;
    struct holder *large = holds_on(1, 0, "1.2.3.4:1", 12 * M);
    holds_on(0, 1, "1.2.3.4:1", 11 * M);
    holds_on(0, 2, "1.2.3.4:1", 10 * M); /* only one of them is spared */
    struct holder *larger = holds_on(1, 3, "1.2.3.4:1", 13 * M);
    assert_int_equal(loop_turn(desks[0].loop, 0), 0);
    assert_int_equal(large->let_go, 0); /* it is not desk 0's to end */
    turn();
    assert_int_equal(larger->let_go, 0);
    assert_int_equal(large->let_go, 1);
    assert_int_equal(desks[1].let_go[MEMORY_CLIENT], 1);
}

static void who_is_told_to_go_and_stays_is_told_again_and_nobody_else_meanwhile(void **state)
{
    (void)state;
    struct holder *small = holds(1, "1.2.3.4:1", 1 * M), *large = holds(0, "1.2.3.4:1", 70 * M);
    large->stays = true;
    turn();
    assert_int_equal(large->let_go, 1);
    seconds_pass(3);
    assert_int_equal(large->let_go, 1);
    seconds_pass(3);
    assert_int_equal(large->let_go, 2);
    assert_int_equal(small->let_go, 0);
}

static void a_lower_share_holds_from_the_reload_on(void **state)
{
    (void)state;
    struct holder *h = holds(0, "1.2.3.4:1", 10 * M);
    seconds_pass(6);
    memory_set(memory, &(struct memory_limits){.max = 100 * M, .per_client = 8 * M});
    seconds_pass(1);
    assert_int_equal(h->let_go, 1);
}

static void the_machine_has_memory(void **state)
{
    (void)state;
    assert_true(memory_of_machine() >= 16 * M);
    assert_true(memory_of_machine() < SIZE_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(random_parts_sum_up_as_in_a_naive_model),
        TEST(what_holds_little_costs_nothing),
        TEST(what_was_not_said_is_recounted_within_a_second),
        TEST(a_closed_account_counts_nothing_whatever_is_said),
        TEST(above_its_share_a_client_loses_what_is_largest),
        TEST(of_equal_ones_the_oldest_goes),
        TEST(one_that_moves_may_be_above_the_share),
        TEST(what_moves_is_above_the_share_for_a_time_and_no_longer),
        TEST(a_trickle_is_no_move),
        TEST(only_one_is_spared),
        TEST(what_moves_and_is_far_too_large_goes_at_once),
        TEST(the_networks_of_one_48_have_four_shares),
        TEST(at_the_whole_the_client_that_holds_most_pays),
        TEST(what_is_nobodys_is_bounded_by_the_whole_alone),
        TEST(what_cannot_be_let_go_is_passed_over),
        TEST(nothing_more_is_read_before_a_bound_is_kept_again),
        TEST(each_desk_lets_go_its_own),
        TEST(who_is_told_to_go_and_stays_is_told_again_and_nobody_else_meanwhile),
        TEST(a_lower_share_holds_from_the_reload_on),
        TEST(the_machine_has_memory),
    };
    return run_on_every_backend("memory", tests);
}
