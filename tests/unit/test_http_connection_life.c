/* SPDX-License-Identifier: MIT */
/* How HTTP/1.1 connections end: time, clients that go, limits, the end of the server. */
#include "http/connection.h"
#include "http_harness.h"

/* ---- time ---- */

static void a_slow_head_is_told_so(void **state)
{
    (void)state;
    struct client *c = client_new();
    say(c, "GET / HT");
    for (int i = 0; i < 9; i++) { /* a byte now and then does not help */
        pass_time(1000);
        client_send(c, SLICE_LITERAL("T"));
    }
    assert_int_equal(c->len, 0);
    pass_time(1000);
    client_read(c);
    assert_status(c->text, 408);
    assert_true(c->eof);
    assert_int_equal(server.counts.timeouts, 1);
    client_free(c);
}

static void an_idle_connection_closes_silently(void **state)
{
    (void)state;
    struct client *c = client_new();
    pass_time(29999);
    client_read(c);
    assert_false(c->eof);
    assert_status(say(c, GET("/")), 200);
    pass_time(29999);
    assert_status(say(c, GET("/")), 200);
    c->len = 0;
    pass_time(30000);
    client_read(c);
    assert_true(c->eof);
    assert_int_equal(c->len, 0);
    assert_int_equal(server.counts.timeouts, 0);
    client_free(c);
}

static void a_body_that_stops_coming_is_told_so(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
    pass_time(19999);
    say(c, "def");
    pass_time(19999);
    assert_int_equal(seen.aborts, 0);
    pass_time(1);
    assert_int_equal(seen.aborts, 1);
    client_read(c);
    assert_status(c->text, 408);
    client_free(c);
}

static void a_slow_handler_has_all_the_time(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/"));
    pass_time(3600000);
    answer("at last");
    assert_string_equal(body_of(hear(c)), "at last\n");
    client_free(c);
}

static void a_client_that_reads_nothing_is_given_up(void **state)
{
    (void)state;
    struct client *c = client_new();
    char *data = calloc(1, 1000000);
    handle = handle_later;
    client_send(c, SLICE_LITERAL(GET("/")));
    respond(200, 2000000);
    exchange_write(seen.x, slice_make(data, 1000000));
    pass_time(40000);
    assert_int_equal(seen.aborts, 0); /* the first look */
    pass_time(40000);
    assert_int_equal(seen.aborts, 1);
    assert_int_equal(server.counts.timeouts, 1);
    assert_int_equal(server.counts.connections_now, 0);
    free(data);
    client_free(c);
}

static void a_client_that_reads_slowly_gets_everything(void **state)
{
    (void)state;
    struct client *c = client_new();
    char *data = calloc(1, 1000000);
    handle = handle_later;
    client_send(c, SLICE_LITERAL(GET("/")));
    respond(200, 1000000);
    exchange_write(seen.x, slice_make(data, 1000000));
    end_answer();
    while (c->len < 1000000) {
        ssize_t n = recv(c->fd, c->text + c->len, 30000, 0);
        assert_true(n > 0);
        c->len += (size_t)n;
        pass_time(39000);
    }
    assert_int_equal(server.counts.timeouts, 0);
    free(data);
    client_free(c);
}

/* ---- clients that go ---- */

static void a_client_that_reads_a_little_now_and_then_is_given_up(void **state)
{
    (void)state;
    struct client *c = client_new();
    char *body = calloc(1, 4 << 20), little[250];
    handle = handle_later;
    say(c, GET("/"));
    respond(200, 4 << 20);
    exchange_write(seen.x, slice_make(body, 4 << 20));
    int seconds = 0;
    for (; seen.aborts == 0 && seconds < 200; seconds++) {
        assert_int_equal(recv(c->fd, little, sizeof(little), 0), sizeof(little));
        pass_time(1000);
    }
    assert_in_range(seconds, 40, 90);
    free(body);
    client_free(c);
}

