/* SPDX-License-Identifier: MIT */
/* Bodies of HTTP/1.1 requests: of known length and chunked, unwanted, paused, awaited. */
#include "http/connection.h"
#include "http_harness.h"

/* ---- bodies ---- */

static void a_body_of_known_length_arrives(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    assert_int_equal(seen.ends, 0);
    say(c, "56789" GET("/next"));
    assert_int_equal(seen.ends, 1);
    assert_int_equal(seen.body_len, 10);
    assert_memory_equal(seen.body, "0123456789", 10);
    handle = handle_at_once;
    answer("done");
    const char *text = hear(c);
    assert_int_equal(count_text(text, "HTTP/1.1 200"), 2);
    client_free(c);
}

static void an_empty_body_ends_once(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/"));
    assert_int_equal(seen.ends, 1);
    assert_int_equal(seen.bodies, 0);
    answer("x");
    say(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(seen.ends, 1);
    answer("y");
    client_free(c);
}

static void a_chunked_body_arrives(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
           "3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n");
    assert_int_equal(seen.ends, 1);
    assert_int_equal(seen.body_len, 13);
    assert_memory_equal(seen.body, "abc0123456789", 13);
    answer("ok");
    assert_status(hear(c), 200);
    assert_false(c->eof);
    client_free(c);
}

static void a_broken_chunk_aborts_the_exchange(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    const char *text = say(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "3\r\nabcX\r\n0\r\n\r\n" GET("/2"));
    assert_status(text, 400);
    assert_true(c->eof);
    assert_int_equal(seen.aborts, 1);
    assert_int_equal(seen.requests, 1);
    client_free(c);
}

static void a_chunked_body_has_the_same_limit(void **state)
{
    (void)state;
    struct client *c = client_new();
    char chunk[10008];
    memset(chunk, 'x', sizeof(chunk));
    memcpy(chunk, "2710\r\n", 6); /* 10000 */
    memcpy(chunk + 10006, "\r\n", 2);
    handle = handle_later;
    say(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 10; i++)
        client_send(c, slice_make(chunk, sizeof(chunk)));
    assert_int_equal(seen.body_len, 100000);
    assert_int_equal(seen.aborts, 0);
    client_send(c, slice_make(chunk, sizeof(chunk)));
    client_read(c);
    assert_int_equal(seen.aborts, 1);
    assert_status(c->text, 413);
    client_free(c);
}

