/* SPDX-License-Identifier: MIT */
/* library_request.c - one request of a server of the library.
 *
 *   begin ─> (ASKING: on_access) ─allow─> the route's handler ──> answer, or begin ─> write* ─> end
 *      │                 │                          │
 *      └─────────────────┴──────────────────────────┴──> the client goes: on_gone, `x` is NULL
 *
 * The handle is the program's until the program gives it back, whatever becomes of the client. The
 * exchange is ours until library_request_release().
 */
#include "serve/library.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- its end ---- */

static void free_request(struct reap *reap)
{
    struct httpsocket_request *r = container_of(reap, struct httpsocket_request, reap);
    library_headers_done(&r->headers);
    text_done(&r->gathered);
    free(r);
}

static void end_grant(struct httpsocket_request *r)
{
    if (r->grant)
        r->grant->on_over(r->grant);
    r->grant = NULL;
}

/* The program has called what is for requests of its own. */
void library_request_owned(const struct httpsocket_request *r)
{
    bool request_is_to_be_read_only = r->read_only;
    assert(!request_is_to_be_read_only);
}

struct exchange *library_request_release(struct httpsocket_request *r)
{
    struct exchange *x = r->x;
    if (r->alive)
        *r->alive = false;
    r->x = NULL;
    r->head = NULL;
    end_grant(r);
    timer_stop(&r->kick);
    list_remove(&r->node);
    loop_reap(library_loop(r->thread), &r->reap, free_request);
    return x;
}

void library_requests_done(struct library_thread *t)
{
    while (!list_empty(&t->requests)) {
        struct httpsocket_request *r =
            container_of(t->requests.next, struct httpsocket_request, node);
        list_remove(&r->node);
        free_request(&r->reap);
    }
}

/* Calls out: afterwards the request may be over, which the caller has to ask. */
struct watched {
    bool alive, *outer;
};

static void watch_begin(struct httpsocket_request *r, struct watched *w)
{
    w->alive = true;
    w->outer = r->alive;
    r->alive = &w->alive;
}

static bool watch_end(struct httpsocket_request *r, struct watched *w)
{
    if (w->alive)
        r->alive = w->outer;
    else if (w->outer)
        *w->outer = false;
    return w->alive;
}

/* ---- what its client does ---- */

static void on_writable(struct exchange *x)
{
    struct httpsocket_request *r = x->owner;
    r->wants_room = false;
    if (r->on_room)
        r->on_room(r, r->room_arg);
}

static void on_abort(struct exchange *x)
{
    struct httpsocket_request *r = x->owner;
    struct watched w;
    r->x = NULL;
    r->head = NULL;
    end_grant(r);
    watch_begin(r, &w);
    if (r->body == BODY_WHOLE || r->body == BODY_STREAM)
        library_body_failed(r, -EPIPE);
    if (watch_end(r, &w) && r->on_gone)
        r->on_gone(r, r->gone_arg);
}

static const struct exchange_ops ops = {library_on_body, library_on_body_end, on_writable,
                                        on_abort};

/* ---- its way ----
 *
 * A request that on_access has let wait is paused. A handler goes on by reading; others at once. */

static void go_to_folder(struct httpsocket_request *r)
{
    struct library_thread *t = r->thread;
    const struct library_route *route = r->route;
    struct route_match match;
    library_body_go_on(r);
    struct exchange *x = library_request_release(r);
    x->ops = NULL;
    route_find(&t->server->routes, x->request->method, x->path, &match);
    library_folder_answer(t, route, x, match.values[0]);
}

static void go_to_page(struct httpsocket_request *r)
{
    struct library_thread *t = r->thread;
    const struct library_route *route = r->route;
    bool handshake = r->handshake;
    struct page_visitor visitor = {r->origin, r->same_origin, r->grant};
    r->grant = NULL;
    library_body_go_on(r);
    struct exchange *x = library_request_release(r); /* the memory stays until the turn's end */
    x->ops = NULL;
    if (handshake)
        library_page_connect(t, route, x, &visitor);
    else
        library_page_open(t, route, x);
}

static void go_to_handler(struct httpsocket_request *r)
{
    struct watched w;
    watch_begin(r, &w);
    r->route->handler(r, r->route->user);
    if (watch_end(r, &w))
        library_body_leave(r);
}

static void go_on(struct httpsocket_request *r)
{
    switch (r->route->kind) {
    case LIBRARY_HANDLER:
        go_to_handler(r);
        return;
    case LIBRARY_FOLDER:
        go_to_folder(r);
        return;
    case LIBRARY_ENDPOINT:
        library_body_go_on(r);
        library_peer_open(r);
        return;
    case LIBRARY_PAGE:
        go_to_page(r);
        return;
    }
}

static void ask(struct httpsocket_request *r)
{
    struct watched w;
    r->asking = true;
    watch_begin(r, &w);
    r->thread->server->options.on_access(r);
    if (watch_end(r, &w))
        library_body_leave(r);
}

void httpsocket_request_allow(struct httpsocket_request *r)
{
    struct library_thread *t = r->thread;
    library_request_owned(r);
    if (!r->x) {
        library_request_release(r);
    } else if (!r->asking || r->begun) {
        httpsocket_request_fail(r);
        return;
    } else {
        r->asking = false;
        r->on_gone = r->on_room = NULL;
        r->user = NULL;
        go_on(r);
    }
    library_wake(t);
}

