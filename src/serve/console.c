/* SPDX-License-Identifier: MIT */
#include "serve/console.h"

#include "access/ip.h"

bool console_has(struct slice name)
{
    struct slice rest;
    if (!slice_starts_with(name, SLICE_LITERAL("console")))
        return false;
    rest = slice_skip(name, sizeof("console") - 1);
    return !rest.len || *rest.ptr == '/' || *rest.ptr == '.';
}

/* By TCP from this machine, or by a Unix socket. */
static bool is_local(struct exchange *x)
{
    struct net_address peer;
    if (exchange_peer(x, &peer) < 0)
        return false;
    switch (peer.any.sa_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return ntohl(peer.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&peer.v6.sin6_addr);
    default:
        return false;
    }
}

/* Whether the browser says that the request comes from no page, or from one of ours. A request that
 * changes something must say so. */
static bool is_ours(const struct exchange *x, const struct origin *here)
{
    struct slice origin = http_head_find(x->request, SLICE_LITERAL("origin"));
    struct slice site = http_head_find(x->request, SLICE_LITERAL("sec-fetch-site"));
    struct origin theirs;
    if (site.ptr && !slice_equal(site, SLICE_LITERAL("same-origin")) &&
        !slice_equal(site, SLICE_LITERAL("none")))
        return false;
    if (!origin.ptr)
        return !slice_equal(x->request->method, SLICE_LITERAL("POST"));
    return origin_parse(origin, &theirs) && origin_equal(&theirs, here);
}

bool console_lets_in(struct worker *w, struct exchange *x, const struct origin *here)
{
    if (!w->dev)
        exchange_answer(x, 404, SLICE_LITERAL("not found"), NULL, 0);
    else if (!is_local(x))
        exchange_answer(x, 403, SLICE_LITERAL("the console is for browsers on this machine"), NULL,
                        0);
    else if (!is_ours(x, here))
        exchange_answer(x, 403, SLICE_LITERAL("the console is for its own origin"), NULL, 0);
    else
        return true;
    return false;
}
