/* SPDX-License-Identifier: MIT */
/* request.c - from a parsed head to an exchange: the remaining refusals, and the handler's call. */
#include "http/connection.h"

#include "base/log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define ALL_METHODS "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"

static bool is(struct slice s, const char *text)
{
    return slice_equal(s, slice_of(text));
}

static bool is_known_method(struct slice method)
{
    static const char *const known[] = {"GET",    "HEAD",  "POST",    "PUT",
                                        "DELETE", "PATCH", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (is(method, known[i]))
            return true;
    }
    return false;
}

/* Finds a fault for which the connection closes too. NULL: none. */
static const char *find_fault(const struct connection *c, const struct http_head *head, int *status)
{
    *status = 501;
    if (!is_known_method(head->method))
        return "this method is not implemented";
    *status = 417;
    if (head->minor > 0 && !head->expect_continue &&
        http_head_count(head, SLICE_LITERAL("expect")) > 0)
        return "only 100-continue can be expected";
    *status = 413;
    if (head->body == HTTP_BODY_LENGTH && head->content_length > c->server->limits->body_max)
        return "the request's body is too large";
    return NULL;
}

/* ---- the copy that the exchange keeps ---- */

static void move(struct slice *s, const char *from, const char *to)
{
    if (s->ptr != NULL)
        s->ptr = to + (s->ptr - from);
}

static void copy_head(struct http_head *to, const struct http_head *head, struct slice raw,
                      char *bytes)
{
    memcpy(to, head, sizeof(*head) - sizeof(head->headers));
    to->size = head->size;
    memcpy(bytes, raw.ptr, raw.len);
    move(&to->method, raw.ptr, bytes);
    move(&to->target, raw.ptr, bytes);
    move(&to->host, raw.ptr, bytes);
    for (size_t i = 0; i < head->header_count; i++) {
        to->headers[i] = head->headers[i];
        move(&to->headers[i].name, raw.ptr, bytes);
        move(&to->headers[i].value, raw.ptr, bytes);
    }
}

static void on_body_timeout(struct timer *timer)
{
    struct http_exchange *hx = container_of(timer, struct http_exchange, body_timer);
    hx->connection->server->counts.timeouts++;
    connection_refuse(hx->connection, 408, "the request's body did not come in time");
}

/* ---- its memory ---- */

enum {
    USUAL_BYTES = 1024, /* of heads and paths, for nearly all requests */
#ifdef __SANITIZE_ADDRESS__
    SPARES_MAX = 0
#else
    SPARES_MAX = 16
#endif
};

/* Blocks for exchanges of at most USUAL_BYTES, which wait for the next request. */
static _Thread_local struct {
    unsigned count;
    struct http_exchange *blocks[SPARES_MAX + 1];
} spares;

static struct http_exchange *allocate(size_t size)
{
    if (size <= USUAL_BYTES && spares.count > 0)
        return spares.blocks[--spares.count];
    size_t room = size > USUAL_BYTES ? size : USUAL_BYTES;
    return log_needed(malloc(sizeof(struct http_exchange) + room));
}

void exchange_free(struct reap *reap)
{
    struct http_exchange *hx = container_of(reap, struct http_exchange, reap);
    bool spare = SPARES_MAX > 0 && hx->size <= USUAL_BYTES && spares.count != SPARES_MAX;
    if (spare)
        spares.blocks[spares.count++] = hx;
    else
        free(hx);
}