static char *put(char *at, const char **ret, struct slice text)
{
    *ret = at;
    slice_copy(&at, text);
    *at++ = '\0';
    return at;
}

static struct httpsocket_request *make(const struct http_head *head, struct slice path,
                                       struct slice query, const struct library_route *route,
                                       const struct route_match *match, struct slice origin)
{
    size_t size = head->method.len + path.len + query.len + origin.len + 4;
    for (size_t i = 0; i < route->route.param_count; i++)
        size += match->values[i].len + 1;
    struct httpsocket_request *r = log_needed(malloc(sizeof(*r) + size));
    if (!r)
        return NULL;
    *r = (struct httpsocket_request){.head = head, .route = route};
    char *at = put(r->texts, &r->method, head->method);
    at = put(at, &r->path, path);
    at = put(at, &r->query, query);
    for (size_t i = 0; i < route->route.param_count; i++)
        at = put(at, &r->values[i], match->values[i]);
    if (origin.ptr)
        r->origin = slice_copy(&at, origin);
    list_init(&r->node);
    timer_init(&r->kick, library_on_kick);
    return r;
}

struct httpsocket_request *library_request_to_read(struct library_thread *t,
                                                   const struct library_route *route,
                                                   const struct program_request *request)
{
    struct route_match match;
    route_find(&t->server->routes, request->head->method, request->path, &match);
    if (match.route != &route->route) /* a handshake */
        route_find(&t->server->routes, SLICE_LITERAL("WEBSOCKET"), request->path, &match);
    struct httpsocket_request *r =
        make(request->head, request->path, request->query, route, &match, SLICE_NONE);
    if (!r)
        return NULL;
    r->thread = t;
    r->peer = &request->peer;
    r->handshake = request->connect;
    r->read_only = true;
    return r;
}

void library_request_drop(struct httpsocket_request *r)
{
    free_request(&r->reap);
}

void library_request_begin(struct library_thread *t, struct exchange *x,
                           const struct library_route *route, const struct route_match *match,
                           const struct page_visitor *visitor)
{
    struct httpsocket_request *r =
        make(x->request, x->path, x->query, route, match, visitor ? visitor->origin : SLICE_NONE);
    if (!r) {
        if (visitor && visitor->grant)
            visitor->grant->on_over(visitor->grant);
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
        return;
    }
    r->x = x;
    r->thread = t;
    r->handshake = visitor != NULL;
    r->same_origin = visitor && visitor->same_origin;
    r->grant = visitor ? visitor->grant : NULL;
    list_append(&t->requests, &r->node);
    x->ops = &ops;
    x->owner = r;
    if (t->server->options.on_access)
        ask(r);
    else
        go_on(r);
}

/* ---- what it is ---- */

const char *httpsocket_request_method(const struct httpsocket_request *r)
{
    return r->method;
}

const char *httpsocket_request_path(const struct httpsocket_request *r)
{
    return r->path;
}

const char *httpsocket_request_query(const struct httpsocket_request *r)
{
    return r->query;
}

const char *httpsocket_request_param(const struct httpsocket_request *r, const char *name)
{
    const struct route *route = &r->route->route;
    for (size_t i = 0; name && i < route->param_count; i++)
        if (slice_equal(route->names[i], slice_of(name)))
            return r->values[i];
    return NULL;
}

const char *httpsocket_request_header(const struct httpsocket_request *r, const char *name,
                                      size_t *ret_size)
{
    struct slice value = SLICE_NONE;
    for (size_t i = 0; name && r->head && !value.ptr && i < r->head->header_count; i++)
        if (slice_equal_nocase(r->head->headers[i].name, slice_of(name)))
            value = r->head->headers[i].value;
    if (ret_size)
        *ret_size = value.len;
    return value.ptr;
}

size_t httpsocket_request_address(const struct httpsocket_request *r, char *out, size_t size)
{
    struct net_address address;
    char text[NET_ADDRESS_TEXT_MAX];
    bool known = r->peer || (r->x && exchange_peer(r->x, &address) == 0);
    size_t len = known ? net_address_print_host(r->peer ? r->peer : &address, text) : 0;
    return (size_t)snprintf(out, size, "%.*s", (int)len, text);
}

bool httpsocket_request_is_websocket(const struct httpsocket_request *r)
{
    return r->handshake;
}

struct httpsocket_server *httpsocket_request_server(const struct httpsocket_request *r)
{
    return r->thread->server;
}

unsigned httpsocket_request_thread(const struct httpsocket_request *r)
{
    return r->thread->worker->index;
}

void httpsocket_request_set_user(struct httpsocket_request *r, void *user)
{
    r->user = user;
}

void *httpsocket_request_user(const struct httpsocket_request *r)
{
    return r->user;
}

void httpsocket_request_on_gone(struct httpsocket_request *r, httpsocket_gone_fn *gone, void *arg)
{
    r->on_gone = gone;
    r->gone_arg = arg;
}

bool httpsocket_request_is_gone(const struct httpsocket_request *r)
{
    return !r->x;
}

void httpsocket_request_on_room(struct httpsocket_request *r, httpsocket_gone_fn *room, void *arg)
{
    r->on_room = room;
    r->room_arg = arg;
}
