/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 connections: requests in and answers out, and what is refused. */
#include "http/connection.h"
#include "http_harness.h"

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

/* It need not end its side first, and what it sends in spite of its word destroys no answer that
 * was under way. */
static void who_asked_for_the_end_is_not_waited_for(void **state)
{
    (void)state;
    struct client *c = client_new();
    assert_status(say(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 200);
    assert_int_equal(server.counts.connections_now, 0);
    client_free(c);
    c = client_new();
    assert_status(say(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/2")), 200);
    assert_int_equal(server.counts.connections_now, 1);
    client_free(c);
    c = client_new();
    assert_status(say(c, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                         "Content-Length: 1\r\n\r\nx"),
                  200);
    assert_int_equal(server.counts.connections_now, 1);
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
        http_test(who_asked_for_the_end_is_not_waited_for),
        http_test(http_1_0_closes_unless_it_asks),
        http_test(head_gets_the_head_alone),
        http_test(options_star_is_about_the_server),
        http_test(an_absolute_target_names_the_host),
        http_test(a_handler_that_does_nothing_is_answered_for),
        http_test(broken_requests_are_refused_for_good),
        http_test(trace_is_not_allowed),
        http_test(heads_have_a_limit),
        http_test(the_answer_can_be_read_while_the_client_still_sends),
        http_test(random_traffic_is_answered_exactly),
    };
    return run_on_every_backend("http_connection", tests);
}
