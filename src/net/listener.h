/* SPDX-License-Identifier: MIT */
/* listener.h - a listening socket that makes streams.
 *
 * TCP listeners use SO_REUSEPORT, so that each worker has its own queue; the first one still finds
 * out whether another process has the port. A Unix socket has one queue, shared by duplicates of
 * its descriptor; its file is open to our user and group (0660). A stale file (nobody accepts) is
 * replaced; a live one, and one that is no socket, is -EADDRINUSE. Accepted sockets have
 * TCP_NODELAY, which Linux passes on from the listening socket.
 *
 * Threads  Each listener belongs to its loop's thread.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/stream.h"

struct listener {
    struct acceptor acceptor;
    struct tls_context *tls; /* borrowed: outlives the listener; NULL: plain */
    void (*on_stream)(struct listener *l, struct stream *s); /* own or close it before returning */
    void *owner;
    /* Of the stream that on_stream is given. Borrowed, valid there. */
    const struct net_address *peer;
};

/* Makes a bound, listening descriptor; *address is updated to what was bound (port 0; and where the
 * machine has no IPv6, `*` becomes 0.0.0.0). Negative errno, with *address untouched. */
int listener_open(struct net_address *address, int *ret_fd);
/* Makes one more descriptor, for the next worker, with the address of one that listener_open made.
 * Negative errno. */
int listener_open_more(int first_fd, int *ret_fd);

/* The address of a listening descriptor. Negative errno: -EAFNOSUPPORT if it is neither of IP nor a
 * Unix socket. */
int listener_name(int fd, struct net_address *ret);

/* Takes the descriptor, also on failure (negative errno). */
int listener_start(struct loop *loop, struct listener *l, int fd, struct tls_context *tls,
                   void (*on_stream)(struct listener *, struct stream *), void *owner);
/* Takes the connections that wait to be accepted, which closing would reset; then closes. The Unix
 * path is removed by listener_unlink. */
void listener_stop(struct listener *l);
void listener_unlink(const struct net_address *address);

#endif
