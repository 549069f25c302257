/* SPDX-License-Identifier: MIT */
/* Connecting, without blocking. */
#include "net_peer.h"

#include "net/connector.h"
#include "net/listener.h"

#include <errno.h>
#include <netinet/tcp.h>

struct attempt {
    struct connector connector;
    int answers, result;
};

static void connected(struct connector *c, int fd_or_error)
{
    struct attempt *a = container_of(c, struct attempt, connector);
    a->answers++;
    a->result = fd_or_error;
}

static void try(struct attempt *a, const struct net_address *to, uint64_t timeout_ms)
{
    *a = (struct attempt){.answers = 0};
    connector_start(loop, &a->connector, to, timeout_ms, connected);
    assert_int_equal(a->answers, 0);
}

static int open_listener(const char *text, struct net_address *ret)
{
    int fd;
    *ret = address_of(text);
    assert_int_equal(listener_open(ret, &fd), 0);
    return fd;
}

static void check_connects(const char *text)
{
    struct net_address to;
    int listening = open_listener(text, &to);
    struct attempt a;
    try(&a, &to, 10000);
    wait_for(a.answers);
    assert_true(a.result >= 0);
    int accepted = accept(listening, NULL, NULL);
    assert_true(accepted >= 0);

    struct peer p = {0};
    peer_own(&p, stream_new(loop, a.result, NULL));
    assert_int_equal(write(accepted, "welcome", 7), 7);
    wait_for(peer_got(&p, "welcome"));
    assert_int_equal(a.answers, 1);
    assert_int_equal(fcntl(a.result, F_GETFD), FD_CLOEXEC);
    peer_done(&p);
    close(accepted);
    close(listening);
    listener_unlink(&to);
}

static void it_connects_to_every_kind_of_address(void **state)
{
    (void)state;
    check_connects("127.0.0.1:0");
    check_connects("[::1]:0");
    check_connects("unix:/tmp/connector-test.sock");
}

static void what_is_connected_does_not_wait_to_fill_segments(void **state)
{
    (void)state;
    struct net_address to;
    int listening = open_listener("127.0.0.1:0", &to), nodelay = 0;
    struct attempt a;
    try(&a, &to, 10000);
    wait_for(a.answers);
    getsockopt(a.result, IPPROTO_TCP, TCP_NODELAY, &nodelay, &(socklen_t){sizeof(nodelay)});
    assert_true(nodelay);
    close(a.result);
    close(listening);
}

static void a_refusal_is_told(void **state)
{
    (void)state;
    struct net_address to;
    close(open_listener("127.0.0.1:0", &to));
    struct attempt a;
    try(&a, &to, 10000);
    wait_for(a.answers);
    assert_int_equal(a.result, -ECONNREFUSED);
    to = address_of("unix:/no/such/socket");
    try(&a, &to, 10000);
    wait_for(a.answers);
    assert_int_equal(a.result, -ENOENT);
    to = address_of("255.255.255.255:1");
    try(&a, &to, 10000);
    wait_for(a.answers);
    assert_true(a.result < 0);
    loop_turn(loop, 0);
    assert_int_equal(a.answers, 1);
}

/* A listener whose queue is full drops what comes, as an address that nobody answers for. */
static void fill_queue(const struct net_address *to, int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fds[i], &to->any, to->len);
    }
}

static void silence_ends_at_the_time_limit(void **state)
{
    (void)state;
    struct net_address to;
    int listening = open_listener("127.0.0.1:0", &to), fds[3];
    assert_int_equal(listen(listening, 0), 0);
    fill_queue(&to, fds, 3);
    struct attempt a, cancelled;
    uint64_t began = loop_now_ms(loop);
    try(&cancelled, &to, 10);
    connector_cancel(&cancelled.connector);
    try(&a, &to, 30);
    wait_for(a.answers);
    assert_int_equal(a.result, -ETIMEDOUT);
    assert_true(loop_now_ms(loop) - began >= 30);
    assert_int_equal(cancelled.answers, 0);
    connector_cancel(&a.connector); /* allowed after the answer */
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    close(listening);
}

static void an_answer_that_is_known_can_be_cancelled(void **state)
{
    (void)state;
    struct net_address to;
    int listening = open_listener("unix:/tmp/connector-test.sock", &to);
    struct attempt a;
    try(&a, &to, 10000);
    connector_cancel(&a.connector);
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    assert_int_equal(a.answers, 0);
    close(listening);
    listener_unlink(&to);
}

int main(void)
{
#define TEST(name) net_test(name)
    const struct CMUnitTest tests[] = {
        TEST(it_connects_to_every_kind_of_address),
        TEST(what_is_connected_does_not_wait_to_fill_segments),
        TEST(a_refusal_is_told),
        TEST(silence_ends_at_the_time_limit),
        TEST(an_answer_that_is_known_can_be_cancelled),
    };
    return run_on_every_backend("connector", tests);
}
