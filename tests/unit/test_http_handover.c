/* SPDX-License-Identifier: MIT */
/* What leaves HTTP/1.1: a stream for another protocol, a request for another worker. */
#include "http/connection.h"
#include "http_harness.h"

static void no_recv(struct stream *s, struct bytes data)
{
    (void)s;
    (void)data;
}

static void no_end(struct stream *s, int error)
{
    (void)s;
    (void)error;
}

static const struct stream_ops no_ops = {no_recv, no_end, NULL};

static void upgrade(void)
{
    struct http_header headers[] = {{SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket")}};
    struct bytes rest;
    seen.upgraded = exchange_upgrade(seen.x, headers, 1, &rest);
    stream_own(seen.upgraded, &no_ops, NULL);
    seen.x = NULL;
    seen.rest_len = rest.len;
    if (rest.len > 0) {
        memcpy(seen.rest, rest.ptr, rest.len);
        memset(rest.ptr, 0xee, rest.len); /* it is ours */
    }
}

#define UPGRADING "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

static void handle_upgrade(struct exchange *x)
{
    (void)x;
    upgrade();
}

static void assert_upgraded(struct client *c, const char *rest)
{
    client_read(c);
    assert_status(c->text, 101);
    assert_has(c->text, "\r\nConnection: Upgrade\r\n");
    assert_has(c->text, "\r\nUpgrade: websocket\r\n");
    assert_string_equal(body_of(c->text), "");
    assert_int_equal(seen.rest_len, strlen(rest));
    assert_memory_equal(seen.rest, rest, seen.rest_len);
    assert_int_equal(server.counts.connections_now, 0);
    stream_write_slice(seen.upgraded, SLICE_LITERAL("raw"));
    assert_string_equal(hear(c), "raw");
}

static void the_stream_is_handed_over_at_once(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_upgrade;
    client_send(c, SLICE_LITERAL(UPGRADING));
    assert_upgraded(c, "");
    client_free(c);
}

static void the_stream_is_handed_over_with_what_follows(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_upgrade;
    client_send(c, SLICE_LITERAL(UPGRADING "frames"));
    assert_upgraded(c, "frames");
    client_free(c);
}

static void the_stream_is_handed_over_later(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    client_send(c, SLICE_LITERAL(UPGRADING "frames"));
    client_send(c, SLICE_LITERAL(" and more"));
    upgrade();
    turn_while_busy();
    assert_upgraded(c, "frames and more");
    client_free(c);
}

static void who_wants_another_protocol_and_goes_is_aborted(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    client_send(c, SLICE_LITERAL(UPGRADING));
    shutdown(c->fd, SHUT_WR);
    turn_while_busy();
    assert_int_equal(seen.aborts, 1);
    client_free(c);
}

static struct net_address seen_peer, seen_local;
static bool seen_secure;
static uint64_t seen_arrived_ms;

static void handle_passed(struct exchange *x)
{
    assert_int_equal(exchange_peer(x, &seen_peer), 0);
    assert_int_equal(exchange_local(x, &seen_local), 0);
    seen_secure = x->secure;
    seen_arrived_ms = exchange_arrived_ms(x);
    answer("passed");
}

static struct http_parcel parcel;
static int parcel_error;

static void handle_hand_over(struct exchange *x)
{
    parcel_error = exchange_hand_over(x, &parcel);
    if (parcel_error == 0)
        seen.x = NULL;
    else
        answer("stays");
}

static struct http_passed passed_by_other(void)
{
    struct http_passed passed = {.secure = true, .arrived_ms = 7};
    const char *why;
    net_address_parse(SLICE_LITERAL("192.0.2.7:1234"), &passed.peer, &why);
    net_address_parse(SLICE_LITERAL("192.0.2.1:443"), &passed.local, &why);
    return passed;
}

static void assert_as_passed(void)
{
    struct http_passed passed = passed_by_other();
    assert_memory_equal(&seen_peer.v4.sin_addr, &passed.peer.v4.sin_addr, 4);
    assert_int_equal(net_address_port(&seen_local), 443);
    assert_true(seen_secure);
    assert_int_equal(seen_arrived_ms, 7);
}

/* The end of a client's connection that another server holds. */
static int pass(void)
{
    int fds[2];
    struct http_passed passed = passed_by_other();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    http_accept_passed(&server, stream_new_known(loop, fds[0], NULL), &passed);
    return fds[1];
}

static void say_passed(int fd, char *text, size_t size)
{
    assert_true(write(fd, GET("/"), strlen(GET("/"))) > 0);
    turn_while_busy();
    ssize_t len = read(fd, text, size - 1);
    text[len > 0 ? len : 0] = '\0';
}

static void another_server_says_whose_the_connection_is(void **state)
{
    (void)state;
    char text[1000];
    int fd = pass();
    handle = handle_passed;
    say_passed(fd, text, sizeof(text));
    assert_has(text, "passed");
    assert_has(text, "\r\nConnection: close\r\n");
    assert_as_passed();
    close(fd);
    turn_while_busy();
    assert_int_equal(server.counts.connections_now, 0);
}

static void what_another_server_said_moves_with_the_request(void **state)
{
    (void)state;
    char text[1000];
    int fd = pass();
    handle = handle_hand_over;
    say_passed(fd, text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(parcel_error, 0);
    handle = handle_passed;
    http_adopt(&server, &parcel);
    turn_while_busy();
    assert_as_passed();
    close(fd);
    turn_while_busy();
}

static void a_request_moves_to_another_worker(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_hand_over;
    assert_string_equal(say(c, "\r\n" GET("/moved?q") "GET /ne"), "");
    assert_int_equal(parcel_error, 0);
    assert_int_equal(server.counts.connections_now, 0);
    say(c, "xt HTTP/1.1\r\nHost: a\r\n\r\n"); /* nobody reads it yet */
    handle = handle_at_once;
    http_adopt(&server, &parcel);
    const char *text = hear(c);
    assert_int_equal(count_text(text, "HTTP/1.1 200"), 2);
    assert_has(text, "\r\n\r\n/moved\n");
    assert_has(text, "\r\n\r\n/next\n");
    assert_int_equal(server.counts.requests, 2);
    client_free(c);
}

static void answer_with_peer(struct exchange *x)
{
    struct net_address peer;
    char text[NET_ADDRESS_TEXT_MAX] = "nobody";
    if (exchange_peer(x, &peer) == 0)
        net_address_print(&peer, text);
    answer(text);
}

/* The socket itself is of a pair, which has no such address. */
static void a_peer_that_was_known_when_it_was_accepted_is_not_asked_for(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.7:7", "[2001:db8::7]:7"};
    for (int i = 0; i < 2; i++) {
        struct net_address peer;
        const char *why;
        int fds[2];
        struct client *c = calloc(1, sizeof(*c));
        assert_int_equal(net_address_parse(slice_of(texts[i]), &peer, &why), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        c->fd = fds[0];
        http_accept(&server, stream_new_known(loop, fds[1], NULL), &peer);
        handle = answer_with_peer;
        client_send(c, SLICE_LITERAL(GET("/")));
        assert_has(hear(c), texts[i]);
        client_free(c);
    }
}

static void a_parcel_that_is_dropped_closes(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_hand_over;
    say(c, GET("/"));
    http_parcel_drop(&parcel);
    hear(c);
    assert_true(c->eof);
    client_free(c);
}

#define OPTIONS "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_request_moves_behind_an_answer_that_was_only_corked(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_hand_over;
    const char *text = say(c, OPTIONS GET("/moved"));
    assert_int_equal(parcel_error, 0);
    assert_int_equal(count_text(text, "HTTP/1.1 204"), 1);
    handle = handle_at_once;
    http_adopt(&server, &parcel);
    assert_has(hear(c), "\r\n\r\n/moved\n");
    client_free(c);
}

/* The client reads nothing: the answers before it are still on their way,
 * and it can't leave yet. */
static void a_request_behind_queued_output_stays(void **state)
{
    (void)state;
    struct client *c = client_new();
    struct list *first = server.connections.next;
    struct stream *stream = container_of(first, struct connection, node)->stream;
    int answers = 0;
    for (; stream_queued(stream) == 0; answers++)
        client_send(c, SLICE_LITERAL(OPTIONS));
    handle = handle_hand_over;
    client_send(c, SLICE_LITERAL(GET("/")));
    assert_int_equal(parcel_error, -EBUSY);
    const char *text = hear(c);
    assert_int_equal(count_text(text, "HTTP/1.1 "), answers + 1);
    assert_has(text, "\r\n\r\nstays\n");
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        http_test(the_stream_is_handed_over_at_once),
        http_test(the_stream_is_handed_over_with_what_follows),
        http_test(the_stream_is_handed_over_later),
        http_test(who_wants_another_protocol_and_goes_is_aborted),
        http_test(a_request_moves_to_another_worker),
        http_test(another_server_says_whose_the_connection_is),
        http_test(what_another_server_said_moves_with_the_request),
        http_test(a_peer_that_was_known_when_it_was_accepted_is_not_asked_for),
        http_test(a_parcel_that_is_dropped_closes),
        http_test(a_request_moves_behind_an_answer_that_was_only_corked),
        http_test(a_request_behind_queued_output_stays),
    };
    return run_on_every_backend("http_handover", tests);
}
