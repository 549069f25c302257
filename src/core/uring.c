/* SPDX-License-Identifier: MIT */
/* uring.c - the backend on io_uring(7).
 *
 * One system call a turn submits what was asked for since the last one, sends what was written, and
 * waits. An io begins by a poll and recv(2), as on epoll. A socket from which little comes at a
 * time goes over to a multishot receive, which costs a message no system call; one from which much
 * comes goes back, since a large receive into the owner's memory is cheaper than several into small
 * buffers and a copy (docs/decisions/io-uring.md has the measurements).
 *
 * Polls are one-shot and asked for anew, by which they are level-triggered.
 */
#include "core/uring.h"

#include "base/log.h"
#include "core/io_calls.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum {
    ENTRIES = 2 * BATCH_MAX, /* more than the sends of a turn */
    COMPLETIONS = 8 * BATCH_MAX,
    CANCELS_MAX = 512,
    SMALL_BYTES = BUFFER_BYTES, /* what fits into a buffer */
    SMALL_ROUNDS = 2,           /* so often in a row, and the io is one of small messages */
    SUBMIT_TRIES = 1000,        /* 1 ms apart, for a kernel without memory */
    MANY = 12,                  /* completions of one call: there may be more */
    ROUNDS = 12,                /* of a wait for what has happened by now */
};

bool uring_is_ours(const struct uring *u)
{
    return !u->enabled || pthread_equal(u->owner, pthread_self());
}

struct io_uring_sqe *uring_sqe(struct uring *u)
{
    struct io_uring_sqe *sqe;
    for (int tries = 0; !(sqe = io_uring_get_sqe(&u->ring)); tries++) {
        assert(tries < SUBMIT_TRIES); /* such as in a child, whose loop was not ended by errors */
        if (io_uring_submit(&u->ring) < 0)
            poll(NULL, 0, 1);
    }
    return sqe;
}

/* ---- to ask for something ---- */

static void ask_poll(struct uring *u, int fd, unsigned events, uint64_t name)
{
    struct io_uring_sqe *sqe = uring_sqe(u);
    io_uring_prep_poll_add(sqe, fd, events);
    sqe->user_data = name;
}

static void ask_receive(struct uring *u, int fd, uint64_t name)
{
    struct io_uring_sqe *sqe = uring_sqe(u);
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    sqe->user_data = name;
}

