/* SPDX-License-Identifier: MIT */
/* A whole HTTP/1.1 connection: the same requests, bodies and answers however the input is cut, and
 * nothing left when the client has ended.
 */
#include "fuzz.h"

#include "base/log.h"
#include "core/backend.h"
#include "http/conditions.h"
#include "http/ranges.h"
#include "http/server.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* What came of an input: what the handler was given, and what the client got. */
struct record {
    size_t len, room;
    char *text;
};

static struct loop *loop;
static struct http_server server;
static struct record *asked;
static uint64_t asked_body; /* bytes of the current request's body */

static const struct http_limits limits = {
    .head_max = 1024,
    .body_max = 4096,
    .head_timeout_ms = 1000,
    .body_timeout_ms = 1000,
    .idle_timeout_ms = 1000,
    .write_timeout_ms = 1000,
    .departed_timeout_ms = 5000,
    .connections_max = 4,
};

static void put(struct record *r, struct slice s)
{
    if (r->len + s.len > r->room) {
        r->room = 2 * (r->len + s.len);
        r->text = realloc(r->text, r->room);
    }
    if (s.len > 0)
        memcpy(r->text + r->len, s.ptr, s.len);
    r->len += s.len;
}

/* Time stands still: nothing here may depend on a time-out. */
static uint64_t no_time(void *arg)
{
    (void)arg;
    return 1000;
}

static void check_fields(const struct http_head *head)
{
    struct representation is = {SLICE_LITERAL("\"tag\""), 784111777, 1763900000};
    struct byte_range r[RANGES_MAX];
    size_t n = 0;
    uint64_t total = 0;
    condition_check(head, &is);
    condition_range(head, &is);
    if (ranges_parse(http_head_find(head, SLICE_LITERAL("range")), 1000, r, &n) != RANGES_OK)
        return;
    FUZZ_CHECK(n > 0 && n <= RANGES_MAX);
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(r[i].first <= r[i].last && r[i].last < 1000);
        total += r[i].last - r[i].first + 1;
    }
    FUZZ_CHECK(total <= 1000);
}

static void on_body(struct exchange *x, struct slice data)
{
    (void)x;
    put(asked, data);
    asked_body += data.len;
    FUZZ_CHECK(asked_body <= limits.body_max);
}

static void on_body_end(struct exchange *x)
{
    put(asked, SLICE_LITERAL("|end\n"));
    exchange_answer(x, 200, x->path, NULL, 0);
}

static void on_writable(struct exchange *x)
{
    (void)x;
}

/* How much of a broken body was given out before its fault depends on the cuts. */
static void on_abort(struct exchange *x)
{
    (void)x;
    asked->len -= asked_body;
    put(asked, SLICE_LITERAL("|abort\n"));
}

static const struct exchange_ops ops = {on_body, on_body_end, on_writable, on_abort};

static void on_request(struct http_server *s, struct exchange *x)
{
    (void)s;
    FUZZ_CHECK(x->path.len > 0 && *x->path.ptr == '/');
    FUZZ_CHECK(memchr(x->path.ptr, '\0', x->path.len) == NULL);
    check_fields(x->request);
    put(asked, x->request->method);
    put(asked, SLICE_LITERAL(" "));
    put(asked, x->path);
    put(asked, SLICE_LITERAL("?"));
    put(asked, x->query);
    put(asked, SLICE_LITERAL("|"));
    asked_body = 0;
    x->ops = &ops;
}

static void turn(void)
{
    const struct loop_counts *c = loop_counts(loop);
    for (uint64_t before = UINT64_MAX, now;
         (now = c->receives + c->sends + c->timers_fired) != before; before = now)
        FUZZ_CHECK(loop_turn(loop, 0) == 0);
}

static void read_answers(int fd, struct record *got)
{
    char bytes[8192];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        put(got, slice_make(bytes, (size_t)n));
        turn();
    }
}

/* Whether the client is told to continue depends on how fast it was. */
static void drop_continue(struct record *got)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t n = sizeof(text) - 1;
    for (char *at; got->len > 0 && (at = memmem(got->text, got->len, text, n)) != NULL;) {
        size_t after = got->len - (size_t)(at - got->text) - n;
        memmove(at, at + n, after);
        got->len -= n;
    }
}

/* The date is of no account. */
static void blank_dates(struct record *got)
{
    static const char name[] = "\r\nDate: ";
    if (got->len == 0)
        return;
    char *at = got->text, *end = got->text + got->len;
    while (at != NULL && (at = memmem(at, (size_t)(end - at), name, sizeof(name) - 1)) != NULL) {
        at += sizeof(name) - 1;
        if (end - at >= 29)
            memset(at, '-', 29);
    }
}

static void run(struct slice in, size_t step_max, struct record *requests, struct record *got)
{
    int fds[2];
    uint64_t seed = fuzz_seed(in);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    asked = requests;
    http_accept(&server, stream_new(loop, fds[1], NULL), NULL);
    while (in.len > 0) {
        struct slice piece = slice_first(in, fuzz_step(&seed, step_max));
        ssize_t n = send(fds[0], piece.ptr, piece.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            break; /* it has closed */
        in = slice_skip(in, n > 0 ? (size_t)n : 0);
        turn();
        read_answers(fds[0], got);
    }
    shutdown(fds[0], SHUT_WR);
    turn();
    read_answers(fds[0], got);
    close(fds[0]);
    turn();
    FUZZ_CHECK(server.counts.connections_now == 0 && list_empty(&server.connections));
    drop_continue(got);
    blank_dates(got);
}

static bool same(const struct record *a, const struct record *b)
{
    return slice_equal(slice_make(a->text, a->len), slice_make(b->text, b->len));
}

static void prepare(void)
{
    log_setup(LOG_NOTHING, LOG_FORMAT_TEXT);
    loop = loop_new();
    FUZZ_CHECK(loop != NULL);
    loop_set_clock(loop, no_time, NULL);
    http_server_init(&server, loop, &limits, on_request, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct record requests[2] = {0}, got[2] = {0};
    if (loop == NULL)
        prepare();
    run(in, SIZE_MAX, &requests[0], &got[0]);
    run(in, 9, &requests[1], &got[1]);
    FUZZ_CHECK(same(&requests[0], &requests[1]));
    FUZZ_CHECK(same(&got[0], &got[1]));
    for (int i = 0; i < 2; i++) {
        free(requests[i].text);
        free(got[i].text);
    }
    return 0;
}
