/* SPDX-License-Identifier: MIT */
#include "admin/admin.h"

#include <stdlib.h>

struct admin_query {
    struct exchange *exchange; /* borrowed; NULL: the client has gone */
};

static const struct http_header never_stored = {SLICE_LITERAL("Cache-Control"),
                                                SLICE_LITERAL("no-store")};

static void answer_body(struct exchange *x, const char *type, struct slice body)
{
    struct http_header headers[] = {never_stored, {SLICE_LITERAL("Content-Type"), slice_of(type)}};
    exchange_respond(x, 200, SLICE_NONE, headers, 2, body.len);
    exchange_write(x, body);
    exchange_end(x);
}

static void answer_metrics(struct admin *admin, struct exchange *x)
{
    struct text text = {0};
    admin->ops->metrics(admin->owner, &text);
    if (text.failed)
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
    else
        answer_body(x, "text/plain; version=0.0.4; charset=utf-8", text_slice(&text));
    text_done(&text);
}

static void on_abort(struct exchange *x)
{
    struct admin_query *query = x->owner;
    query->exchange = NULL;
}

static void ignore_body(struct exchange *x, struct slice data)
{
    (void)x;
    (void)data;
}

static void ignore_event(struct exchange *x)
{
    (void)x;
}

static const struct exchange_ops query_ops = {
    .on_body = ignore_body,
    .on_body_end = ignore_event,
    .on_writable = ignore_event,
    .on_abort = on_abort,
};

/* NULL: it is answered. */
static struct admin_query *make_query(struct exchange *x)
{
    struct admin_query *query = malloc(sizeof(*query));
    if (!query) {
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
        return NULL;
    }
    query->exchange = x;
    x->ops = &query_ops;
    x->owner = query;
    return query;
}

static void answer_sessions(struct admin *admin, struct exchange *x)
{
    struct admin_query *query = make_query(x);
    if (query)
        admin->ops->sessions(admin->owner, query);
}

/* ---- POST /restart?path=PATH ---- */

#define PATH_FIELD SLICE_LITERAL("path=")

static bool read_path(const struct exchange *x, char *out, size_t size, size_t *ret_len)
{
    struct slice path = slice_skip(x->query, PATH_FIELD.len);
    if (!x->query.ptr || !slice_starts_with(x->query, PATH_FIELD) || path.len > size)
        return false;
    if (!slice_equal(path, SLICE_LITERAL("*")))
        return http_path_decode(path, out, ret_len);
    *out = '*';
    *ret_len = 1;
    return true;
}

/* False: it is answered. */
static bool is_post(struct exchange *x)
{
    static const struct http_header allow = {SLICE_LITERAL("Allow"), SLICE_LITERAL("POST")};
    if (slice_equal(x->request->method, SLICE_LITERAL("POST")))
        return true;
    exchange_answer(x, 405, SLICE_LITERAL("only POST"), &allow, 1);
    return false;
}

static void restart(struct admin *admin, struct exchange *x)
{
    char path[4096];
    size_t len;
    if (!is_post(x))
        return;
    if (!read_path(x, path, sizeof(path), &len)) {
        exchange_answer(x, 400, SLICE_LITERAL("expected /restart?path=/PATH, of a program"), NULL,
                        0);
        return;
    }
    struct admin_query *query = make_query(x);
    if (query)
        admin->ops->restart(admin->owner, slice_make(path, len), query);
}

void admin_answer(struct admin_query *query, struct slice json)
{
    if (query->exchange)
        answer_body(query->exchange, "application/json", json);
    free(query);
}

void admin_refuse(struct admin_query *query, int status, struct slice why)
{
    if (query->exchange)
        exchange_answer(query->exchange, status, why, &never_stored, 1);
    free(query);
}

/* ---- GET /cluster, /cluster?sessions, /cluster?metrics ---- */