static void ask_cancel(struct uring *u, uint64_t name)
{
    struct io_uring_sqe *sqe = uring_sqe(u);
    io_uring_prep_cancel64(sqe, name, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = uring_name(OP_NONE, 0, 0);
}

static void look_at_io(struct uring *u, struct slot *slot, int fd)
{
    const struct io *io = slot->object;
    uint64_t in = uring_name(OP_IN, slot->generation, fd);
    if (slot->flags & SLOT_REVOKED) {
        ask_cancel(u, in);
    } else if (!(slot->flags & SLOT_IN) && io_receives(io)) {
        bool small = io->flags & IO_SOCKET && slot->small >= SMALL_ROUNDS;
        slot->flags |= small ? SLOT_IN | SLOT_RECEIVE : SLOT_IN;
        if (small)
            ask_receive(u, fd, in);
        else
            ask_poll(u, fd, POLLIN, in);
    }
    if (io->flags & IO_SENDING && !(io->flags & IO_BATCHED) && !(slot->flags & SLOT_OUT)) {
        slot->flags |= SLOT_OUT;
        ask_poll(u, fd, POLLOUT, uring_name(OP_OUT, slot->generation, fd));
    }
}

static void look_at_watch(struct uring *u, struct slot *slot, int fd)
{
    unsigned events =
        (slot->flags & SLOT_WANTS_IN ? POLLIN : 0U) | (slot->flags & SLOT_WANTS_OUT ? POLLOUT : 0U);
    if (slot->flags & SLOT_IN)
        return;
    slot->flags |= SLOT_IN;
    /* EPOLLEXCLUSIVE: of several workers with duplicates of one Unix socket not all are woken for
     * each connection. */
    if (slot->kind == SLOT_ACCEPTOR)
        events |= EPOLLEXCLUSIVE;
    ask_poll(u, fd, events, uring_name(OP_IN, slot->generation, fd));
}

static void ask_for_all(struct uring *u)
{
    batch_submit(u); /* first: so its completions are the first ones */
    for (unsigned i = 0; i < u->cancel_count; i++)
        ask_cancel(u, u->cancels[i]);
    u->cancel_count = 0;
    while (u->slots.first >= 0) {
        int fd = u->slots.first;
        struct slot *slot = slots_at(&u->slots, fd);
        u->slots.first = slot->next;
        slot->flags &= (uint16_t)~SLOT_LISTED;
        if (slot->object && slot->kind == SLOT_IO)
            look_at_io(u, slot, fd);
        else if (slot->object)
            look_at_watch(u, slot, fd);
    }
}

/* ---- to stop ---- */

static void cancel_now(struct uring *u, uint64_t name)
{
    struct io_uring_sync_cancel_reg cancel = {.addr = name, .fd = -1, .timeout = {-1, -1}};
    while (io_uring_register_sync_cancel(&u->ring, &cancel) == -EINTR)
        ;
}

static void cancel(struct uring *u, uint64_t name, bool now)
{
    if (!u->enabled || !uring_is_ours(u))
        return; /* not begun; or ended with the thread */
    if (now || u->cancel_count == CANCELS_MAX)
        cancel_now(u, name);
    else
        u->cancels[u->cancel_count++] = name;
}

/* What was under way is known by the old generation alone. */
static void stop(struct loop *loop, int fd, bool now)
{
    struct uring *u = loop->state;
    struct slot *slot = slots_at(&u->slots, fd);
    if (slot->flags & SLOT_IN)
        cancel(u, uring_name(OP_IN, slot->generation, fd), now);
    if (slot->flags & SLOT_OUT)
        cancel(u, uring_name(OP_OUT, slot->generation, fd), now);
    slot->generation++;
    slot->object = NULL;
    slot->flags &= SLOT_LISTED;
}

/* ---- io ---- */

static int uring_io_start(struct io *io)
{
    struct uring *u = io->loop->state;
    int error = slots_take(&u->slots, io->fd, io, SLOT_IO);
    if (!error)
        slots_list(&u->slots, io->fd);
    return error;
}

static void uring_io_stop(struct io *io, bool lives_on)
{
    stop(io->loop, io->fd, lives_on);
    io->flags = (uint16_t)(io->flags & ~(IO_SENDING | IO_BATCHED));
}

static void uring_io_receive(struct io *io)
{
    struct uring *u = io->loop->state;
    if (!(slots_at(&u->slots, io->fd)->flags & SLOT_IN))
        slots_list(&u->slots, io->fd);
}

/* The stream is one of bulk from now on. */
static void revoke_receive(struct uring *u, struct slot *slot, int fd)
{
    slot->small = 0;
    if (!(slot->flags & SLOT_RECEIVE) || slot->flags & SLOT_REVOKED)
        return;
    slot->flags |= SLOT_REVOKED;
    slots_list(&u->slots, fd);
}

/* Nobody may have wanted what the kernel has received already. */
static void received(struct uring *u, struct slot *slot, const struct io_uring_cqe *cqe)
{
    struct io *io = slot->object;
    struct bytes data = buffers_data(&u->buffers, cqe->res, cqe->flags);
    if (data.len == BUFFER_BYTES || !io_receives(io))
        revoke_receive(u, slot, io->fd);
    if (io_receives(io))
        io_received_elsewhere(io, data);
    else
        io_keep(io, slice_from_bytes(data), 0);
}

static bool goes_on(int error)
{
    return error == -ENOBUFS || error == -ECANCELED || error == -EAGAIN || error == -EINTR;
}

static void receive_done(struct uring *u, struct slot *slot, const struct io_uring_cqe *cqe)
{
    struct io *io = slot->object;
    if (!(cqe->flags & IORING_CQE_F_MORE))
        slot->flags &= (uint16_t) ~(SLOT_IN | SLOT_RECEIVE | SLOT_REVOKED);
    if (cqe->res > 0)
        received(u, slot, cqe);
    else if (goes_on(cqe->res))
        return;
    else if (io_receives(io))
        io_ended(io, cqe->res);
    else if (cqe->res < 0)
        io_keep(io, SLICE_NONE, cqe->res);
}

static void gather(struct uring *u, struct slot *slot, struct io_uring_cqe *cqe)
{
    struct io *io = slot->object;
    if (cqe->res > 0)
        io_keep(io, slice_from_bytes(buffers_data(&u->buffers, cqe->res, cqe->flags)), 0);
    else if (cqe->res < 0 && !goes_on(cqe->res))
        io_keep(io, SLICE_NONE, cqe->res);
    if (cqe->flags & IORING_CQE_F_BUFFER)
        buffers_give(&u->buffers, cqe->flags);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        slot->flags &= (uint16_t) ~(SLOT_IN | SLOT_RECEIVE | SLOT_REVOKED);
    cqe->user_data = uring_name(OP_NONE, 0, 0);
    cqe->flags = 0;
    slots_list(&u->slots, io->fd);
}

/* An end of file that was completed is found once more by who goes on. */
static bool uring_io_gather(struct io *io)
{
    struct uring *u = io->loop->state;
    const struct io_uring_cq *cq = &u->ring.cq;
    struct slot *slot = slots_at(&u->slots, io->fd);
    uint64_t name = uring_name(OP_IN, slot->generation, io->fd);
    if (!(slot->flags & SLOT_RECEIVE))
        return true;
    if (io_uring_cq_has_overflow(&u->ring))
        return false;
    unsigned to = io_uring_smp_load_acquire(cq->ktail);
    for (unsigned i = *cq->khead; i != to; i++)
        if (cq->cqes[i & cq->ring_mask].user_data == name)
            gather(u, slot, &cq->cqes[i & cq->ring_mask]);
    return true;
}

static void poll_done(struct uring *u, struct slot *slot)
{
    struct io *io = slot->object;
    int fd = io->fd;
    uint32_t generation = slot->generation & 0x0fffffff;
    size_t bytes;
    slot->flags &= (uint16_t)~SLOT_IN;
    if (!io_receives(io))
        return;
    io_call_receive_some(io, &bytes);
    slot = slots_find(&u->slots, fd, generation);
    if (slot)
        slot->small =
            bytes >= SMALL_BYTES ? 0 : (uint8_t)(slot->small < 255 ? slot->small + 1 : 255);
}

static void io_done(struct uring *u, struct slot *slot, const struct io_uring_cqe *cqe, int fd)
{
    uint32_t generation = slot->generation & 0x0fffffff;
    if (slot->flags & SLOT_RECEIVE)
        receive_done(u, slot, cqe);
    else
        poll_done(u, slot);
    slot = slots_find(&u->slots, fd, generation);
    if (slot && !(slot->flags & SLOT_IN) && io_receives(slot->object))
        slots_list(&u->slots, fd);
}

static void room_done(struct slot *slot)
{
    struct io *io = slot->object;
    slot->flags &= (uint16_t)~SLOT_OUT;
    if (io->flags & IO_SENDING && !(io->flags & IO_BATCHED))
        uring_send_on(io);
}

/* ---- watches and acceptors ---- */

static int start_watch(struct loop *loop, int fd, void *object, enum slot_kind kind, unsigned flags)
{
    struct uring *u = loop->state;
    if (fcntl(fd, F_GETFD) < 0)
        return -errno;
    int error = slots_take(&u->slots, fd, object, kind);
    if (error)
        return error;
    slots_at(&u->slots, fd)->flags |= (uint16_t)flags;
    slots_list(&u->slots, fd);
    return 0;
}

static int uring_watch_start(struct watch *watch, unsigned events)
{
    return start_watch(watch->loop, watch->fd, watch, SLOT_WATCH,
                       (events & WATCH_READ ? SLOT_WANTS_IN : 0U) |
                           (events & WATCH_WRITE ? SLOT_WANTS_OUT : 0U));
}

static void uring_watch_stop(struct watch *watch)
{
    stop(watch->loop, watch->fd, false);
}

static int uring_accept_start(struct acceptor *acceptor)
{
    return start_watch(acceptor->loop, acceptor->fd, acceptor, SLOT_ACCEPTOR, SLOT_WANTS_IN);
}

/* The address can be bound anew at once: no operation holds the socket any more. */
static void uring_accept_stop(struct acceptor *acceptor)
{
    struct uring *u = acceptor->loop->state;
    stop(acceptor->loop, acceptor->fd, true);
    if (u->enabled && uring_is_ours(u))
        io_uring_get_events(&u->ring);
}

/* An error is reported as readiness: the owner's next read or write says which. */
static void watch_done(struct uring *u, struct slot *slot, int res, int fd)
{
    uint32_t generation = slot->generation & 0x0fffffff;
    bool troubled = res < 0 || res & (POLLERR | POLLHUP);
    slot->flags &= (uint16_t)~SLOT_IN;
    if (slot->kind == SLOT_ACCEPTOR) {
        io_call_accept_some(slot->object);
    } else {
        struct watch *watch = slot->object;
        watch->ready(watch, (troubled || res & POLLIN ? WATCH_READ : 0U) |
                                (troubled || res & POLLOUT ? WATCH_WRITE : 0U));
    }
    if (slots_find(&u->slots, fd, generation))
        slots_list(&u->slots, fd);
}

/* ---- the loop ---- */

static void dispatch(struct uring *u, const struct io_uring_cqe *cqe)
{
    enum operation op = (enum operation)(cqe->user_data >> 60);
    int fd = (int)(uint32_t)cqe->user_data;
    if (op != OP_IN && op != OP_OUT)
        return;
    struct slot *slot = slots_find(&u->slots, fd, cqe->user_data >> 32 & 0x0fffffff);
    if (slot && op == OP_OUT)
        room_done(slot);
    else if (slot && slot->kind == SLOT_IO)
        io_done(u, slot, cqe, fd);
    else if (slot)
        watch_done(u, slot, cqe->res, fd);
    if (cqe->flags & IORING_CQE_F_BUFFER)
        buffers_give(&u->buffers, cqe->flags);
}

static bool dispatch_next(struct loop *loop)
{
    struct uring *u = loop->state;
    const struct io_uring_cq *cq = &u->ring.cq;
    if (*cq->khead == io_uring_smp_load_acquire(cq->ktail))
        return false;
    struct io_uring_cqe cqe = cq->cqes[*cq->khead & cq->ring_mask];
    io_uring_cq_advance(&u->ring, 1);
    dispatch(u, &cqe);
    loop_between(loop);
    return true;
}

/* Until nothing that the kernel has received is left. Returns how much it was. */
static unsigned dispatch_all(struct loop *loop)
{
    struct uring *u = loop->state;
    unsigned count = 0;
    do {
        while (dispatch_next(loop))
            count++;
    } while (io_uring_cq_has_overflow(&u->ring) && io_uring_get_events(&u->ring) >= 0);
    return count;
}

/* The completions from `from` on that belong to the batch. */
static void finish_batch(struct uring *u, unsigned from)
{
    const struct io_uring_cq *cq = &u->ring.cq;
    if (!u->batch.under_way_count)
        return;
    unsigned to = io_uring_smp_load_acquire(cq->ktail);
    for (unsigned i = from; i != to; i++) {
        const struct io_uring_cqe *cqe = &cq->cqes[i & cq->ring_mask];
        if (cqe->user_data >> 60 == OP_SEND)
            batch_result(u, (uint32_t)cqe->user_data, cqe->res);
    }
    batch_finish(u);
}

static int enter_once(struct uring *u, int timeout_ms)
{
    struct io_uring_cqe *cqe;
    struct __kernel_timespec time = {.tv_sec = timeout_ms / 1000,
                                     .tv_nsec = timeout_ms % 1000 * 1000000LL};
    if (timeout_ms == 0)
        return io_uring_submit_and_get_events(&u->ring);
    if (timeout_ms < 0)
        return io_uring_submit_and_wait(&u->ring, 1);
    return io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &time, NULL);
}