static void a_paused_body_is_not_read(void **state)
{
    (void)state;
    struct client *c = client_new();
    char *data = calloc(1, 100000);
    handle = handle_later;
    say(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    exchange_pause(seen.x);
    size_t sent = 0;
    for (ssize_t n = 1; n > 0 && sent<100000; sent += n> 0 ? (size_t)n : 0) {
        n = send(c->fd, data, 100000 - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        turn_while_busy();
    }
    assert_int_equal(seen.body_len, 0);
    pass_time(limits.body_timeout_ms * 2); /* who pauses has the time */
    assert_int_equal(seen.aborts, 0);
    exchange_resume(seen.x);
    turn_while_busy();
    assert_int_equal(seen.body_len, sent);
    client_send(c, slice_make(data, 100000 - sent));
    assert_int_equal(seen.ends, 1);
    answer("all");
    assert_status(hear(c), 200);
    free(data);
    client_free(c);
}

static void pause_at_first_piece(struct exchange *x, struct slice data)
{
    seen_body(x, data);
    exchange_pause(x);
}

static const struct exchange_ops pausing_ops = {pause_at_first_piece, seen_body_end, seen_writable,
                                                seen_abort};

static void handle_pausing(struct exchange *x)
{
    x->ops = &pausing_ops;
}

static void pausing_inside_a_body_keeps_what_has_come(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_pausing;
    say(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
           "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n" GET("/2"));
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(seen.body_len, i);
        assert_int_equal(seen.ends, 0);
        exchange_resume(seen.x);
        turn_while_busy();
    }
    assert_int_equal(seen.ends, 1);
    assert_memory_equal(seen.body, "abc", 3);
    handle = handle_at_once;
    answer("x");
    assert_int_equal(count_text(hear(c), "HTTP/1.1 200"), 2);
    client_free(c);
}

static void an_unwanted_body_is_drained_within_bounds(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = say(c, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    assert_status(text, 200);
    assert_has_not(text, "Connection: close");
    text = say(c, "56789" GET("/2"));
    assert_string_equal(body_of(text), "/2\n");
    /* too much to be read for nothing */
    text = say(c, "POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n01234");
    assert_has(text, "\r\nConnection: close\r\n");
    assert_true(c->eof);
    client_free(c);
}

static void an_unwanted_chunked_body_is_bounded_too(void **state)
{
    (void)state;
    struct client *c = client_new();
    char chunk[10008];
    memset(chunk, 'x', sizeof(chunk));
    memcpy(chunk, "2710\r\n", 6);
    memcpy(chunk + 10006, "\r\n", 2);
    say(c, "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 6; i++)
        client_send(c, slice_make(chunk, sizeof(chunk)));
    client_read(c);
    assert_false(c->eof);
    client_send(c, slice_make(chunk, sizeof(chunk)));
    client_read(c);
    assert_true(c->eof);
    client_free(c);
}

/* ---- Expect: 100-continue ---- */

#define EXPECTING(length)                                                                          \
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " length "\r\n\r\n"

static void a_client_that_waits_is_told_to_continue(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    assert_string_equal(say(c, EXPECTING("3")), "HTTP/1.1 100 Continue\r\n\r\n");
    say(c, "abc");
    assert_int_equal(seen.ends, 1);
    answer("ok");
    assert_status(hear(c), 200);
    assert_false(c->eof);
    client_free(c);
}

static void nobody_is_told_to_continue_in_vain(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_at_once; /* does not want the body */
    const char *text = say(c, EXPECTING("3"));
    assert_status(text, 200);
    assert_has(text, "\r\nConnection: close\r\n"); /* who knows whether the body comes */
    assert_true(c->eof);
    client_free(c);
    c = client_new();
    handle = handle_later; /* has not waited */
    assert_string_equal(say(c, EXPECTING("3") "abc"), "");
    assert_int_equal(seen.ends, 1);
    answer("ok");
    assert_status(hear(c), 200);
    assert_false(c->eof);
    client_free(c);
    c = client_new();
    assert_string_equal(say(c, EXPECTING("0")), "");
    answer("ok");
    assert_status(hear(c), 200);
    client_free(c);
}

static void handle_paused(struct exchange *x)
{
    x->ops = &seen_ops;
    exchange_pause(x);
}

static void continue_waits_until_the_body_is_wanted(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_paused;
    assert_string_equal(say(c, EXPECTING("3")), "");
    exchange_resume(seen.x);
    assert_string_equal(hear(c), "HTTP/1.1 100 Continue\r\n\r\n");
    say(c, "abc");
    assert_int_equal(seen.ends, 1);
    answer("ok");
    assert_status(hear(c), 200);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        http_test(a_body_of_known_length_arrives),
        http_test(an_empty_body_ends_once),
        http_test(a_chunked_body_arrives),
        http_test(a_broken_chunk_aborts_the_exchange),
        http_test(a_chunked_body_has_the_same_limit),
        http_test(a_paused_body_is_not_read),
        http_test(pausing_inside_a_body_keeps_what_has_come),
        http_test(an_unwanted_body_is_drained_within_bounds),
        http_test(an_unwanted_chunked_body_is_bounded_too),
        http_test(a_client_that_waits_is_told_to_continue),
        http_test(nobody_is_told_to_continue_in_vain),
        http_test(continue_waits_until_the_body_is_wanted),
    };
    return run_on_every_backend("http_body", tests);
}