static void a_body_that_trickles_is_told_so(void **state)
{
    (void)state;
    struct client *c = client_new();
    char little[250] = {0};
    handle = handle_later;
    say(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    int seconds = 0;
    for (; seen.aborts == 0 && seconds < 100; seconds++) {
        client_send(c, slice_make(little, sizeof(little)));
        pass_time(1000);
    }
    assert_in_range(seconds, 20, 22);
    client_read(c);
    assert_status(c->text, 408);
    client_free(c);
}

static void a_body_in_bursts_is_as_good_as_a_steady_one(void **state)
{
    (void)state;
    struct client *c = client_new();
    char burst[20000] = {0};
    handle = handle_later;
    say(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        client_send(c, slice_make(burst, sizeof(burst)));
        pass_time(19000);
    }
    assert_int_equal(seen.aborts, 0);
    assert_int_equal(seen.ends, 1);
    answer("all");
    client_free(c);
}

static void a_client_that_goes_aborts_its_exchange(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
    client_free(c);
    assert_int_equal(seen.aborts, 1);
    assert_int_equal(server.counts.connections_now, 0);
}

static void a_client_may_end_its_side_and_wait_for_the_answer(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/"));
    shutdown(c->fd, SHUT_WR);
    turn_while_busy();
    assert_int_equal(seen.aborts, 0);
    answer("still here");
    assert_string_equal(body_of(hear(c)), "still here\n");
    assert_has(c->text, "\r\nConnection: close\r\n");
    assert_true(c->eof);
    assert_int_equal(server.counts.connections_now, 0);
    client_free(c);
}

static struct client *half_closes(const char *request, size_t len)
{
    struct client *c = client_new();
    handle = handle_later;
    client_send(c, slice_make(request, len));
    turn_while_busy();
    shutdown(c->fd, SHUT_WR);
    turn_while_busy();
    return c;
}

/* In steps as small as those of real time. */
static void wait_ms(uint64_t ms)
{
    for (; ms > 0; ms -= 100)
        pass_time(100);
}

static void a_client_that_has_ended_its_side_gets_what_comes_soon(void **state)
{
    (void)state;
    struct client *c = half_closes(GET("/"), strlen(GET("/")));
    wait_ms(4000);
    respond(200, 1000);
    for (int i = 1; i <= 5; i++) {
        exchange_write(seen.x, SLICE_LITERAL("x"));
        wait_ms(4000);
        assert_int_equal(seen.aborts, 0);
        assert_in_range(exchange_departed_ms(seen.x), 4000 * i + 3900, 4000 * i + 4100);
    }
    wait_ms(3000);
    assert_int_equal(seen.aborts, 1);
    client_free(c);
}

static void a_client_that_leaves_a_silent_answer_is_noticed(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/"));
    respond(200, EXCHANGE_LENGTH_UNKNOWN);
    exchange_write(seen.x, SLICE_LITERAL("half"));
    hear(c);
    shutdown(c->fd, SHUT_WR);
    wait_ms(4900);
    assert_int_equal(seen.aborts, 0);
    wait_ms(700);
    assert_int_equal(seen.aborts, 1);
    assert_int_equal(server.counts.connections_now, 0);
    client_free(c);
}

static void a_client_that_leaves_an_upload_which_nobody_reads_is_noticed(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
    exchange_pause(seen.x);
    shutdown(c->fd, SHUT_WR);
    wait_ms(7000);
    assert_int_equal(seen.aborts, 1);
    client_free(c);
}

static void half_a_head_and_the_end_is_nothing(void **state)
{
    (void)state;
    struct client *c = client_new();
    say(c, "GET / HTTP/1.1\r\nHo");
    shutdown(c->fd, SHUT_WR);
    hear(c);
    assert_true(c->eof);
    assert_int_equal(c->len, 0);
    assert_int_equal(server.counts.connections_now, 0);
    client_free(c);
}

/* ---- limits and ends of the server ---- */

static void a_connection_too_many_is_told_so(void **state)
{
    (void)state;
    limits.connections_max = 2;
    struct client *a = client_new(), *b = client_new(), *c = client_new();
    const char *text = hear(c);
    assert_status(text, 503);
    assert_has(text, "\r\nRetry-After: 1\r\n");
    assert_true(c->eof);
    assert_int_equal(server.counts.refused, 1);
    assert_status(say(a, GET("/")), 200);
    client_free(c);
    client_free(b);
    struct client *d = client_new();
    assert_status(say(d, GET("/")), 200);
    client_free(d);
    client_free(a);
}

static void a_flood_of_connections_is_bounded(void **state)
{
    (void)state;
    enum {
        FLOOD = 200
    };
    struct client *clients[FLOOD];
    limits.connections_max = 10;
    for (int i = 0; i < FLOOD; i++)
        clients[i] = client_new();
    turn_while_busy();
    assert_int_equal(server.counts.connections_now, 10 + 64);
    assert_int_equal(server.counts.refused, FLOOD - 10);
    pass_time(5000);
    assert_int_equal(server.counts.connections_now, 10);
    for (int i = 0; i < FLOOD; i++)
        client_free(clients[i]);
}

static void draining_closes_idle_connections_and_lets_answers_finish(void **state)
{
    (void)state;
    struct client *idle = client_new(), *busy = client_new();
    assert_status(say(idle, GET("/")), 200);
    handle = handle_later;
    say(busy, GET("/"));
    http_server_drain(&server);
    hear(idle);
    assert_true(idle->eof);
    answer("last words");
    assert_has(hear(busy), "\r\nConnection: close\r\n");
    assert_true(busy->eof);
    client_free(idle);
    client_free(busy);
    assert_int_equal(server.counts.connections_now, 0);
}

static void draining_gives_a_new_connection_the_time_for_a_request(void **state)
{
    (void)state;
    struct client *asks = client_new(), *silent = client_new(), *next = client_new();
    assert_status(say(next, GET("/")), 200);
    assert_true(send(next->fd, GET("/"), strlen(GET("/")), 0) > 0);
    http_server_drain(&server);
    pass_time(900);
    assert_status(say(asks, GET("/")), 200);
    assert_has(asks->text, "\r\nConnection: close\r\n");
    assert_false(silent->eof);
    pass_time(200);
    hear(silent);
    assert_true(silent->eof);
    hear(next);
    assert_has(next->text, "\r\nConnection: close\r\n");
    client_free(asks);
    client_free(silent);
    client_free(next);
}

static void stopping_aborts_what_is_open(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/"));
    http_server_stop(&server);
    assert_int_equal(seen.aborts, 1);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        http_test(a_slow_head_is_told_so),
        http_test(an_idle_connection_closes_silently),
        http_test(a_body_that_stops_coming_is_told_so),
        http_test(a_slow_handler_has_all_the_time),
        http_test(a_client_that_reads_nothing_is_given_up),
        http_test(a_client_that_reads_slowly_gets_everything),
        http_test(a_client_that_reads_a_little_now_and_then_is_given_up),
        http_test(a_body_that_trickles_is_told_so),
        http_test(a_body_in_bursts_is_as_good_as_a_steady_one),
        http_test(a_client_that_goes_aborts_its_exchange),
        http_test(a_client_may_end_its_side_and_wait_for_the_answer),
        http_test(a_client_that_has_ended_its_side_gets_what_comes_soon),
        http_test(a_client_that_leaves_a_silent_answer_is_noticed),
        http_test(a_client_that_leaves_an_upload_which_nobody_reads_is_noticed),
        http_test(half_a_head_and_the_end_is_nothing),
        http_test(a_connection_too_many_is_told_so),
        http_test(a_flood_of_connections_is_bounded),
        http_test(draining_closes_idle_connections_and_lets_answers_finish),
        http_test(draining_gives_a_new_connection_the_time_for_a_request),
        http_test(stopping_aborts_what_is_open),
    };
    return run_on_every_backend("http_connection_life", tests);
}
