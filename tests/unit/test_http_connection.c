/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 connections: requests in, answers out, and every way in which they end. */
#include "http/connection.h"
#include "http_harness.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* ---- requests and answers ---- */

static void a_request_is_answered_and_the_connection_kept(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *answer_text = say(c, GET("/one?x=1"));
    assert_status(answer_text, 200);
    assert_has(answer_text, "\r\nDate: ");
    assert_has(answer_text, "\r\nServer: httpsocket\r\n");
    assert_has(answer_text, "\r\nContent-Length: 5\r\n");
    assert_has_not(answer_text, "Connection:");
    assert_string_equal(body_of(answer_text), "/one\n");
    assert_string_equal(seen.method, "GET");
    assert_string_equal(seen.query, "x=1");
    assert_string_equal(seen.host, "a");
    assert_string_equal(body_of(say(c, GET("/two"))), "/two\n");
    assert_false(c->eof);
    assert_int_equal(server.counts.connections, 1);
    assert_int_equal(server.counts.requests, 2);
    assert_int_equal(server.counts.status[2], 2);
    client_free(c);
}

static void an_answer_leaves_in_one_send(void **state)
{
    (void)state;
    struct client *c = client_new();
    uint64_t before = loop_counts(loop)->sends;
    say(c, GET("/"));
    assert_int_equal(loop_counts(loop)->sends - before, 1);
    client_free(c);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = say(c, GET("/1") GET("/2") GET("/3"));
    assert_int_equal(count_text(text, "HTTP/1.1 200"), 3);
    const char *second = strstr(text, "/1\nHTTP");
    assert_non_null(second);
    assert_non_null(strstr(second, "/2\nHTTP"));
    assert_string_equal(text + c->len - 3, "/3\n");
    client_free(c);
}

static void any_split_of_the_input_gives_the_same_answers(void **state)
{
    (void)state;
    const char *requests =
        GET("/1") "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET(
            "/3") "POST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" GET("/5");
    size_t len = strlen(requests);
    for (size_t cut = 1; cut < len; cut++) {
        struct client *c = client_new();
        seen.requests = 0;
        client_send(c, slice_make(requests, cut));
        client_send(c, slice_make(requests + cut, len - cut));
        client_read(c);
        assert_int_equal(seen.requests, 5);
        assert_int_equal(count_text(c->text, "HTTP/1.1 200"), 5);
        assert_string_equal(c->text + c->len - 3, "/5\n");
        client_free(c);
    }
    struct client *c = client_new();
    seen.requests = 0;
    for (size_t i = 0; i < len; i++)
        client_send(c, slice_make(requests + i, 1));
    client_read(c);
    assert_int_equal(seen.requests, 5);
    assert_string_equal(c->text + c->len - 3, "/5\n");
    client_free(c);
}

static void the_next_request_waits_for_a_late_answer(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/1") GET("/2"));
    assert_int_equal(c->len, 0);
    assert_int_equal(seen.requests, 1);
    assert_string_equal(seen.path, "/1");
    answer("one");
    assert_string_equal(body_of(hear(c)), "one\n");
    assert_int_equal(seen.requests, 2);
    assert_string_equal(seen.path, "/2");
    answer("two");
    assert_string_equal(body_of(hear(c)), "two\n");
    client_free(c);
}

/* What a client sends ahead is read up to a bound only: the rest waits in the kernel. */
static void input_ahead_of_its_time_is_bounded(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_later;
    say(c, GET("/1"));
    char request[1024];
    memset(request, 'x', sizeof(request));
    memcpy(request, "GET /n HTTP/1.1\r\nHost: a\r\nX: ", 29);
    memcpy(request + sizeof(request) - 4, "\r\n\r\n", 4);
    int requests = 1;
    while (send(c->fd, request, sizeof(request), MSG_NOSIGNAL) == sizeof(request)) {
        assert_true(++requests < 10000);
        turn_while_busy();
    }
    assert_true(requests > 50);
    handle = handle_at_once;
    answer("first");
    turn_while_busy();
    client_read(c);
    for (size_t before = 0; c->len > before;) {
        before = c->len;
        turn_while_busy();
        client_read(c);
    }
    /* the last one may have been cut by the full socket */
    assert_in_range(seen.requests, requests - 1, requests);
    assert_int_equal(count_text(c->text, "HTTP/1.1 200"), seen.requests);
    client_free(c);
}