/* The decoded path is never longer than the target. */
static struct http_exchange *make(struct connection *c, const struct http_head *head,
                                  struct slice raw)
{
    struct slice base = c->server->limits->base; /* a reload may take it away */
    size_t size = raw.len + head->target.len + base.len;
    struct http_exchange *hx = allocate(size);
    if (hx == NULL)
        return NULL;
    memset(hx, 0, offsetof(struct http_exchange, head));
    hx->size = (uint32_t)size;
    copy_head(&hx->head, head, raw, hx->bytes);
    hx->connection = c;
    hx->began_ms = loop_now_ms(c->server->loop);
    hx->x.request = &hx->head;
    if (base.ptr != NULL)
        hx->x.base = slice_make(memcpy(hx->bytes + raw.len + head->target.len, base.ptr, base.len),
                                base.len);
    hx->expects_continue = head->expect_continue;
    timer_init(&hx->body_timer, on_body_timeout);
    departure_init(hx);
    return hx;
}

/* ---- the target ---- */

/* Asks about the server as a whole (RFC 9110, 9.3.7). */
static void answer_options_star(struct exchange *x)
{
    struct http_header allow = {SLICE_LITERAL("Allow"), SLICE_LITERAL(ALL_METHODS)};
    exchange_respond(x, 204, SLICE_LITERAL(""), &allow, 1, 0);
    exchange_end(x);
}

static bool find_path(struct http_exchange *hx)
{
    char *out = hx->bytes + hx->head.size;
    struct slice path;
    size_t len;
    if (!http_target_split(hx->head.target, &path, &hx->x.query) ||
        !http_path_decode(path, out, &len))
        return false;
    hx->x.path = slice_make(out, len);
    return true;
}

/* Relative, as all redirects: right below any path that a proxy has cut off. */
static void redirect_to_base(struct http_exchange *hx)
{
    struct slice base = hx->x.base;
    size_t last = base.len;
    while (base.ptr[last - 1] != '/')
        last--;
    char location[PATH_MAX];
    int len =
        snprintf(location, sizeof(location), "./%.*s/%s%.*s", SLICE_ARG(slice_skip(base, last)),
                 hx->x.query.ptr ? "?" : "", SLICE_ARG(hx->x.query));
    struct http_header header = {SLICE_LITERAL("Location"), slice_make(location, (size_t)len)};
    if (len < (int)sizeof(location))
        exchange_answer(&hx->x, 301, SLICE_LITERAL("this is a folder"), &header, 1);
    else
        exchange_answer(&hx->x, 404, SLICE_LITERAL("not found"), NULL, 0);
}

static void call_handler(struct http_exchange *hx)
{
    struct http_server *server = hx->connection->server;
    struct http_header allow = {SLICE_LITERAL("Allow"), SLICE_LITERAL(ALL_METHODS)};
    if (!place_find(hx)) {
        exchange_answer(&hx->x, 421,
                        SLICE_LITERAL("the target's scheme is not that of this connection"), NULL,
                        0);
        return;
    }
    if (is(hx->head.method, "OPTIONS") && is(hx->head.target, "*")) {
        answer_options_star(&hx->x);
        return;
    }
    if (!find_path(hx)) {
        connection_refuse(hx->connection, 400, "the request's target is not a path of this server");
        return;
    }
    if (is(hx->head.method, "TRACE")) {
        exchange_answer(&hx->x, 405, SLICE_LITERAL("TRACE is not allowed"), &allow, 1);
        return;
    }
    if (place_cut_base(hx))
        server->on_request(server, &hx->x);
    else
        redirect_to_base(hx);
}

void request_begin(struct connection *c, const struct http_head *head, struct slice raw)
{
    int status;
    c->server->counts.requests++;
    c->used = true;
    const char *fault = find_fault(c, head, &status);
    if (fault != NULL) {
        connection_refuse(c, status, fault);
        return;
    }
    struct http_exchange *hx = make(c, head, raw);
    if (hx == NULL) {
        connection_close(c);
        return;
    }
    c->exchange = hx;
    c->closing = !head->keep_alive || c->passed; /* which is passed on for this one */
    c->said_last = !head->keep_alive && head->body == HTTP_BODY_NONE;
    request_body_init(&c->body, head);
    connection_count(c);
    call_handler(hx);
    if (c->exchange == hx)
        exchange_taken(hx);
}
