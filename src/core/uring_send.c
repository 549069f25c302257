/* SPDX-License-Identifier: MIT */
/* uring_send.c - output: batched for the next submission, or sent at once.
 *
 * A send of the batch does not wait for room (MSG_DONTWAIT): it is over when the submission
 * returns, so its bytes need not live longer. If it did all that it was asked for it makes no
 * completion (IOSQE_CQE_SKIP_SUCCESS with MSG_WAITALL), does not end the wait, and costs the loop
 * nothing more.
 */
#include "core/uring.h"

#include "base/log.h"
#include "core/io_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    BATCHED_BYTES = 32768, /* above it a system call of its own does not count */
};

int batch_init(struct batch *b)
{
    b->waiting = log_needed(malloc(BATCH_MAX * sizeof(*b->waiting)));
    b->under_way = log_needed(malloc(BATCH_MAX * sizeof(*b->under_way)));
    b->pieces = log_needed(malloc(BATCH_PIECES * sizeof(*b->pieces)));
    return b->waiting && b->under_way && b->pieces ? 0 : -ENOMEM;
}

void batch_done(struct batch *b)
{
    free(b->waiting);
    free(b->under_way);
    free(b->pieces);
}

#define UNASKED SIZE_MAX /* it was not for the ring */

enum {
    WAITS_FOR_SENT = IO_OWES | IO_SHUTDOWN | IO_FINISHING /* there is something to do then */
};

static void set_sending(struct io *io, unsigned flags)
{
    io->flags = (uint16_t)((io->flags & ~(IO_SENDING | IO_BATCHED)) | flags);
}

static void wait_for_room(struct io *io)
{
    struct uring *u = io->loop->state;
    slots_list(&u->slots, io->fd);
}

/* ---- at once ---- */

void uring_send_on(struct io *io)
{
    bool done = io_call_send_queue(io);
    if (io->flags & IO_CLOSED)
        return;
    set_sending(io, done ? 0 : IO_SENDING);
    if (!done)
        wait_for_room(io);
}

/* ---- in the batch ---- */

static bool fits(const struct uring *u, const struct io *io)
{
    return io->flags & IO_SOCKET && io->out.bytes <= BATCHED_BYTES &&
           io->out.first->kind != CHUNK_FILE && u->batch.waiting_count < BATCH_MAX &&
           uring_is_ours(u);
}

void uring_io_send(struct io *io, bool at_once)
{
    struct uring *u = io->loop->state;
    if (at_once || !fits(u, io)) {
        uring_send_on(io);
        return;
    }
    if (io->flags & IO_BATCHED)
        return;
    struct sending *s = &u->batch.waiting[u->batch.waiting_count++];
    s->fd = io->fd;
    s->generation = slots_at(&u->slots, io->fd)->generation & 0x0fffffff;
    set_sending(io, IO_SENDING | IO_BATCHED);
}

static struct io *io_of(const struct uring *u, const struct sending *s)
{
    struct slot *slot = slots_find(&u->slots, s->fd, s->generation);
    return slot ? slot->object : NULL;
}

static void prepare(struct uring *u, struct sending *s, const struct io *io, unsigned number)
{
    struct batch *b = &u->batch;
    struct io_uring_sqe *sqe = uring_sqe(u);
    const struct chunk *first = io->out.first;
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;
    if (!first->next) { /* nearly always */
        struct iovec whole = chunk_bytes(first);
        s->asked = whole.iov_len;
        io_uring_prep_send(sqe, s->fd, whole.iov_base, whole.iov_len, flags);
    } else {
        struct iovec *pieces = b->pieces + b->piece_count;
        int room = (int)(BATCH_PIECES - b->piece_count) - (int)(b->under_way_count - number - 1);
        int count = chunk_queue_pieces(&io->out, pieces,
                                       room < IO_PIECES_MAX ? room : IO_PIECES_MAX, &s->asked);
        b->piece_count += (unsigned)count;
        s->head = (struct msghdr){.msg_iov = pieces, .msg_iovlen = (size_t)count};
        io_uring_prep_sendmsg(sqe, s->fd, &s->head, (unsigned)flags);
    }
    s->result = (int)s->asked;
    if (!(io->flags & WAITS_FOR_SENT) && s->asked == io->out.bytes)
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = uring_name(OP_SEND, 0, (int)number);
    loop_count(&io->loop->counts.sends, 1);
}

void batch_submit(struct uring *u)
{
    struct batch *b = &u->batch;
    struct sending *waiting = b->waiting;
    b->waiting = b->under_way;
    b->under_way = waiting;
    b->under_way_count = b->waiting_count;
    b->waiting_count = b->piece_count = 0;
    for (unsigned i = 0; i < b->under_way_count; i++) {
        struct sending *s = &b->under_way[i];
        struct io *io = io_of(u, s);
        s->asked = 0;
        if (!io || !(io->flags & IO_BATCHED))
            continue; /* has been sent, or is in the batch already */
        set_sending(io, 0);
        if (io->out.first && io->out.first->kind != CHUNK_FILE)
            prepare(u, s, io, i);
        else
            s->asked = UNASKED;
    }
}

void batch_result(struct uring *u, unsigned number, int result)
{
    u->batch.under_way[number].result = result;
}

static void finish(struct uring *u, const struct sending *s)
{
    struct io *io = s->asked ? io_of(u, s) : NULL;
    bool asked = s->asked != UNASKED;
    if (!io)
        return;
    if (asked && s->result < 0 && s->result != -EAGAIN && s->result != -EINTR) {
        io_send_failed(io, s->result);
        return;
    }
    if (asked && s->result > 0)
        io_sent(io, (size_t)s->result);
    if (io->flags & IO_CLOSED || !io->out.first)
        return;
    bool refused = asked && s->result < (int)s->asked;
    if (!refused) {
        uring_send_on(io);
        refused = !(io->flags & IO_CLOSED) && io->flags & IO_SENDING;
    }
    if (refused) {
        io_refused(io);
        wait_for_room(io);
    }
}

void batch_finish(struct uring *u)
{
    struct batch *b = &u->batch;
    for (unsigned i = 0; i < b->under_way_count; i++)
        finish(u, &b->under_way[i]);
    b->under_way_count = 0;
}
