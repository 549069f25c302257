/* SPDX-License-Identifier: MIT */
/* Happy eyeballs, among addresses of loopback that accept, refuse or keep silent. */
#include "net_peer.h"

#include "net/listener.h"
#include "net/race.h"

#include <errno.h>

enum {
    SILENT_FDS = 3
};

static struct race race;
static int answers, result;

static int begin(void **state)
{
    answers = 0;
    return net_begin(state);
}

static void decided(struct race *r, int fd_or_error)
{
    assert_ptr_equal(r, &race);
    answers++;
    result = fd_or_error;
}

static int open_listener(struct net_address *ret)
{
    int fd;
    *ret = net_address_loopback(AF_INET, 0);
    assert_int_equal(listener_open(ret, &fd), 0);
    return fd;
}

static struct net_address refusing(void)
{
    struct net_address to;
    close(open_listener(&to));
    return to;
}

/* A listener whose queue is full drops what comes. */
struct silent {
    int listening, fds[SILENT_FDS];
    struct net_address address;
};

static void silent_open(struct silent *s)
{
    s->listening = open_listener(&s->address);
    assert_int_equal(listen(s->listening, 0), 0);
    for (int i = 0; i < SILENT_FDS; i++) {
        s->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(s->fds[i], &s->address.any, s->address.len);
    }
}

static void silent_close(struct silent *s)
{
    close(s->listening);
    for (int i = 0; i < SILENT_FDS; i++)
        close(s->fds[i]);
}

static void start(const struct net_address *addresses, size_t count, uint64_t timeout_ms)
{
    race_start(loop, &race, addresses, count, timeout_ms, decided);
    assert_int_equal(answers, 0);
}

static uint16_t peer_port(int fd)
{
    struct net_address a = {.len = sizeof(a.un)};
    assert_int_equal(getpeername(fd, &a.any, &a.len), 0);
    return net_address_port(&a);
}

static void a_refusal_goes_to_the_next_at_once(void **state)
{
    (void)state;
    struct net_address to[3] = {refusing(), refusing()};
    int listening = open_listener(&to[2]);
    uint64_t began = loop_now_ms(loop);
    start(to, 3, 10000);
    wait_for(answers);
    assert_true(result >= 0);
    assert_int_equal(peer_port(result), net_address_port(&to[2]));
    assert_true(loop_now_ms(loop) - began < 250);
    close(result);
    close(listening);
}

static void silence_lets_the_next_begin_after_a_quarter_of_a_second(void **state)
{
    (void)state;
    struct silent silent;
    silent_open(&silent);
    struct net_address to[2] = {silent.address};
    int listening = open_listener(&to[1]);
    uint64_t began = loop_now_ms(loop);
    start(to, 2, 10000);
    wait_for(answers);
    assert_true(result >= 0);
    assert_int_equal(peer_port(result), net_address_port(&to[1]));
    assert_true(loop_now_ms(loop) - began >= 250);
    close(result);
    close(listening);
    silent_close(&silent);
}

static void when_all_fail_the_last_failure_is_told_once(void **state)
{
    (void)state;
    struct silent silent;
    silent_open(&silent);
    start((struct net_address[]){silent.address, refusing()}, 2, 400);
    wait_for(answers);
    assert_int_equal(result, -ETIMEDOUT);
    loop_turn(loop, 0);
    assert_int_equal(answers, 1);
    silent_close(&silent);
}

static void a_stopped_one_tells_nothing(void **state)
{
    (void)state;
    struct silent silent;
    silent_open(&silent);
    start((struct net_address[]){silent.address, silent.address}, 2, 10000);
    loop_turn(loop, 0);
    race_stop(&race);
    race_stop(&race);
    struct race never = {.count = 0};
    race_stop(&never);
    start((struct net_address[]){refusing()}, 1, 10000);
    race_stop(&race);
    loop_turn(loop, 0);
    assert_int_equal(loop_wait_ms(loop), -1);
    assert_int_equal(answers, 0);
    silent_close(&silent);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, net_finish)
    const struct CMUnitTest tests[] = {
        TEST(a_refusal_goes_to_the_next_at_once),
        TEST(silence_lets_the_next_begin_after_a_quarter_of_a_second),
        TEST(when_all_fail_the_last_failure_is_told_once),
        TEST(a_stopped_one_tells_nothing),
    };
    return run_on_every_backend("race", tests);
}
