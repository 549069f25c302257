/* SPDX-License-Identifier: MIT */
/* servers_view.h - which servers there are, as the registry (servers.h) knew it at one moment.
 *
 * Never changed; counted by references, so that all workers of a process share one.
 *
 * Threads  Any.
 */
#ifndef CLUSTER_SERVERS_VIEW_H
#define CLUSTER_SERVERS_VIEW_H

#include "net/address.h"

#include <stdatomic.h>

enum {
    SERVERS_NAME_MAX = 63,
    SERVERS_VERSION_MAX = 31
};

struct server_info {
    uint32_t tag;
    bool draining;
    bool late;                  /* it missed a sign of life: it may be dead */
    struct net_address address; /* of its ways; len 0: it has none */
    uint64_t since_ms;          /* when it began; CLOCK_REALTIME */
    char name[SERVERS_NAME_MAX + 1];
    char version[SERVERS_VERSION_MAX + 1];
};

struct servers_view {
    atomic_uint refs;
    /* A broker has said so a short while ago: a server that is not here is gone. */
    bool fresh;
    size_t count;
    struct server_info servers[]; /* by tag, ascending; our own too */
};

struct servers_view *servers_view_ref(struct servers_view *view); /* accepts NULL */
void servers_view_unref(struct servers_view *view);               /* accepts NULL */
/* NULL: it is not there. `view` may be NULL. */
const struct server_info *servers_view_find(const struct servers_view *view, uint32_t tag);
/* Whether a server with this tag is known to be gone. */
bool servers_view_is_gone(const struct servers_view *view, uint32_t tag);
/* Whether there is another one than `tag` that takes new pages. */
bool servers_view_has_other(const struct servers_view *view, uint32_t tag);

#endif
