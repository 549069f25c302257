/* SPDX-License-Identifier: MIT */
/* server_origins.h - which origins are ours: what a Host may say, and so which pages are
 * same-origin (script-access, "Order").
 *
 * Never taken from the Host alone: a name that an attacker points at us (DNS rebinding) would make
 * the attacker's site same-origin. If origins are configured, they are the only ones. Otherwise
 * loopback names are ours, and the literal address that the connection came in on.
 */
#ifndef ACCESS_SERVER_ORIGINS_H
#define ACCESS_SERVER_ORIGINS_H

#include "net/address.h"
#include "proto/origin.h"

struct server_origins {
    const struct origin *list; /* borrowed */
    size_t count;
};

/* Is the request's Host ours? Then *ret is the origin that its page has. A configured origin is
 * found by host and port, whatever the listener's scheme: TLS may end at a proxy. If there are two,
 * that of `scheme` is it. `local`: where
 * the connection came in; NULL: not known, and then it makes no Host ours. */
bool server_origin_find(const struct server_origins *origins, enum origin_scheme scheme,
                        struct slice host, const struct net_address *local, struct origin *ret);

#endif
