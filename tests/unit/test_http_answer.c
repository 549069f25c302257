/* SPDX-License-Identifier: MIT */
/* Answers of HTTP/1.1 that are written piece by piece: lengths, headers, a client that is slow. */
#include "http/connection.h"
#include "http_harness.h"

static void an_answer_of_unknown_length_is_chunked(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/"));
    respond(200, EXCHANGE_LENGTH_UNKNOWN);
    exchange_write(seen.x, SLICE_LITERAL("hello"));
    exchange_write(seen.x, SLICE_LITERAL(""));
    const char *text = hear(c);
    assert_has(text, "\r\nTransfer-Encoding: chunked\r\n");
    assert_string_equal(body_of(text), "5\r\nhello\r\n");
    exchange_write(seen.x, SLICE_LITERAL("0123456789abcdef"));
    end_answer();
    assert_string_equal(hear(c), "10\r\n0123456789abcdef\r\n0\r\n\r\n");
    assert_false(c->eof);
    client_free(c);
}

static void to_http_1_0_an_unknown_length_ends_with_the_connection(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    respond(200, EXCHANGE_LENGTH_UNKNOWN);
    exchange_write(seen.x, SLICE_LITERAL("hello"));
    end_answer();
    const char *text = hear(c);
    assert_has_not(text, "chunked");
    assert_has(text, "\r\nConnection: close\r\n");
    assert_string_equal(body_of(text), "hello");
    assert_true(c->eof);
    client_free(c);
}

static void bytes_beyond_the_length_are_dropped(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/"));
    respond(200, 3);
    exchange_write(seen.x, SLICE_LITERAL("abcdef"));
    exchange_write(seen.x, SLICE_LITERAL("g"));
    end_answer();
    assert_string_equal(body_of(hear(c)), "abc");
    assert_false(c->eof);
    client_free(c);
}

static void an_answer_that_is_too_short_closes(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/1") GET("/2"));
    respond(200, 10);
    exchange_write(seen.x, SLICE_LITERAL("abc"));
    end_answer();
    assert_string_equal(body_of(hear(c)), "abc");
    assert_true(c->eof);
    assert_int_equal(seen.requests, 1);
    client_free(c);
}

static void a_failed_answer_has_no_proper_end(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/"));
    respond(200, EXCHANGE_LENGTH_UNKNOWN);
    exchange_write(seen.x, SLICE_LITERAL("abc"));
    exchange_fail(seen.x);
    seen.x = NULL;
    assert_string_equal(body_of(hear(c)), "3\r\nabc\r\n");
    assert_true(c->eof);
    assert_int_equal(seen.aborts, 0);
    client_free(c);
}

static void statuses_without_a_body_have_none(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    static const int statuses[] = {204, 304};
    for (size_t i = 0; i < 2; i++) {
        say(c, GET("/"));
        respond(statuses[i], EXCHANGE_LENGTH_UNKNOWN);
        exchange_write(seen.x, SLICE_LITERAL("not for you"));
        end_answer();
        const char *text = hear(c);
        assert_status(text, statuses[i]);
        assert_has_not(text, "Content-Length");
        assert_has_not(text, "Transfer-Encoding");
        assert_string_equal(body_of(text), "");
    }
    client_free(c);
}

static void a_header_that_would_break_lines_is_not_sent(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/"));
    struct http_header headers[] = {
        {SLICE_LITERAL("X-A"), SLICE_LITERAL("1\r\nX-Evil: 1")},
        {SLICE_LITERAL("X B"), SLICE_LITERAL("2")},
        {SLICE_LITERAL("Content-Length"), SLICE_LITERAL("77")},
        {SLICE_LITERAL("X-Good"), SLICE_LITERAL("3")},
    };
    exchange_respond(seen.x, 299, SLICE_LITERAL("Fine\r\nX-Evil: 2"), headers, 4, 0);
    end_answer();
    const char *text = hear(c);
    assert_has_not(text, "X-Evil");
    assert_has_not(text, "X B");
    assert_has_not(text, "77");
    assert_has(text, "\r\nX-Good: 3\r\n");
    client_free(c);
}

static void many_and_long_headers_fit(void **state)
{
    (void)state;
    struct client *c = client_new();
    struct http_header headers[HTTP_HEADERS_MAX];
    char value[1000];
    memset(value, 'v', sizeof(value));
    for (size_t i = 0; i < HTTP_HEADERS_MAX; i++)
        headers[i] =
            (struct http_header){SLICE_LITERAL("X-Long"), slice_make(value, sizeof(value))};
    handle = handle_later;
    say(c, GET("/"));
    exchange_respond(seen.x, 200, SLICE_NONE, headers, HTTP_HEADERS_MAX, 2);
    exchange_write(seen.x, SLICE_LITERAL("ok"));
    end_answer();
    assert_int_equal(count_text(hear(c), "X-Long: vvv"), HTTP_HEADERS_MAX);
    assert_string_equal(body_of(c->text), "ok");
    client_free(c);
}

static void a_writer_is_told_to_wait_and_to_go_on(void **state)
{
    (void)state;
    struct client *c = client_new();
    char *data = calloc(1, 30000);
    handle = handle_later;
    say(c, GET("/"));
    respond(200, EXCHANGE_LENGTH_UNKNOWN);
    size_t written = 0;
    bool more = true;
    while (more) {
        more = exchange_write(seen.x, slice_make(data, 30000));
        written += 30000;
        assert_true(written < 2000000);
        turn_while_busy();
    }
    assert_int_equal(seen.writables, 0);
    for (size_t got = 0; seen.writables == 0; got = c->len) {
        client_read(c);
        turn_while_busy();
        assert_true(c->len > got || seen.writables > 0);
    }
    assert_int_equal(seen.writables, 1);
    end_answer();
    turn_while_busy();
    client_read(c);
    assert_true(c->len > written);
    assert_string_equal(c->text + c->len - 5, "0\r\n\r\n");
    free(data);
    client_free(c);
}

/* A client that asks for much and reads nothing gets one answer's worth of our memory. */
static void the_next_request_waits_until_a_long_answer_has_left(void **state)
{
    (void)state;
    struct client *c = client_new();
    char *data = calloc(1, 1000000);
    handle = handle_later;
    client_send(c, SLICE_LITERAL(GET("/1") GET("/2")));
    respond(200, 1000000);
    exchange_write(seen.x, slice_make(data, 1000000));
    end_answer();
    turn_while_busy();
    assert_int_equal(seen.requests, 1);
    for (size_t got = SIZE_MAX; c->len != got;) {
        got = c->len;
        client_read(c);
        turn_while_busy();
    }
    assert_int_equal(seen.requests, 2);
    answer("two");
    turn_while_busy();
    client_read(c);
    assert_string_equal(c->text + c->len - 4, "two\n");
    free(data);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        http_test(an_answer_of_unknown_length_is_chunked),
        http_test(to_http_1_0_an_unknown_length_ends_with_the_connection),
        http_test(bytes_beyond_the_length_are_dropped),
        http_test(an_answer_that_is_too_short_closes),
        http_test(a_failed_answer_has_no_proper_end),
        http_test(statuses_without_a_body_have_none),
        http_test(a_header_that_would_break_lines_is_not_sent),
        http_test(many_and_long_headers_fit),
        http_test(a_writer_is_told_to_wait_and_to_go_on),
        http_test(the_next_request_waits_until_a_long_answer_has_left),
    };
    return run_on_every_backend("http_answer", tests);
}