/* Returns when all is submitted and something has completed, or the time is over. */
static int enter(struct uring *u, int timeout_ms)
{
    for (int tries = 0; tries < SUBMIT_TRIES; tries++) {
        int error = enter_once(u, timeout_ms);
        if (error == -EINTR) { /* the process was stopped: what came meanwhile is there */
            timeout_ms = 0;
            error = enter_once(u, 0);
        }
        bool short_of_memory = error == -EAGAIN || error == -EBUSY || error == -ENOMEM;
        if (error < 0 && error != -ETIME && error != -EINTR && !short_of_memory)
            return error;
        if (!io_uring_sq_ready(&u->ring))
            return 0;
        timeout_ms = 0;
        poll(NULL, 0, 1);
    }
    return -ENOMEM;
}

static int enable(struct uring *u)
{
    if (u->enabled)
        return 0;
    /* io_uring_enable_rings() is not exported by liburing 2.3. */
    int error = io_uring_register(u->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (error)
        return error;
    u->owner = pthread_self();
    u->enabled = true;
    return 0;
}

static int wait_once(struct loop *loop, int timeout_ms, unsigned *ret_count)
{
    struct uring *u = loop->state;
    unsigned from = *u->ring.cq.khead;
    ask_for_all(u);
    int error = enter(u, timeout_ms);
    loop_woke(loop);
    if (error)
        return error;
    finish_batch(u, from);
    *ret_count = dispatch_all(loop);
    return 0;
}

/* From Linux 6.13 on a call completes what comes of 20 wake-ups at most. Who asks for what has
 * happened by now, such as after a pause of the process, gets more; else the next turn is soon
 * enough. (IORING_SETUP_TASKRUN_FLAG would say whether there is more: but with that liburing lets
 * each submission complete something, and behind uring_stand() nobody looks.) */
static int uring_wait(struct loop *loop, int timeout_ms)
{
    struct uring *u = loop->state;
    int error = enable(u);
    if (error)
        return error;
    if (!uring_is_ours(u)) { /* the thread has ended, and all that was under way with it */
        loop_woke(loop);
        return timeout_ms ? -EPERM : 0;
    }
    if (dispatch_all(loop)) /* what uring_settle() has left there */
        timeout_ms = 0;
    unsigned count = MANY;
    int rounds = timeout_ms ? 1 : ROUNDS;
    for (int round = 0; round < rounds && count >= MANY && !error; round++)
        error = wait_once(loop, timeout_ms, &count);
    return error;
}

static void uring_settle(struct loop *loop)
{
    struct uring *u = loop->state;
    bool crowded = io_uring_cq_ready(&u->ring) > COMPLETIONS / 2; /* and tells of it */
    if (crowded || enable(u) || !uring_is_ours(u))
        return;
    unsigned from = *u->ring.cq.ktail;
    ask_for_all(u);
    if (!enter(u, 0))
        finish_batch(u, from);
}

/* Completions of what was cancelled in the turn that is over may have come with others. */
static void keep_what_came(struct uring *u)
{
    const struct io_uring_cq *cq = &u->ring.cq;
    unsigned to = io_uring_smp_load_acquire(cq->ktail);
    for (unsigned i = *cq->khead; i != to; i++) {
        struct io_uring_cqe *cqe = &cq->cqes[i & cq->ring_mask];
        struct slot *slot = NULL;
        if (cqe->user_data >> 60 == OP_IN)
            slot = slots_find(&u->slots, (int)(uint32_t)cqe->user_data,
                              cqe->user_data >> 32 & 0x0fffffff);
        if (slot && slot->kind == SLOT_IO && slot->flags & SLOT_RECEIVE)
            gather(u, slot, cqe);
    }
}

/* What comes in from now on stays in the sockets. */
static void uring_stand(struct loop *loop)
{
    struct uring *u = loop->state;
    if ((!u->enabled && !u->batch.waiting_count) || enable(u) || !uring_is_ours(u))
        return;
    if (u->batch.waiting_count) {
        unsigned from = *u->ring.cq.ktail;
        batch_submit(u);
        for (int tries = 0; tries < SUBMIT_TRIES && io_uring_sq_ready(&u->ring); tries++)
            if (io_uring_submit(&u->ring) < 0)
                poll(NULL, 0, 1);
        finish_batch(u, from);
    }
    keep_what_came(u);
}

static int uring_fd(const struct loop *loop)
{
    const struct uring *u = loop->state;
    return u->ring.ring_fd;
}

static void uring_done(struct loop *loop)
{
    struct uring *u = loop->state;
    if (u->enabled && uring_is_ours(u)) { /* peers see the end of what was closed now, not later */
        struct io_uring_sync_cancel_reg all = {.fd = -1,
                                               .flags = IORING_ASYNC_CANCEL_ANY |
                                                        IORING_ASYNC_CANCEL_ALL,
                                               .timeout = {-1, -1}};
        io_uring_register_sync_cancel(&u->ring, &all);
        io_uring_get_events(&u->ring);
    }
    if (u->ring.ring_fd >= 0)
        io_uring_queue_exit(&u->ring);
    buffers_done(&u->buffers);
    batch_done(&u->batch);
    slots_done(&u->slots);
    free(u->cancels);
    free(u);
    loop->state = NULL;
}

static int set_up(struct uring *u)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED |
                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    int error = io_uring_queue_init_params(ENTRIES, &u->ring, &params);
    if (error) {
        u->ring.ring_fd = -1;
        return error == -EINVAL ? -ENOSYS : error; /* before Linux 6.1 */
    }
    error = buffers_init(&u->buffers, &u->ring);
    if (!error)
        error = batch_init(&u->batch);
    u->cancels = log_needed(malloc(CANCELS_MAX * sizeof(*u->cancels)));
    return error ? error : u->cancels ? 0 : -ENOMEM;
}

static int uring_init(struct loop *loop)
{
    struct uring *u = log_needed(calloc(1, sizeof(*u)));
    if (!u)
        return -ENOMEM;
    slots_init(&u->slots);
    loop->state = u;
    int error = set_up(u);
    if (error)
        uring_done(loop);
    return error;
}

const struct loop_backend uring_backend = {
    .name = "io_uring",
    .init = uring_init,
    .done = uring_done,
    .wait = uring_wait,
    .fd = uring_fd,
    .settle = uring_settle,
    .stand = uring_stand,
    .io_start = uring_io_start,
    .io_stop = uring_io_stop,
    .io_gather = uring_io_gather,
    .io_receive = uring_io_receive,
    .io_send = uring_io_send,
    .io_send_now = io_call_send,
    .watch_start = uring_watch_start,
    .watch_stop = uring_watch_stop,
    .accept_start = uring_accept_start,
    .accept_stop = uring_accept_stop,
};
