/* SPDX-License-Identifier: MIT */
/* library_request.c - one request of a server of the library, and its answer.
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
#include "proto/http_chars.h"

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
static void owned(const struct httpsocket_request *r)
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

/* ---- the body ---- */

/* Nothing comes as long as nobody reads. */
static void rest_unread(struct httpsocket_request *r)
{
    bool unread = r->x && r->body == BODY_UNREAD && !r->body_ended;
    if (unread && r->x->request->body != HTTP_BODY_NONE && !r->paused) {
        r->paused = true;
        exchange_pause(r->x);
    }
}

static void go_on_reading(struct httpsocket_request *r)
{
    if (!r->paused || !r->x)
        return;
    r->paused = false;
    if (r->body_ended)
        timer_start(library_loop(r->thread), &r->kick, 0);
    exchange_resume(r->x);
}

static void body_failed(struct httpsocket_request *r, int error)
{
    r->body = BODY_DONE;
    text_done(&r->gathered);
    r->on_body(r, error, NULL, 0, r->body_arg);
}

static void on_body(struct exchange *x, struct slice data)
{
    struct httpsocket_request *r = x->owner;
    if (r->body == BODY_STREAM) {
        r->on_body(r, 0, data.ptr, data.len, r->body_arg);
        return;
    }
    if (r->body != BODY_WHOLE)
        return;
    if (data.len > r->body_max - r->gathered.len) {
        body_failed(r, -EMSGSIZE);
        return;
    }
    text_put(&r->gathered, data);
    if (r->gathered.failed)
        body_failed(r, -ENOMEM);
}

static void deliver_end(struct httpsocket_request *r)
{
    bool whole = r->body == BODY_WHOLE;
    r->body = BODY_DONE;
    struct slice data = whole ? text_slice(&r->gathered) : SLICE_NONE;
    r->on_body(r, 0, data.ptr ? data.ptr : "", data.len, r->body_arg);
}

static void on_body_end(struct exchange *x)
{
    struct httpsocket_request *r = x->owner;
    r->body_ended = true;
    if ((r->body == BODY_WHOLE || r->body == BODY_STREAM) && !r->paused)
        deliver_end(r);
}

static void on_kick(struct timer *timer)
{
    struct httpsocket_request *r = container_of(timer, struct httpsocket_request, kick);
    if (r->body != BODY_WHOLE && r->body != BODY_STREAM)
        return;
    if (!r->x)
        body_failed(r, -EPIPE);
    else if (r->body_ended && !r->paused)
        deliver_end(r);
}

static void read_body(struct httpsocket_request *r, httpsocket_body_fn *fn, void *arg, bool whole)
{
    owned(r);
    if (r->body != BODY_UNREAD || r->asking || !fn)
        return;
    r->body = whole ? BODY_WHOLE : BODY_STREAM;
    r->on_body = fn;
    r->body_arg = arg;
    if (!r->x || (r->body_ended && !r->paused))
        timer_start(library_loop(r->thread), &r->kick, 0);
    go_on_reading(r);
    library_wake(r->thread);
}

void httpsocket_request_read(struct httpsocket_request *r, size_t max, httpsocket_body_fn *whole,
                             void *arg)
{
    r->body_max = max ? max : (size_t)r->thread->server->server.config->body_max;
    read_body(r, whole, arg, true);
}

void httpsocket_request_stream(struct httpsocket_request *r, httpsocket_body_fn *piece, void *arg)
{
    read_body(r, piece, arg, false);
}

void httpsocket_request_pause(struct httpsocket_request *r)
{
    if (!r->x || r->paused || r->asking)
        return;
    r->paused = true;
    exchange_pause(r->x);
}

void httpsocket_request_resume(struct httpsocket_request *r)
{
    if (r->body == BODY_UNREAD || r->asking)
        return;
    go_on_reading(r);
    library_wake(r->thread);
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
        body_failed(r, -EPIPE);
    if (watch_end(r, &w) && r->on_gone)
        r->on_gone(r, r->gone_arg);
}

static const struct exchange_ops ops = {on_body, on_body_end, on_writable, on_abort};

/* ---- its way ----
 *
 * A request that on_access has let wait is paused. A handler goes on by reading; others at once. */

static void go_to_folder(struct httpsocket_request *r)
{
    struct library_thread *t = r->thread;
    const struct library_route *route = r->route;
    struct route_match match;
    go_on_reading(r);
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
    go_on_reading(r);
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
        rest_unread(r);
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
        go_on_reading(r);
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
        rest_unread(r);
}

