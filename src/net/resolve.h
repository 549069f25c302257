/* SPDX-License-Identifier: MIT */
/* resolve.h - the addresses of one host name, by the system's resolver (getaddrinfo), which blocks:
 * so in a thread of its own.
 *
 * Lifetime  The caller embeds struct resolve; it is ours from resolve_start() until on_answer has
 *           run or resolve_stop() returns. A thread that is still asking then ends by itself.
 * Threads   Loop thread only.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "core/loop.h"
#include "net/address.h"

enum {
    RESOLVE_ADDRESSES_MAX = 16
};

struct resolve_answer {
    int count;                                           /* 0: none */
    const char *error;                                   /* then: why; static text */
    struct net_address addresses[RESOLVE_ADDRESSES_MAX]; /* families alternate (RFC 8305, 4) */
};

struct resolve {
    struct watch watch;
    struct resolve_question *question; /* shared with the thread */
    void (*on_answer)(struct resolve *l, const struct resolve_answer *answer);
};

/* Never answers from inside this call. Negative errno if no thread can be had. */
int resolve_start(struct loop *loop, struct resolve *l, const char *host, uint16_t port,
                  void (*on_answer)(struct resolve *l, const struct resolve_answer *answer));
/* No callback after this. Allowed for a zeroed resolve. */
void resolve_stop(struct resolve *l);

/* The order in which to try them: as given, but families alternate. */
void resolve_alternate(struct net_address *addresses, int count);

#endif
