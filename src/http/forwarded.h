/* SPDX-License-Identifier: MIT */
/* forwarded.h - whom a trusted proxy speaks for: X-Forwarded-For.
 *
 * Each proxy appends the address that it was reached from. So the list is read from its end: while
 * the address so far is a trusted proxy's, the next one counts. What a client has written itself
 * stands before all that, and is never reached. (RFC 7239 has the same in a header that no common
 * proxy sends by itself.)
 */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "http/server.h"

/* No chain of trusted proxies is longer; beyond, the last of these is the client. */
#define FORWARDED_HOPS_MAX 16

/* *address is the connection's peer, and becomes the client's; its port is then 0 unless it was
 * said. An entry that is no address ends the search. */
void forwarded_client(const struct http_limits *limits, const struct http_head *request,
                      struct net_address *address);

#endif
