/* SPDX-License-Identifier: MIT */
/* connector.h - one attempt to connect to an address, without blocking and with a time limit.
 *
 * Names are not looked up. To try several addresses (happy eyeballs) the owner has several attempts
 * under way.
 *
 * Lifetime  The caller embeds struct connector; it is ours from connector_start() until
 *           on_connected has run or connector_cancel() returns.
 * Threads   Loop thread only.
 */
#ifndef NET_CONNECTOR_H
#define NET_CONNECTOR_H

#include "net/address.h"

#include "core/loop.h"

struct connector {
    int fd; /* owned; -1: not under way */
    int error;
    struct watch watch;
    struct timer timer; /* the time limit; or delivers a result that was known at once */
    /* `fd` is the callee's: connected, non-blocking, close-on-exec, TCP_NODELAY; for stream_new.
     * Otherwise a negative errno: -ECONNREFUSED, -ENETUNREACH, -ETIMEDOUT ... as of connect(2). */
    void (*on_connected)(struct connector *c, int fd_or_error);
};

/* Answers exactly once, never from inside this call, within `timeout_ms`. Every failure is reported
 * by the callback. */
void connector_start(struct loop *loop, struct connector *c, const struct net_address *to,
                     uint64_t timeout_ms,
                     void (*on_connected)(struct connector *c, int fd_or_error));
/* No callback after this. Allowed for any connector that was started once, also when no attempt is
 * under way. */
void connector_cancel(struct connector *c);

#endif
