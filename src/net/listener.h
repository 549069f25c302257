/* listener.h - a listening socket that makes streams.
 *
 * TCP listeners use SO_REUSEPORT, so that each worker has its own: the first one opens the port (0 picks one), the others give the
 * address that it got. A Unix socket is one descriptor, shared by duplicates; a stale socket file (nobody accepts) is replaced, a live one is
 * -EADDRINUSE. TCP_NODELAY is set on what is accepted.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/stream.h"

struct listener {
    struct acceptor acceptor;
    struct tls_context *tls; /* borrowed: outlives the listener; NULL: plain */
    void (*on_stream)(struct listener *l, struct stream *s); /* own it or close it before returning */
    void *owner;
};

/* Makes a bound, listening descriptor; *address is updated to what was bound (port 0). Negative errno. */
int listener_open(struct net_address *address, int *ret_fd);
/* Takes the descriptor. */
int listener_start(struct loop *loop, struct listener *l, int fd, struct tls_context *tls,
                   void (*on_stream)(struct listener *, struct stream *), void *owner);
/* Stops accepting and closes. The Unix path is removed by listener_unlink. */
void listener_stop(struct listener *l);
void listener_unlink(const struct net_address *address);

#endif
