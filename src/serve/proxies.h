/* SPDX-License-Identifier: MIT */
/* proxies.h - the proxies before this server that are trusted to name their clients.
 *
 * Immutable once read. Threads: any.
 */
#ifndef SERVE_PROXIES_H
#define SERVE_PROXIES_H

#include "access/ip.h"
#include "base/text.h"
#include "net/address.h"

struct proxies {
    struct ip_range *ranges; /* owned */
    size_t count;
    bool local; /* `unix`: every peer on a Unix socket */
};

/* Each an address, a range such as 10.0.0.0/8, or `unix`. False with `why`; proxies_done() all the
 * same. */
bool proxies_read(char *const *items, size_t count, struct proxies *ret, struct text *why);
void proxies_done(struct proxies *p);

/* For http_limits.trusts: `proxies` is a struct proxies. */
bool proxies_trust(const void *proxies, const struct net_address *address);

#endif
