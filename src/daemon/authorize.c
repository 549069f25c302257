/* SPDX-License-Identifier: MIT */
#include "daemon/authorize.h"

#include "http/forwarded.h"
#include "serve/cors.h"

#include <stdio.h>

/* The request as the asking server describes it. */
struct told {
    struct slice scheme, host, uri, method;
    enum {
        CLIENT_UNTOLD,
        CLIENT_TOLD,
        CLIENT_BAD
    } client;
    struct net_client_key client_key;
};

static struct slice find(const struct exchange *x, const char *name)
{
    return http_head_find(x->request, slice_of(name));
}

static struct slice find_either(const struct exchange *x, const char *name, const char *other)
{
    struct slice value = find(x, name);
    return value.ptr ? value : find(x, other);
}

static bool read_address(struct slice text, struct net_address *ret)
{
    char buffer[NET_ADDRESS_TEXT_MAX];
    const char *why;
    bool v6 = slice_find(text, ':') < text.len;
    int len = snprintf(buffer, sizeof(buffer), v6 ? "[%.*s]:1" : "%.*s:1", SLICE_ARG(text));
    return len < (int)sizeof(buffer) &&
           net_address_parse(slice_make(buffer, (size_t)len), ret, &why) == 0;
}

/* The last address of X-Forwarded-For, over all its lines, is the client that the asking server
 * saw; unless that is a trusted proxy, those before it are unproven. */
static void read_client(const struct exchange *x, const struct proxies *proxies, struct told *ret)
{
    struct http_limits limits = {.trusts = proxies_trust, .proxies = proxies};
    struct net_address address;
    struct slice real = find(x, "x-real-ip");
    bool by_list = http_head_count(x->request, SLICE_LITERAL("x-forwarded-for")) > 0;
    if (!by_list && !real.ptr)
        return;
    bool good = by_list ? forwarded_client_told(&limits, x->request, &address)
                        : read_address(real, &address);
    ret->client = good ? CLIENT_TOLD : CLIENT_BAD;
    if (good)
        ret->client_key = net_client_key_of(&address);
}

static struct told read_told(const struct exchange *x)
{
    struct told told = {
        .scheme = find(x, "x-forwarded-proto"),
        .host = find(x, "x-forwarded-host"),
        .uri = find_either(x, "x-forwarded-uri", "x-original-uri"),
        .method = find_either(x, "x-forwarded-method", "x-original-method"),
    };
    struct slice url = find(x, "x-original-url");
    size_t colon = slice_find(url, ':');
    if (!told.host.ptr)
        told.host = x->request->host;
    if (!told.method.ptr)
        told.method = x->request->method;
    if (url.ptr && slice_starts_with(slice_skip(url, colon), SLICE_LITERAL("://"))) {
        struct slice rest = slice_skip(url, colon + 3);
        told.scheme = slice_first(url, colon);
        told.host = slice_first(rest, slice_find(rest, '/'));
        told.uri = slice_skip(rest, told.host.len);
    }
    return told;
}

static enum origin_scheme scheme_of(struct slice text)
{
    bool secure =
        slice_equal(text, SLICE_LITERAL("https")) || slice_equal(text, SLICE_LITERAL("wss"));
    return secure ? ORIGIN_HTTPS : ORIGIN_HTTP;
}

static size_t count_all(const struct exchange *x, const char *const *names, size_t count)
{
    size_t told = 0;
    for (size_t i = 0; i < count; i++)
        told += http_head_count(x->request, slice_of(names[i]));
    return told;
}

/* The asking server sends each of these headers once; a second one would be its client's invention.
 */
static bool is_told_twice(const struct exchange *x)
{
    static const char *const uris[] = {"x-forwarded-uri", "x-original-uri", "x-original-url"};
    static const char *const methods[] = {"x-forwarded-method", "x-original-method"};
    static const char *const others[] = {"x-forwarded-proto", "x-forwarded-host", "x-real-ip"};
    bool twice = count_all(x, uris, 3) > 1 || count_all(x, methods, 2) > 1;
    for (size_t i = 0; i < 3; i++)
        twice |= count_all(x, &others[i], 1) > 1;
    return twice;
}

