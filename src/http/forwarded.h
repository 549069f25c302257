/* SPDX-License-Identifier: MIT */
/* forwarded.h - the client that a trusted proxy speaks for: X-Forwarded-For.
 *
 * Each proxy appends the address of its own peer. So the list is read from its end: while an
 * address is a trusted proxy's, the address before it counts. Addresses that a client has written
 * itself stand before those, and are never reached. (RFC 7239 defines a header for this that no
 * common proxy sends by itself.)
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

#endif
