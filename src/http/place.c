/* SPDX-License-Identifier: MIT */
/* place.c - where the browser is: the scheme, host, port and path that its address bar shows. */
#include "http/connection.h"
#include "http/forwarded.h"
#include "proto/origin.h"

#include <stdio.h>

void exchange_name_host(struct exchange *x, struct slice host)
{
    struct http_exchange *hx = exchange_of(x);
    host = slice_first(host, sizeof(hx->host));
    memcpy(hx->host, host.ptr, host.len);
    x->host = slice_make(hx->host, host.len);
}

/* ---- the target ---- */

/* The scheme of an absolute-form target; ORIGIN_OPAQUE for other forms. */
static enum origin_scheme target_scheme(struct slice target)
{
    struct slice scheme = slice_first(target, slice_find(target, ':'));
    if (target.ptr[0] == '/')
        return ORIGIN_OPAQUE;
    return slice_equal_nocase(scheme, SLICE_LITERAL("https"))  ? ORIGIN_HTTPS
           : slice_equal_nocase(scheme, SLICE_LITERAL("http")) ? ORIGIN_HTTP
                                                               : ORIGIN_OPAQUE;
}

/* ---- from the proxy ---- */

static uint16_t port_of(struct slice host)
{
    struct authority authority;
    return authority_parse(host, &authority) ? authority.port : 0;
}

static uint16_t default_port(bool secure)
{
    return origin_default_port(secure ? ORIGIN_HTTPS : ORIGIN_HTTP);
}

/* A port that is told beside the host becomes a part of it. */
static void use_port(struct http_exchange *hx, uint16_t port)
{
    struct exchange *x = &hx->x;
    if (!port || !x->host.ptr || port_of(x->host) || port == default_port(x->secure))
        return;
    struct slice name = x->host;
    if (slice_ends_with(name, SLICE_LITERAL(":")))
        name.len--;
    int len = snprintf(hx->host, sizeof(hx->host), "%.*s:%u", SLICE_ARG(name), port);
    if (len < (int)sizeof(hx->host))
        x->host = slice_make(hx->host, (size_t)len);
}

static void use_told(struct http_exchange *hx, const struct forwarded_place *told)
{
    struct exchange *x = &hx->x;
    enum origin_scheme scheme = target_scheme(hx->head.target);
    if (told->scheme != FORWARDED_SCHEME_UNTOLD)
        x->secure = told->scheme == FORWARDED_HTTPS;
    else if (scheme != ORIGIN_OPAQUE) /* of a trusted gateway (RFC 9110, 7.4) */
        x->secure = scheme == ORIGIN_HTTPS;
    if (told->host.ptr)
        x->host = told->host;
    if (told->base.ptr)
        x->base = told->base;
    use_port(hx, told->port);
    x->port = port_of(x->host) ? port_of(x->host) : default_port(x->secure);
}

bool place_find(struct http_exchange *hx)
{
    struct exchange *x = &hx->x;
    struct connection *c = hx->connection;
    const struct http_limits *limits = c->server->limits;
    struct net_address peer;
    struct forwarded_place told;
    x->secure = c->passed ? c->passed->secure : stream_secure(c->stream);
    x->host = hx->head.host;
    if (limits->trusts && connection_peer(c, &peer) == 0 &&
        forwarded_place(limits, x->request, &peer, &told))
        use_told(hx, &told);
    enum origin_scheme scheme = target_scheme(hx->head.target);
    return scheme == ORIGIN_OPAQUE || (scheme == ORIGIN_HTTPS) == x->secure;
}

/* ---- the base ---- */

bool place_cut_base(struct http_exchange *hx)
{
    struct exchange *x = &hx->x;
    struct slice base = x->base;
    x->base_cut = base.ptr != NULL;
    if (!base.ptr || !slice_starts_with(x->path, base))
        return true;
    if (x->path.len == base.len)
        return false;
    if (x->path.ptr[base.len] != '/')
        return true;
    x->path = slice_skip(x->path, base.len);
    x->base_cut = false;
    return true;
}