/* ---- answers ---- */

static void answer_yes(struct exchange *x, const struct http_header *more, size_t count,
                       enum access_reason reason)
{
    struct http_header headers[CORS_HEADERS_MAX + 2] = {
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
        {SLICE_LITERAL("Script-Access-Reason"), slice_of(access_reason_row(reason)->token)},
    };
    for (size_t i = 0; i < count; i++)
        headers[i + 2] = more[i];
    exchange_respond(x, 204, SLICE_NONE, headers, count + 2, 0);
    exchange_end(x);
}

static void on_verdict(struct pending_request *p, const struct access_result *result)
{
    struct exchange *x = p->x;
    struct http_header headers[CORS_HEADERS_MAX];
    if (access_reason_row(result->reason)->verdict != ACCESS_ALLOW) {
        bool one_status = slice_equal(x->query, SLICE_LITERAL("status=403"));
        pending_refuse_as(p, result->reason, result->retry_s, NULL, one_status ? 403 : 0);
        return;
    }
    bool preflight = cors_is_preflight(x->request, read_told(x).method);
    size_t count = preflight ? cors_allow_preflight(x->request, headers)
                             : cors_allow(p->check.request.origin, headers);
    answer_yes(x, headers, count, result->reason);
}

/* ---- the question ---- */

static void answer_untold(struct exchange *x, const char *what)
{
    exchange_answer(x, 400, slice_of(what), NULL, 0);
}

/* No page's script, or one of our own pages: nothing to decide. */
static bool is_at_home(struct slice origin, const struct origin *here, enum access_reason *ret)
{
    struct origin theirs;
    *ret = origin.ptr ? ACCESS_OK_SAME_ORIGIN : ACCESS_OK_NO_ORIGIN;
    return !origin.ptr || (origin_parse(origin, &theirs) && origin_equal(&theirs, here));
}

static void decide(struct script_access *script_access, struct exchange *x, const struct told *told,
                   const struct origin *here)
{
    struct slice path, query;
    size_t len;
    struct pending_request *p = pending_new(script_access, x, told->uri.len);
    if (!p)
        return;
    struct access_request *request = &p->check.request;
    pending_describe(p, here, ACCESS_PATH_WEB);
    if (!http_target_split(told->uri, &path, &query) || !http_path_decode(path, p->text, &len)) {
        pending_drop(p);
        answer_untold(x, "the path of X-Forwarded-Uri, X-Original-URI or X-Original-URL is bad");
        return;
    }
    request->url_path = slice_make(p->text, len);
    if (told->client == CLIENT_BAD) {
        pending_drop(p);
        answer_untold(x, "X-Forwarded-For or X-Real-IP: expected an IP address");
        return;
    }
    if (told->client == CLIENT_TOLD)
        request->client = told->client_key;
    p->on_verdict = on_verdict;
    pending_begin(p);
}

void authorize_begin(struct script_access *script_access, const struct server_origins *origins,
                     const struct proxies *proxies, struct exchange *x)
{
    struct told told = read_told(x);
    read_client(x, proxies, &told);
    struct net_address local;
    struct origin here;
    enum access_reason reason;
    bool known = exchange_local(x, &local) == 0;
    if (is_told_twice(x)) {
        answer_untold(x, "what is asked for is said in two ways");
        return;
    }
    if (!told.uri.len) {
        answer_untold(x,
                      "say what is asked for: X-Forwarded-Uri, X-Original-URI or X-Original-URL");
        return;
    }
    if (!server_origin_find(origins, scheme_of(told.scheme), told.host, known ? &local : NULL,
                            &here)) {
        exchange_answer(x, 421,
                        SLICE_LITERAL("host-foreign: this host is not one of ours (see --origin)"),
                        NULL, 0);
        return;
    }
    if (is_at_home(find(x, "origin"), &here, &reason))
        answer_yes(x, NULL, 0, reason);
    else
        decide(script_access, x, &told, &here);
}
