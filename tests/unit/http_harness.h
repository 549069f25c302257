/* SPDX-License-Identifier: MIT */
/* http_harness.h - a server of one worker and raw clients on socket pairs, on a clock that the test
 * moves. The handler answers by the path (see serve()) and puts what it was given into `seen`. */
#ifndef TESTS_HTTP_HARNESS_H
#define TESTS_HTTP_HARNESS_H

#include "http/server.h"
#include "http/static.h"

#include "base/log.h"
#include "loop_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the server ---- */

static struct http_limits limits;
static struct http_server server;

/* The state of the latest exchange. */
static struct seen {
    struct exchange *x; /* NULL once over */
    char method[32], path[512], query[512], host[256], body[256 << 10];
    size_t body_len;
    int requests, bodies, ends, writables, aborts;
    struct stream *upgraded;
    char rest[64 << 10];
    size_t rest_len;
} seen;

/* Set by a test: handles the next exchange. */
static void (*handle)(struct exchange *x);
static struct site *site;

static inline void copy_text(char *to, size_t size, struct slice s)
{
    snprintf(to, size, "%.*s", SLICE_ARG(s));
}

static inline void seen_body(struct exchange *x, struct slice data)
{
    assert_ptr_equal(x, seen.x);
    assert_int_equal(seen.ends, 0);
    assert_true(data.len > 0);
    assert_true(seen.body_len + data.len <= sizeof(seen.body));
    memcpy(seen.body + seen.body_len, data.ptr, data.len);
    seen.body_len += data.len;
    seen.bodies++;
}

static inline void seen_body_end(struct exchange *x)
{
    assert_ptr_equal(x, seen.x);
    seen.ends++;
}

static inline void seen_writable(struct exchange *x)
{
    assert_ptr_equal(x, seen.x);
    seen.writables++;
}

static inline void seen_abort(struct exchange *x)
{
    assert_ptr_equal(x, seen.x);
    seen.aborts++;
    seen.x = NULL;
}

static const struct exchange_ops seen_ops = {seen_body, seen_body_end, seen_writable, seen_abort};

static inline void answer(const char *text)
{
    struct exchange *x = seen.x;
    seen.x = NULL;
    exchange_answer(x, 200, slice_of(text), NULL, 0);
}

/* The head of an answer that the handler has left for later. */
static inline void respond(int status, uint64_t length)
{
    exchange_respond(seen.x, status, SLICE_NONE, NULL, 0, length);
}

/* The end of that answer. */
static inline void end_answer(void)
{
    struct exchange *x = seen.x;
    seen.x = NULL;
    exchange_end(x);
}

static inline void handle_at_once(struct exchange *x)
{
    (void)x;
    answer(seen.path);
}

static inline void handle_later(struct exchange *x)
{
    x->ops = &seen_ops;
}

static inline void handle_static(struct exchange *x)
{
    struct site_found found;
    site_find(site, x->path, &found);
    seen.x = NULL;
    if (found.kind == SITE_FILE)
        static_answer(x, &found);
    else
        exchange_answer(x, 404, SLICE_LITERAL("not found"), NULL, 0);
}

static inline void serve(struct http_server *s, struct exchange *x)
{
    assert_ptr_equal(s, &server);
    int requests = seen.requests, aborts = seen.aborts;
    assert_null(seen.x); /* one at a time */
    memset(&seen, 0, offsetof(struct seen, upgraded));
    seen.requests = requests + 1;
    seen.aborts = aborts;
    seen.x = x;
    copy_text(seen.method, sizeof(seen.method), x->request->method);
    copy_text(seen.path, sizeof(seen.path), x->path);
    copy_text(seen.query, sizeof(seen.query), x->query);
    copy_text(seen.host, sizeof(seen.host), x->request->host);
    handle(x);
}

static inline int http_begin(void **state)
{
    signal(SIGPIPE, SIG_IGN); /* sendfile raises it: see io.h */
    make_loop(state);
    log_setup(LOG_NOTHING, LOG_FORMAT_TEXT);
    memset(&seen, 0, sizeof(seen));
    handle = handle_at_once;
    limits = (struct http_limits){
        .head_max = 8192,
        .body_max = 100000,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 20000,
        .idle_timeout_ms = 30000,
        .write_timeout_ms = 40000,
        .departed_timeout_ms = 5000,
        .least_rate = 500,
        .connections_max = 100,
    };
    http_server_init(&server, loop, &limits, serve, NULL);
    return 0;
}

/* Stopping leaves nothing: end_loop counts descriptors, the sanitizer memory. */
static inline int http_finish(void **state)
{
    http_server_stop(&server);
    if (seen.upgraded)
        stream_close(seen.upgraded);
    turn_while_busy();
    assert_true(list_empty(&server.connections));
    assert_int_equal(server.counts.connections_now, 0);
    return end_loop(state);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

#define http_test(f) cmocka_unit_test_setup_teardown(f, http_begin, http_finish)

/* ---- a client ---- */

struct client {
    int fd;
    bool eof;
    int error;
    size_t len;
    char text[2 << 20];
};

static inline struct client *client_new(void)
{
    struct client *c = calloc(1, sizeof(*c));
    int fds[2];
    assert_non_null(c);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    c->fd = fds[0];
    struct stream *s = stream_new(loop, fds[1], NULL);
    assert_non_null(s);
    http_accept(&server, s, NULL);
    return c;
}

static inline void client_free(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c);
    turn_while_busy();
}

/* Reads all that is there; a buffer that is too small fails the test. */
static inline void client_read(struct client *c)
{
    for (;;) {
        ssize_t n = recv(c->fd, c->text + c->len, sizeof(c->text) - 1 - c->len, 0);
        if (n <= 0) {
            c->eof |= n == 0;
            c->error = n < 0 && errno != EAGAIN ? errno : c->error;
            c->text[c->len] = '\0';
            return;
        }
        c->len += (size_t)n;
        assert_true(c->len + 1 < sizeof(c->text));
        turn_while_busy();
    }
}

static inline void client_send(struct client *c, struct slice s)
{
    assert_int_equal(send(c->fd, s.ptr, s.len, MSG_NOSIGNAL), s.len);
    turn_while_busy();
}

/* Sends, and reads what comes back, in place of what had come before. */
static inline const char *say(struct client *c, const char *text)
{
    c->len = 0;
    client_send(c, slice_of(text));
    client_read(c);
    return c->text;
}

static inline const char *hear(struct client *c)
{
    c->len = 0;
    turn_while_busy();
    client_read(c);
    return c->text;
}

static inline void pass_time(uint64_t ms)
{
    fake_ms += ms;
    turn_while_busy();
}

static inline size_t count_text(const char *in, const char *text)
{
    size_t n = 0;
    for (; (in = strstr(in, text)) != NULL; in += strlen(text))
        n++;
    return n;
}

static inline bool has_status(const char *answer_text, int status)
{
    char line[16];
    snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
    return strncmp(answer_text, line, strlen(line)) == 0;
}

#define assert_status(text, status) assert_true(has_status((text), (status)))
#define assert_has(text, part)      assert_non_null(strstr((text), (part)))
#define assert_has_not(text, part)  assert_null(strstr((text), (part)))

static inline const char *body_of(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

#endif