static void connection_close_is_heeded_and_said(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = say(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/2"));
    assert_status(text, 200);
    assert_has(text, "\r\nConnection: close\r\n");
    assert_true(c->eof);
    assert_int_equal(seen.requests, 1);
    client_free(c);
}

static void http_1_0_closes_unless_it_asks(void **state)
{
    (void)state;
    struct client *c = client_new();
    assert_has(say(c, "GET / HTTP/1.0\r\n\r\n"), "\r\nConnection: close\r\n");
    assert_true(c->eof);
    client_free(c);
    c = client_new();
    const char *text = say(c, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_has(text, "\r\nConnection: keep-alive\r\n");
    assert_false(c->eof);
    client_free(c);
}

static void head_gets_the_head_alone(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = say(c, "HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_status(text, 200);
    assert_has(text, "\r\nContent-Length: 5\r\n");
    assert_string_equal(body_of(text), "");
    assert_status(say(c, GET("/")), 200);
    client_free(c);
}

static void options_star_is_about_the_server(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = say(c, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_status(text, 204);
    assert_has(text, "\r\nAllow: GET, HEAD, POST");
    assert_has_not(text, "Content-Length");
    assert_int_equal(seen.requests, 0);
    client_free(c);
}

static void an_absolute_target_names_the_host(void **state)
{
    (void)state;
    struct client *c = client_new();
    assert_status(say(c, "GET http://b.example/p?q HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_string_equal(seen.host, "b.example");
    assert_string_equal(seen.path, "/p");
    assert_string_equal(seen.query, "q");
    client_free(c);
}

static void nothing(struct exchange *x)
{
    (void)x;
    seen.x = NULL;
}

static void a_handler_that_does_nothing_is_answered_for(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = nothing;
    assert_status(say(c, GET("/")), 500);
    client_free(c);
}

/* ---- what is refused ---- */

struct refusal {
    const char *request;
    int status;
};

/* Each leads to one answer and the end of the connection: what comes behind is never answered. */
static void broken_requests_are_refused_for_good(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\nContent-Length: 1\r\n\r\n", 417},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n", 413},
        {"\x16\x03\x01\x02\x01", 400},
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        struct client *c = client_new();
        char both[1024];
        snprintf(both, sizeof(both), "%s" GET("/second"), refusals[i].request);
        const char *text = say(c, both);
        if (!has_status(text, refusals[i].status) || count_text(text, "\nServer: ") != 1 || !c->eof)
            fail_msg("%s -> %s", refusals[i].request, text);
        assert_has(text, "\r\nConnection: close\r\n");
        assert_true(strlen(body_of(text)) > 5);
        assert_int_equal(seen.requests, 0);
        client_free(c);
    }
}

static void trace_is_not_allowed(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = say(c, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_status(text, 405);
    assert_has(text, "\r\nAllow: GET, ");
    client_free(c);
}

static void heads_have_a_limit(void **state)
{
    (void)state;
    char *long_text = malloc(20000);
    memset(long_text, 'x', 20000);
    struct client *c = client_new();
    client_send(c, SLICE_LITERAL("GET /"));
    client_send(c, slice_make(long_text, 9000));
    client_send(c, SLICE_LITERAL(" HTTP/1.1\r\nHost: a\r\n\r\n"));
    client_read(c);
    assert_status(c->text, 414);
    client_free(c);

    c = client_new();
    client_send(c, SLICE_LITERAL("GET / HTTP/1.1\r\nHost: a\r\nX: "));
    for (int i = 0; i < 9 && c->len == 0; i++) {
        client_send(c, slice_make(long_text, 1000));
        client_read(c);
    }
    assert_status(c->text, 431);
    client_free(c);

    /* One byte less than the limit is fine, however it comes. */
    for (size_t first = 100; first < 8192; first += 1999) {
        c = client_new();
        char head[8192];
        memset(head, 'x', sizeof(head));
        memcpy(head, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 28);
        memcpy(head + sizeof(head) - 4, "\r\n\r\n", 4);
        client_send(c, slice_make(head, first));
        client_send(c, slice_make(head + first, sizeof(head) - first));
        client_read(c);
        assert_status(c->text, 200);
        client_free(c);
    }
    free(long_text);
}

static void the_answer_can_be_read_while_the_client_still_sends(void **state)
{
    (void)state;
    struct client *c = client_new();
    char *data = calloc(1, 50000);
    client_send(c, SLICE_LITERAL("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n"));
    for (int i = 0; i < 10; i++)
        client_send(c, slice_make(data, 50000));
    client_read(c);
    assert_status(c->text, 413);
    assert_true(c->eof);
    assert_int_equal(c->error, 0);
    assert_int_equal(server.counts.connections_now, 1); /* it lingers */
    pass_time(5000);
    assert_int_equal(server.counts.connections_now, 0);
    free(data);
    client_free(c);
}

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

/* ---- long answers ---- */

static void respond(int status, uint64_t length)
{
    exchange_respond(seen.x, status, SLICE_NONE, NULL, 0, length);
}

static void end(void)
{
    struct exchange *x = seen.x;
    seen.x = NULL;
    exchange_end(x);
}

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
    end();
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
    end();
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
    end();
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
    end();
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
        end();
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
    end();
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
    end();
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
    end();
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
    end();
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
    end();
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

/* ---- leaving HTTP ---- */

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

/* Requests cut at random places, with random pauses of the body, never lose or double a byte. */
static void random_traffic_is_answered_exactly(void **state)
{
    (void)state;
    unsigned seed = (unsigned)real_ms();
    print_message("seed %u\n", seed);
    struct client *c = client_new();
    handle = handle_at_once;
    char *out = malloc(200000);
    size_t len = 0;
    int requests = 0;
    while (len < 100000) {
        int size = rand_r(&seed) % 300;
        if (rand_r(&seed) % 2)
            len += (size_t)sprintf(out + len,
                                   "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%0*d",
                                   requests, size + 1, size + 1, 0);
        else
            len += (size_t)sprintf(out + len, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", requests);
        requests++;
    }
    for (size_t at = 0; at < len;) {
        size_t n = 1 + (size_t)rand_r(&seed) % 5000;
        n = n < len - at ? n : len - at;
        client_send(c, slice_make(out + at, n));
        client_read(c);
        at += n;
    }
    assert_int_equal(seen.requests, requests);
    const char *at = c->text;
    for (int i = 0; i < requests; i++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "\r\n\r\n/%d\n", i);
        at = strstr(at, expected);
        assert_non_null(at);
    }
    free(out);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        http_test(a_request_is_answered_and_the_connection_kept),
        http_test(an_answer_leaves_in_one_send),
        http_test(pipelined_requests_are_answered_in_order),
        http_test(any_split_of_the_input_gives_the_same_answers),
        http_test(the_next_request_waits_for_a_late_answer),
        http_test(input_ahead_of_its_time_is_bounded),
        http_test(connection_close_is_heeded_and_said),
        http_test(http_1_0_closes_unless_it_asks),
        http_test(head_gets_the_head_alone),
        http_test(options_star_is_about_the_server),
        http_test(an_absolute_target_names_the_host),
        http_test(a_handler_that_does_nothing_is_answered_for),
        http_test(broken_requests_are_refused_for_good),
        http_test(trace_is_not_allowed),
        http_test(heads_have_a_limit),
        http_test(the_answer_can_be_read_while_the_client_still_sends),
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
        http_test(a_slow_head_is_told_so),
        http_test(an_idle_connection_closes_silently),
        http_test(a_body_that_stops_coming_is_told_so),
        http_test(a_slow_handler_has_all_the_time),
        http_test(a_client_that_reads_nothing_is_given_up),
        http_test(a_client_that_reads_slowly_gets_everything),
        http_test(a_client_that_goes_aborts_its_exchange),
        http_test(a_client_may_end_its_side_and_wait_for_the_answer),
        http_test(half_a_head_and_the_end_is_nothing),
        http_test(the_stream_is_handed_over_at_once),
        http_test(the_stream_is_handed_over_with_what_follows),
        http_test(the_stream_is_handed_over_later),
        http_test(who_wants_another_protocol_and_goes_is_aborted),
        http_test(a_request_moves_to_another_worker),
        http_test(a_parcel_that_is_dropped_closes),
        http_test(a_request_moves_behind_an_answer_that_was_only_corked),
        http_test(a_request_behind_queued_output_stays),
        http_test(a_connection_too_many_is_told_so),
        http_test(a_flood_of_connections_is_bounded),
        http_test(draining_closes_idle_connections_and_lets_answers_finish),
        http_test(stopping_aborts_what_is_open),
        http_test(random_traffic_is_answered_exactly),
    };
    return run_on_every_backend("http_connection", tests);
}