void httpsocket_request_allow(struct httpsocket_request *r)
{
    struct library_thread *t = r->thread;
    owned(r);
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
    timer_init(&r->kick, on_kick);
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

/* ---- the answer ---- */

/* What is the connection's own to say. */
static bool is_framing(struct slice name)
{
    static const char *const own[] = {"connection",        "content-length", "date",
                                      "keep-alive",        "server",         "trailer",
                                      "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (slice_equal_nocase(name, slice_of(own[i])))
            return true;
    return false;
}

static bool is_field(struct slice name, struct slice value)
{
    const char *end = value.ptr + value.len;
    return name.len && http_skip_token(name.ptr, name.ptr + name.len) == name.ptr + name.len &&
           http_skip_field(value.ptr, end) == end && !is_framing(name);
}

int library_headers_add(struct library_headers *h, const char *name, const char *value)
{
    if (!name || !value)
        return -EINVAL;
    struct slice n = slice_of(name), v = slice_trim(slice_of(value));
    if (!is_field(n, v))
        return -EINVAL;
    if (!h->list)
        h->list = log_needed(calloc(LIBRARY_HEADERS_MAX, sizeof(*h->list)));
    char *text = h->list && h->count < LIBRARY_HEADERS_MAX ? malloc(n.len + v.len) : NULL;
    if (!text)
        return -ENOMEM;
    struct http_header *header = &h->list[h->count++];
    header->name = slice_copy(&text, n);
    header->value = slice_copy(&text, v);
    return 0;
}

size_t library_headers_list(const struct library_headers *h, const char *type,
                            struct http_header *ret)
{
    size_t count = 0;
    if (type && http_skip_field(type, type + strlen(type)) == type + strlen(type))
        ret[count++] = (struct http_header){SLICE_LITERAL("Content-Type"), slice_of(type)};
    for (size_t i = 0; i < h->count; i++)
        ret[count++] = h->list[i];
    return count;
}

void library_headers_done(struct library_headers *h)
{
    for (size_t i = 0; i < h->count; i++)
        free((char *)h->list[i].name.ptr);
    free(h->list);
    *h = (struct library_headers){0};
}

int httpsocket_request_add(struct httpsocket_request *r, const char *name, const char *value)
{
    return r->begun ? -EALREADY : library_headers_add(&r->headers, name, value);
}

static void respond(struct httpsocket_request *r, int status, const char *type, uint64_t length)
{
    struct http_header headers[LIBRARY_HEADERS_MAX + 1];
    size_t count = library_headers_list(&r->headers, type, headers);
    exchange_respond(r->x, status >= 200 && status <= 599 ? status : 500, SLICE_NONE, headers,
                     count, length);
    r->begun = true;
}

void httpsocket_request_answer(struct httpsocket_request *r, int status, const char *type,
                               const void *data, size_t size)
{
    struct library_thread *t = r->thread;
    owned(r);
    if (r->begun) {
        httpsocket_request_fail(r);
        return;
    }
    if (r->x) {
        respond(r, status, type, size);
        exchange_write(r->x, slice_make(data, size));
    }
    struct exchange *x = library_request_release(r);
    if (x)
        exchange_end(x);
    library_wake(t);
}

int httpsocket_request_begin(struct httpsocket_request *r, int status, const char *type,
                             uint64_t length)
{
    owned(r);
    if (r->begun)
        return -EALREADY;
    if (r->x)
        respond(r, status, type, length);
    r->begun = true;
    library_wake(r->thread);
    return 0;
}

enum httpsocket_sent httpsocket_request_write(struct httpsocket_request *r, const void *data,
                                              size_t size)
{
    if (!r->x || !r->begun)
        return HTTPSOCKET_REFUSED;
    size_t most = (size_t)r->thread->server->server.config->buffer_max;
    if (r->wants_room && exchange_queued(r->x) + size > most)
        return HTTPSOCKET_REFUSED;
    r->wants_room = !exchange_write(r->x, slice_make(data, size));
    library_wake(r->thread);
    return r->wants_room ? HTTPSOCKET_QUEUED : HTTPSOCKET_SENT;
}

void httpsocket_request_end(struct httpsocket_request *r)
{
    struct library_thread *t = r->thread;
    owned(r);
    if (r->x && !r->begun)
        respond(r, 204, NULL, 0);
    struct exchange *x = library_request_release(r);
    if (x)
        exchange_end(x);
    library_wake(t);
}

void httpsocket_request_fail(struct httpsocket_request *r)
{
    struct library_thread *t = r->thread;
    owned(r);
    bool begun = r->begun;
    struct exchange *x = library_request_release(r);
    if (x && begun)
        exchange_fail(x);
    else if (x)
        exchange_answer(x, 500, SLICE_LITERAL("the server has failed"), NULL, 0);
    library_wake(t);
}
