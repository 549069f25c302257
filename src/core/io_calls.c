/* SPDX-License-Identifier: MIT */
#include "core/io_calls.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* Fairness: what one io or acceptor may do before the next one's turn. */
    RECEIVE_ROUNDS = 4,
    LENT_ROUNDS = 1, /* an owner that lends memory has much to receive */
    SEND_ROUNDS = 4,
    ACCEPT_ROUNDS = 64,
    SENDFILE_BYTES = 1 << 20,
};

static ssize_t send_pieces(struct io *io, const struct iovec *pieces, int count, int flags)
{
    ssize_t n;
    do {
        if (!(io->flags & IO_SOCKET))
            n = writev(io->fd, pieces, count);
        else if (count == 1)
            n = send(io->fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL | flags);
        else
            n = sendmsg(
                io->fd,
                &(struct msghdr){.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count},
                MSG_NOSIGNAL | flags);
    } while (n < 0 && errno == EINTR);
    loop_count(&io->loop->counts.sends, 1);
    return n < 0 ? -errno : n;
}

static ssize_t send_file(struct io *io, const struct chunk *c)
{
    off_t offset = c->begin;
    size_t left = (size_t)(c->end - c->begin);
    ssize_t n;
    do {
        n = sendfile(io->fd, c->file, &offset, left < SENDFILE_BYTES ? left : SENDFILE_BYTES);
    } while (n < 0 && errno == EINTR);
    loop_count(&io->loop->counts.sends, 1);
    if (n == 0)
        return -EIO; /* the file is shorter than was said */
    return n < 0 ? -errno : n;
}

/* One system call on the head of the queue; *ret_asked is how many bytes the call would have sent
 * with unlimited room. */
static ssize_t send_head(struct io *io, size_t *ret_asked)
{
    const struct chunk *first = io->out.first;
    if (first->kind == CHUNK_FILE) {
        *ret_asked = (size_t)(first->end - first->begin);
        return send_file(io, first);
    }
    if (!first->next) { /* nearly always */
        struct iovec whole = chunk_bytes(first);
        *ret_asked = whole.iov_len;
        return send_pieces(io, &whole, 1, 0);
    }
    struct iovec pieces[IO_PIECES_MAX];
    int count = chunk_queue_pieces(&io->out, pieces, IO_PIECES_MAX, ret_asked);
    return send_pieces(io, pieces, count, *ret_asked < io->out.bytes ? MSG_MORE : 0);
}

ssize_t io_call_send(struct io *io, const struct iovec *pieces, int count)
{
    return send_pieces(io, pieces, count, 0);
}

bool io_call_send_queue(struct io *io)
{
    for (int round = 0; round < SEND_ROUNDS && io->out.first; round++) {
        size_t asked;
        ssize_t n = send_head(io, &asked);
        if (n == -EAGAIN)
            return false;
        if (n < 0) {
            io_send_failed(io, (int)n);
            return true;
        }
        io_sent(io, (size_t)n);
        if ((size_t)n < asked && io->out.first && io->out.first->kind != CHUNK_FILE)
            return false;
    }
    return !io->out.first;
}

ssize_t io_call_receive(struct io *io, struct bytes into)
{
    ssize_t n;
    do {
        n = io->flags & IO_SOCKET ? recv(io->fd, into.ptr, into.len, 0)
                                  : read(io->fd, into.ptr, into.len);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

void io_call_receive_some(struct io *io, size_t *ret_bytes)
{
    int rounds = io->ops->lend ? LENT_ROUNDS : RECEIVE_ROUNDS;
    *ret_bytes = 0;
    for (int round = 0; round < rounds; round++) {
        struct bytes into = io_room(io);
        ssize_t n = io_call_receive(io, into);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            io_ended(io, (int)n);
            return;
        }
        *ret_bytes += (size_t)n;
        if (!io_received(io, (struct bytes){into.ptr, (size_t)n}) || (size_t)n < into.len)
            return;
    }
}

int io_call_accept(struct acceptor *acceptor, struct sockaddr_storage *room)
{
    struct sockaddr *peer = (struct sockaddr *)room;
    acceptor->peer = peer;
    acceptor->peer_len = sizeof(*room);
    int fd = accept4(acceptor->fd, peer, &acceptor->peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* How many connections are asked for. One that is not there costs more than a look at the socket,
 * which the next wait takes anyway: so one, and ever more while turn after turn has more. */
static unsigned asked_for(const struct acceptor *acceptor)
{
    bool goes_on = acceptor->loop->counts.turns - acceptor->taken_turn <= 1;
    unsigned more = goes_on ? 2 * acceptor->taken : 1;
    return acceptor->starved || more > ACCEPT_ROUNDS ? ACCEPT_ROUNDS : more ? more : 1;
}

bool io_call_accept_some(struct acceptor *acceptor)
{
    struct sockaddr_storage peer;
    unsigned asked = asked_for(acceptor);
    for (unsigned round = 0; round < asked; round++) {
        int fd = io_call_accept(acceptor, &peer);
        if (fd == -EAGAIN) {
            acceptor->taken = 0;
            acceptor_emptied(acceptor);
            return true;
        }
        if (!(fd < 0 ? acceptor_failed(acceptor, fd) : acceptor_accepted(acceptor, fd)))
            return false;
    }
    acceptor->taken = asked;
    acceptor->taken_turn = acceptor->loop->counts.turns;
    return true;
}
