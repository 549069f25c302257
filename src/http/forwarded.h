/* SPDX-License-Identifier: MIT */
/* forwarded.h - what a trusted proxy says of the request: who its client is, and which scheme,
 * host, port and path the browser sees.
 *
 * X-Forwarded-For, -Proto, -Host, -Port and -Prefix; or Forwarded (RFC 7239) where a request has
 * none of those. A request that has both is from a proxy that writes the former, and a client that
 * writes the latter: so Forwarded does not count then.
 *
 * Each proxy appends the address of its own peer. So the list is read from its end: while an
 * address is a trusted proxy's, the address before it counts. Addresses that a client has written
 * itself stand before those, and are never reached. The other fields are lists too, or were
 * replaced: of the trusted proxies the outermost counts, which the browser has reached.
 *
 * Pure.
 */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "http/server.h"

/* The most entries that are followed. In a longer chain of trusted proxies the last one followed
 * counts as the client. */
#define FORWARDED_HOPS_MAX 16

/* *address is the connection's peer, and becomes the client's; its port is then 0 unless the entry
 * has one. An entry that is no address ends the search. */
void forwarded_client(const struct http_limits *limits, const struct http_head *request,
                      struct net_address *address);

/* As forwarded_client(), for a request about which a web server asks: the last entry is the client
 * that the asking server saw, so it counts in any case. False, and *ret untouched, if there is
 * none, or if it is no address. */
bool forwarded_client_told(const struct http_limits *limits, const struct http_head *request,
                           struct net_address *ret);

/* Where the browser is. What nobody told, or what is malformed, is 0 or SLICE_NONE. The slices
 * point into the request. */
struct forwarded_place {
    enum {
        FORWARDED_SCHEME_UNTOLD,
        FORWARDED_HTTP,
        FORWARDED_HTTPS
    } scheme;
    uint16_t port;
    struct slice host; /* an authority; may have a port of its own */
    struct slice base; /* as http_base_of() */
};

/* `peer`: of the connection. False: it is no trusted proxy, and *ret says nothing. */
bool forwarded_place(const struct http_limits *limits, const struct http_head *request,
                     const struct net_address *peer, struct forwarded_place *ret);

/* The path below which the browser sees this server, without a slash at its end: `/app`. SLICE_NONE
 * for `/`, and for anything but a path of plain segments (letters, digits and - . _ ~). */
struct slice http_base_of(struct slice text);

#endif