static void answer_cluster(struct admin *admin, struct exchange *x)
{
    static const struct slice names[] = {SLICE_LITERAL(""), SLICE_LITERAL("sessions"),
                                         SLICE_LITERAL("metrics")};
    enum admin_cluster what = ADMIN_CLUSTER_SERVERS;
    while (what <= ADMIN_CLUSTER_METRICS && !slice_equal(x->query, names[what]))
        what++;
    if (what > ADMIN_CLUSTER_METRICS) {
        exchange_answer(x, 400, SLICE_LITERAL("expected /cluster, ?sessions or ?metrics"), NULL, 0);
        return;
    }
    struct admin_query *query = make_query(x);
    if (query)
        admin->ops->cluster(admin->owner, what, query);
}

/* ---- POST /lift-bans ---- */

static void lift_bans(struct admin *admin, struct exchange *x)
{
    struct admin_query *query = is_post(x) ? make_query(x) : NULL;
    if (query)
        admin->ops->lift_bans(admin->owner, query);
}

/* Is it made by a page, or by a link in one? */
static bool is_pages(const struct http_head *request)
{
    struct slice site = SLICE_LITERAL("sec-fetch-site");
    return http_head_count(request, SLICE_LITERAL("origin")) > 0 ||
           (http_head_count(request, site) > 0 &&
            !slice_equal(http_head_find(request, site), SLICE_LITERAL("none")));
}

/* True: it is answered. */
static bool refuse(struct admin *admin, struct exchange *x)
{
    if (!admin->ops->knows_host(admin->owner, x))
        exchange_answer(x, 421, SLICE_LITERAL("this Host is not the admin's (see --admin-host)"),
                        NULL, 0);
    else if (is_pages(x->request))
        exchange_answer(x, 403, SLICE_LITERAL("the admin listener is not for pages"), NULL, 0);
    else
        return false;
    return true;
}

static void answer(struct admin *admin, struct exchange *x)
{
    struct slice method = x->request->method;
    struct http_header allow = {SLICE_LITERAL("Allow"), SLICE_LITERAL("GET, HEAD")};
    if (slice_equal(x->path, SLICE_LITERAL("/publish")))
        admin->ops->publish(admin->owner, x);
    else if (slice_equal(x->path, SLICE_LITERAL("/restart")))
        restart(admin, x);
    else if (slice_equal(x->path, SLICE_LITERAL("/lift-bans")))
        lift_bans(admin, x);
    else if (!slice_equal(method, SLICE_LITERAL("GET")) &&
             !slice_equal(method, SLICE_LITERAL("HEAD")))
        exchange_answer(x, 405, SLICE_LITERAL("only GET and HEAD"), &allow, 1);
    else if (slice_equal(x->path, SLICE_LITERAL("/healthz")))
        admin->ops->healthy(admin->owner)
            ? exchange_answer(x, 200, SLICE_LITERAL("ok"), NULL, 0)
            : exchange_answer(x, 503, SLICE_LITERAL("draining"), NULL, 0);
    else if (slice_equal(x->path, SLICE_LITERAL("/metrics")))
        answer_metrics(admin, x);
    else if (slice_equal(x->path, SLICE_LITERAL("/sessions")))
        answer_sessions(admin, x);
    else if (slice_equal(x->path, SLICE_LITERAL("/cluster")))
        answer_cluster(admin, x);
    else
        exchange_answer(
            x, 404,
            SLICE_LITERAL("here are /healthz, /metrics, /sessions, /cluster, /publish, /restart, "
                          "/lift-bans and /.httpsocket/authorize"),
            NULL, 0);
}

static void on_request(struct http_server *server, struct exchange *x)
{
    struct admin *admin = server->owner;
    if (slice_equal(x->path, SLICE_LITERAL("/.httpsocket/authorize")))
        admin->ops->authorize(admin->owner, x);
    else if (!refuse(admin, x))
        answer(admin, x);
}

void admin_init(struct admin *admin, struct loop *loop, const struct http_limits *limits,
                const struct admin_ops *ops, void *owner)
{
    admin->ops = ops;
    admin->owner = owner;
    http_server_init(&admin->server, loop, limits, on_request, admin);
}
