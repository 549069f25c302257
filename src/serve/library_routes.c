/* SPDX-License-Identifier: MIT */
#include "serve/library.h"

#include "base/log.h"
#include "http/static.h"
#include "proto/close_code.h"
#include "serve/wiring.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define HANDSHAKE SLICE_LITERAL("WEBSOCKET") /* the method by which endpoints stand in the table */
#define ALLOW_MAX 256

static struct library_route *of_route(struct route *route)
{
    return route ? container_of(route, struct library_route, route) : NULL;
}

static bool is_endpoint(const struct route *route)
{
    return container_of(route, const struct library_route, route)->kind == LIBRARY_ENDPOINT;
}

/* ---- where nothing answers ---- */

static void answer_upgrade(struct exchange *x)
{
    static const struct http_header headers[] = {
        {SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket")},
        {SLICE_LITERAL("Sec-WebSocket-Version"), SLICE_LITERAL("13")},
    };
    exchange_answer(x, 426, SLICE_LITERAL("WebSocket is spoken here"), headers, 2);
}

static void add_method(struct text *allow, struct slice method)
{
    text_printf(allow, "%s%.*s", allow->len ? ", " : "", SLICE_ARG(method));
}

/* The path is known, under other methods. */
static void answer_other_methods(struct exchange *x, const struct route *routes)
{
    char text[ALLOW_MAX];
    struct text allow = TEXT_IN(text);
    for (const struct route *r = routes; r; r = r->next) {
        if (is_endpoint(r))
            continue;
        add_method(&allow, r->method);
        if (slice_equal(r->method, SLICE_LITERAL("GET")))
            add_method(&allow, SLICE_LITERAL("HEAD"));
    }
    if (!allow.len) {
        answer_upgrade(x);
        return;
    }
    add_method(&allow, SLICE_LITERAL("OPTIONS"));
    struct http_header header = {SLICE_LITERAL("Allow"), text_slice(&allow)};
    if (slice_equal(x->request->method, SLICE_LITERAL("OPTIONS"))) {
        exchange_respond(x, 204, SLICE_NONE, &header, 1, 0);
        exchange_end(x);
        return;
    }
    exchange_answer(x, 405, SLICE_LITERAL("this is not done here"), &header, 1);
}

/* ---- the router ---- */

static void answer(struct worker *w, struct exchange *x, const struct origin *here)
{
    struct library_thread *t = library_thread_of(w);
    struct route_match match;
    (void)here;
    route_find(&t->server->routes, x->request->method, x->path, &match);
    struct library_route *route = of_route(match.route);
    if (route && route->kind == LIBRARY_ENDPOINT)
        answer_upgrade(x);
    else if (route && route->kind == LIBRARY_FOLDER && !t->server->options.on_access)
        library_folder_answer(t, route, x, match.values[0]);
    else if (route && route->kind == LIBRARY_PAGE && !t->server->options.on_access)
        library_page_open(t, route, x);
    else if (route)
        library_request_begin(t, x, route, &match, NULL);
    else if (match.other_methods)
        answer_other_methods(x, match.other_methods);
    else
        exchange_answer(x, 404, SLICE_LITERAL("not found"), NULL, 0);
}

static void refuse(struct worker *w, struct exchange *x, const struct page_visitor *visitor,
                   unsigned code, const char *token)
{
    if (visitor->grant)
        visitor->grant->on_over(visitor->grant);
    page_refuse(w->pages, x, code, slice_of(token), 0, true);
}

static void connect_to_endpoint(struct worker *w, struct exchange *x,
                                const struct page_visitor *visitor)
{
    struct library_thread *t = library_thread_of(w);
    struct route_match match;
    route_find(&t->server->routes, HANDSHAKE, x->path, &match);
    struct library_route *route = of_route(match.route);
    if (w->draining)
        refuse(w, x, visitor, CLOSE_SERVICE_RESTART, "draining");
    else if (route && route->kind == LIBRARY_PAGE && !t->server->options.on_access)
        library_page_connect(t, route, x, visitor);
    else if (route && (route->kind == LIBRARY_ENDPOINT || route->kind == LIBRARY_PAGE))
        library_request_begin(t, x, route, &match, visitor);
    else
        refuse(w, x, visitor, CLOSE_NO_PROGRAM, "no-program");
}

/* Whatever answers by code, but files. */
static bool guards(struct worker *w, struct slice path)
{
    struct library_thread *t = library_thread_of(w);
    struct route_match match;
    route_find(&t->server->routes, HANDSHAKE, path, &match);
    if (!match.route)
        route_find(&t->server->routes, SLICE_LITERAL("GET"), path, &match);
    return match.route ? of_route(match.route)->kind != LIBRARY_FOLDER
                       : match.other_methods != NULL;
}

static void drain(struct worker *w)
{
    library_peers_drain(library_thread_of(w));
}

static void stop(struct worker *w)
{
    library_peers_stop(library_thread_of(w));
}

static bool empty(const struct worker *w)
{
    const struct library_thread *t = w->own;
    return list_empty(&t->peers);
}

const struct router library_router = {
    .answer = answer,
    .connect = connect_to_endpoint,
    .guards = guards,
    .drain = drain,
    .stop = stop,
    .empty = empty,
};

/* ---- folders ---- */

static void answer_found(struct exchange *x, struct site_found *found)
{
    switch (found->kind) {
    case SITE_FILE:
        static_answer(x, found);
        return;
    case SITE_REDIRECT:
        static_redirect_to_folder(x);
        return;
    case SITE_NONE:
        exchange_answer(x, 404, SLICE_LITERAL("not found"), NULL, 0);
        return;
    case SITE_PROGRAM:
    case SITE_FORBIDDEN:
        exchange_answer(x, 403, SLICE_LITERAL("not to be read"), NULL, 0);
        return;
    case SITE_FAILED:
        exchange_answer(x, 503, SLICE_LITERAL("the server can't open files right now"), NULL, 0);
        return;
    }
}

void library_folder_answer(struct library_thread *t, const struct library_route *r,
                           struct exchange *x, struct slice rest)
{
    struct site_found found;
    struct slice path = slice_make(rest.ptr - 1, rest.len + 1); /* with the slash before it */
    if (!slice_equal(x->request->method, SLICE_LITERAL("GET")) &&
        !slice_equal(x->request->method, SLICE_LITERAL("HEAD")) &&
        !slice_equal(x->request->method, SLICE_LITERAL("OPTIONS"))) {
        struct http_header allow = {SLICE_LITERAL("Allow"), SLICE_LITERAL("GET, HEAD, OPTIONS")};
        exchange_answer(x, 405, SLICE_LITERAL("this is a file"), &allow, 1);
        return;
    }
    site_find(r->sites[t->worker->index], path, &found);
    answer_found(x, &found);
}

/* ---- added ---- */

static void free_route(struct route *route)
{
    struct library_route *r = of_route(route);
    for (uint16_t i = 0; r->sites && i < r->site_count; i++)
        site_free(r->sites[i]);
    free(r->sites);
    library_endpoint_free(r->endpoint);
    free(r->page);
    route_done(route);
    free(r);
}

void library_routes_done(struct httpsocket_server *s)
{
    route_table_done(&s->routes, free_route);
}

static bool is_own(const char *pattern)
{
    const char *path = strchr(pattern, '/');
    return path && slice_starts_with(slice_of(path), SLICE_LITERAL("/.httpsocket/"));
}

/* Takes the route. */
static int add(struct httpsocket_server *s, struct library_route *r, const char *pattern)
{
    int error = !r                ? -ENOMEM
                : s->begun        ? -EBUSY
                : is_own(pattern) ? -EINVAL
                                  : route_add(&s->routes, &r->route, pattern);
    if (error && r)
        free_route(&r->route);
    return error;
}

static struct library_route *make(enum library_kind kind)
{
    struct library_route *r = log_needed(calloc(1, sizeof(*r)));
    if (r)
        r->kind = kind;
    return r;
}

int httpsocket_server_route(struct httpsocket_server *s, const char *pattern,
                            httpsocket_request_fn *handler, void *user)
{
    if (!s || !handler || !pattern)
        return -EINVAL;
    struct library_route *r = make(LIBRARY_HANDLER);
    if (r) {
        r->handler = handler;
        r->user = user;
    }
    return add(s, r, pattern);
}

static int open_sites(struct library_route *r, const struct server *server, const char *folder)
{
    uint16_t count = server->worker_count;
    struct site_config config = {
        .compressor = server->compressor,
        .kept_files_max = server->config->file_cache_max / count,
    };
    r->sites = log_needed(calloc(count, sizeof(*r->sites)));
    r->site_count = count;
    for (uint16_t i = 0; r->sites && i < count; i++) {
        r->sites[i] = site_new(folder);
        if (!r->sites[i])
            return errno ? -errno : -ENOMEM;
        site_use(r->sites[i], &config);
    }
    return r->sites ? 0 : -ENOMEM;
}

int httpsocket_server_folder(struct httpsocket_server *s, const char *prefix, const char *folder)
{
    char pattern[1024];
    size_t len = prefix ? strlen(prefix) : 0;
    if (!s || !len || !folder || *prefix != '/' || strchr(prefix, '{') ||
        len + 16 > sizeof(pattern))
        return -EINVAL;
    struct library_route *r = make(LIBRARY_FOLDER);
    int error = r ? open_sites(r, &s->server, folder) : -ENOMEM;
    if (error) {
        if (r)
            free_route(&r->route);
        return error;
    }
    memcpy(pattern, prefix, len);
    strcpy(pattern + len, prefix[len - 1] == '/' ? "{path...}" : "/{path...}");
    s->has_folders = true;
    return add(s, r, pattern);
}

int httpsocket_server_endpoint(struct httpsocket_server *s, const char *path,
                               const struct httpsocket_endpoint *endpoint)
{
    char pattern[1024];
    if (!s || !path || *path != '/' || !endpoint || strlen(path) + 16 > sizeof(pattern))
        return -EINVAL;
    struct library_route *r = make(LIBRARY_ENDPOINT);
    int error = r ? library_endpoint_new(s, endpoint, &r->endpoint) : -ENOMEM;
    if (error) {
        if (r)
            free_route(&r->route);
        return error;
    }
    stpcpy(stpcpy(pattern, "WEBSOCKET "), path);
    return add(s, r, pattern);
}

int httpsocket_server_page(struct httpsocket_server *s, const char *path,
                           const struct httpsocket_page_handler *handler)
{
    if (!s || !path || *path != '/' || !handler ||
        handler->size < offsetof(struct httpsocket_page_handler, on_body) || !handler->on_request)
        return -EINVAL;
    struct library_route *r = make(LIBRARY_PAGE);
    if (r)
        r->page = log_needed(calloc(1, sizeof(*r->page)));
    if (!r || !r->page) {
        free(r);
        return -ENOMEM;
    }
    size_t known = handler->size < sizeof(*handler) ? handler->size : sizeof(*handler);
    memcpy(r->page, handler, known);
    return add(s, r, path);
}
