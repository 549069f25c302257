/* SPDX-License-Identifier: MIT */
#include "serve/wiring.h"

#include "access/refusal.h"
#include "base/log.h"
#include "client_files.h"
#include "dev/dev.h"
#include "http/static.h"
#include "proto/close_code.h"
#include "serve/console.h"
#include "serve/cross_site.h"
#include "serve/handshake.h"
#include "serve/server.h"

#include <stdio.h>

#define OWN_PREFIX "/.httpsocket/"

static const struct http_header retry_soon = {SLICE_LITERAL("Retry-After"), SLICE_LITERAL("1")};

/* A cache must not give a kept answer to another origin's page, which has not asked us. */
static void vary_by_origin(struct exchange *x)
{
    if (x->added_count == 0) /* else cross_site.c has done it */
        exchange_add_header(x, SLICE_LITERAL("Vary"), SLICE_LITERAL("Origin"));
}

/* ---- the server's own files ---- */

#define CLIENT "client.js"

/* A part of client.js has its address, with `NAME.HASH` as the query: so its text never changes,
 * and a Content-Security-Policy that allows client.js by its address allows the part. */
static bool names_part(struct slice name, struct slice query)
{
    if (!slice_equal(name, SLICE_LITERAL(CLIENT)))
        return false;
    for (size_t i = 0; i < CLIENT_FILE_COUNT; i++) {
        const char *hash = client_files[i].hash;
        size_t head = hash ? (size_t)(strchr(hash, '.') - hash) + 1 : 0;
        if (head && query.len > head && memcmp(query.ptr, hash, head) == 0)
            return true;
    }
    return false;
}

/* `&` and what follows only make a browser ask again. */
static struct slice without_count(struct slice query)
{
    const char *end = query.len ? memchr(query.ptr, '&', query.len) : NULL;
    return end ? slice_make(query.ptr, (size_t)(end - (const char *)query.ptr)) : query;
}

static const struct client_file *find_own(struct slice name, bool part, struct slice query)
{
    for (size_t i = 0; i < CLIENT_FILE_COUNT; i++) {
        const struct client_file *file = &client_files[i];
        if (slice_equal(name, slice_of(file->name)) && part == (file->hash != NULL) &&
            (!part || slice_equal(query, slice_of(file->hash))))
            return file;
    }
    return NULL;
}

static struct static_variant variant(const struct client_coded *coded)
{
    return (struct static_variant){slice_make(coded->data, coded->size), slice_of(coded->etag)};
}

