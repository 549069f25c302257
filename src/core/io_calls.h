/* SPDX-License-Identifier: MIT */
/* io_calls.h - the system calls of one io, for backends: none of them waits.
 *
 * Errors   A negative errno, -EAGAIN where there is nothing to receive or no room to send.
 *          Interrupted calls are made again.
 * Threads  Loop thread only.
 */
#ifndef CORE_IO_CALLS_H
#define CORE_IO_CALLS_H

#include "core/backend.h"

/* How many bytes were received; 0: end of file. */
ssize_t io_call_receive(struct io *io, struct bytes into);

/* How many bytes the kernel took. */
ssize_t io_call_send(struct io *io, const struct iovec *pieces, int count);

/* Sends from the head of the queue, as often as is fair, and reports it. False: the kernel has
 * refused a part, and room has to be waited for. */
bool io_call_send_queue(struct io *io);

/* Receives as often as is fair, and reports it. The io may be gone afterwards. */
void io_call_receive_some(struct io *io, size_t *ret_bytes);

/* Accepts as often as is fair, and reports it. False: the acceptor is stopped, or paused. */
bool io_call_accept_some(struct acceptor *acceptor);
/* Accepts one. Returns the descriptor, and the acceptor knows the peer; or a negative errno. */
int io_call_accept(struct acceptor *acceptor, struct sockaddr_storage *room);

/* At most so many pieces leave in one call. */
enum {
    IO_PIECES_MAX = 64
};

#endif