/* The client of another version has asked: it is told so in a way that any page can hear. */
static void answer_gone(struct exchange *x)
{
    struct http_header headers[] = {
        {SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/javascript; charset=utf-8")},
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
    };
    struct slice body = SLICE_LITERAL("globalThis[Symbol.for('httpsocket.part')]?.();\n");
    exchange_respond(x, 200, SLICE_NONE, headers, 2, body.len);
    exchange_write(x, body);
    exchange_end(x);
}

static void answer_own(struct worker *w, struct exchange *x, const struct origin *here)
{
    struct slice name = slice_skip(x->path, sizeof(OWN_PREFIX) - 1);
    struct slice query = without_count(x->query);
    bool part = names_part(name, query);
    const struct client_file *file = find_own(name, part, query);
    if (console_has(name)) {
        if (!console_lets_in(w, x, here) || dev_console(w->dev, x, name))
            return;
    }
    if (!file && !part) {
        exchange_answer(x, 404, SLICE_LITERAL("not found"), NULL, 0);
        return;
    }
    vary_by_origin(x);
    if (!file) {
        answer_gone(x);
        return;
    }
    static_answer_bytes(x, &(struct static_bytes){
                               .variants =
                                   {
                                       [ENCODING_IDENTITY] = variant(&file->plain),
                                       [ENCODING_GZIP] = variant(&file->gzip),
                                       [ENCODING_BROTLI] = variant(&file->brotli),
                                   },
                               .type = slice_of(file->type),
                               .immutable = part,
                           });
}

/* ---- ordinary requests ---- */

/* Where no file or program answers: the root is always there, and HAProxy asks this of it to know
 * whether the server is; and so is what speaks WebSocket alone. */
static bool answer_options(struct worker *w, struct exchange *x)
{
    struct http_header allow = {SLICE_LITERAL("Allow"), SLICE_LITERAL("GET, HEAD, OPTIONS")};
    if (!slice_equal(x->request->method, SLICE_LITERAL("OPTIONS")) ||
        (!slice_equal(x->path, SLICE_LITERAL("/")) && !page_has_lines(w->pages, x->path)))
        return false;
    exchange_respond(x, 204, SLICE_NONE, &allow, 1, 0);
    exchange_end(x);
    return true;
}

/* Its writer learns why, by the log or while developing; a stranger need not. */
static void answer_forbidden(struct worker *w, struct exchange *x, const struct site_found *found)
{
    struct net_address peer = {0};
    char text[160];
    int len = snprintf(text, sizeof(text), "not to be read: %s", found->why);
    exchange_peer(x, &peer);
    struct net_client_key client = net_client_key_of(&peer);
    log_info("site.withheld", log_cause(net_client_slice(&client)), log_slice("path", x->path),
             log_text("why", found->why));
    exchange_answer(
        x, 403, w->dev ? slice_make(text, (size_t)len) : SLICE_LITERAL("not to be read"), NULL, 0);
}

static void answer_site(struct worker *w, struct exchange *x, const struct origin *here)
{
    struct site_found found;
    char text[ORIGIN_TEXT_SIZE];
    worker_find(w, x->path, &found);
    switch (found.kind) {
    case SITE_NONE:
        if (answer_options(w, x) || page_open_none(w->pages, x))
            return;
        exchange_answer(x, 404, SLICE_LITERAL("not found"), NULL, 0);
        return;
    case SITE_FORBIDDEN:
        answer_forbidden(w, x, &found);
        return;
    case SITE_FAILED:
        exchange_answer(x, 503, SLICE_LITERAL("the server can't open files right now"), &retry_soon,
                        1);
        return;
    case SITE_REDIRECT:
        static_redirect_to_folder(x);
        return;
    case SITE_FILE:
        vary_by_origin(x);
        static_answer(x, &found);
        return;
    case SITE_PROGRAM:
        if (w->dev && dev_wait(w->dev, x, &found))
            return;
        page_open(w->pages, x, &found, origin_write(here, text));
        return;
    }
}

static void refuse_busy(struct worker *w, struct exchange *x, const struct page_visitor *visitor)
{
    if (visitor->grant)
        visitor->grant->on_over(visitor->grant);
    page_refuse(w->pages, x, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"), 1, true);
}

static void connect_to_site(struct worker *w, struct exchange *x,
                            const struct page_visitor *visitor)
{
    struct site_found found;
    worker_find(w, x->path, &found);
    site_found_done(&found);
    if (found.kind == SITE_FAILED)
        refuse_busy(w, x, visitor);
    else
        page_connect(w->pages, x, &found, visitor);
}

static bool has_program(struct worker *w, struct slice path)
{
    struct site_found found;
    worker_find(w, path, &found);
    site_found_done(&found);
    return found.kind == SITE_PROGRAM || found.kind == SITE_FAILED;
}

const struct router wiring_site = {
    .answer = answer_site,
    .connect = connect_to_site,
    .guards = has_program,
};

/* ---- from outside ---- */

void wiring_answer(struct worker *w, struct exchange *x, const struct origin *here)
{
    if (slice_starts_with(x->path, SLICE_LITERAL(OWN_PREFIX)))
        answer_own(w, x, here);
    else
        w->server->router->answer(w, x, here);
}

static void answer_foreign_host(struct exchange *x)
{
    struct refusal refusal;
    refusal_make(&refusal, ACCESS_HOST_FOREIGN, 0, SLICE_NONE, NULL);
    exchange_answer(x, refusal.status,
                    SLICE_LITERAL("host-foreign: this Host is not one of ours (see --origin)"),
                    refusal.headers, refusal.count);
}

void wiring_request(struct http_server *server, struct exchange *x)
{
    struct worker *w = server->owner;
    struct origin here;
    struct ws_handshake handshake;
    struct http_header version[] = {
        /* RFC 9110, 15.5.22; RFC 6455, 4.4 */
        {SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket")},
        {SLICE_LITERAL("Sec-WebSocket-Version"), SLICE_LITERAL("13")},
    };
    if (!worker_is_ours(w, x, &here)) {
        answer_foreign_host(x);
        return;
    }
    switch (ws_handshake_check(x->request, &handshake)) {
    case WS_HANDSHAKE_OK:
        handshake_begin(w, x, &handshake, &here);
        return;
    case WS_HANDSHAKE_BAD:
        exchange_answer(x, 400, slice_of(handshake.why), NULL, 0);
        return;
    case WS_HANDSHAKE_BAD_VERSION:
        exchange_answer(x, 426, SLICE_LITERAL("WebSocket version 13 is spoken here"), version, 2);
        return;
    case WS_HANDSHAKE_NONE:
        break;
    }
    if (handshake_is_elsewhere(w, x))
        return;
    if (!cross_site_begin(w, x, &here))
        wiring_answer(w, x, &here);
}

/* ---- channels ---- */

void wiring_tcp(void *owner, struct channel *c, struct slice json, const struct page_opener *opener)
{
    struct worker *w = owner;
    struct gateway_page page = {
        .origin = opener->origin,
        .address = opener->address,
        .client = opener->client,
        .who = opener->who,
        .ask = opener->ask,
        .owner = opener->owner,
    };
    page.here_known = opener->same_origin && origin_parse(opener->origin, &page.here);
    gateway_open(&w->gateway, c, json, &page);
}
