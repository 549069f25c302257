/* SPDX-License-Identifier: MIT */
/* epoll.c - the backend on epoll(7), level-triggered.
 *
 * Per message it costs one recv and one send: a receive that does not fill the buffer is not asked
 * again, and writability is only waited for after a send that was cut short. A pause is noticed
 * when input comes nonetheless: pausing and resuming in between are free.
 *
 * A descriptor is taken out of the epoll set before it is closed: between vfork and exec a child
 * holds a copy of every descriptor, so that closing alone would leave an entry that points to freed
 * memory.
 */
#include "core/io_calls.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,
};

enum {
    ARMED_IN = IO_BACKEND_A,
    ARMED_OUT = IO_BACKEND_B,
    ARMED = ARMED_IN | ARMED_OUT
};

/* The low bits of data.ptr say what it points to. */
enum kind {
    KIND_IO,
    KIND_WATCH,
    KIND_ACCEPTOR,
    KIND_MASK = 3
};

struct epoll_state {
    int fd;
    int next, count; /* of events: those from `next` on have not been dispatched */
    struct epoll_event events[EVENTS_MAX];
};

static void *tagged(void *object, enum kind kind)
{
    return (char *)object + kind;
}

static int control(struct loop *loop, int op, int fd, uint32_t events, void *tagged_object)
{
    struct epoll_state *e = loop->state;
    struct epoll_event event = {.events = events, .data.ptr = tagged_object};
    return epoll_ctl(e->fd, op, fd, &event) ? -errno : 0;
}

/* No event that was fetched in this turn may reach a stopped object. */
static void forget(struct loop *loop, void *tagged_object)
{
    struct epoll_state *e = loop->state;
    for (int i = e->next; i < e->count; i++) {
        if (e->events[i].data.ptr == tagged_object)
            e->events[i].data.ptr = NULL;
    }
}

/* ---- io ---- */

static int arm(struct io *io, unsigned wanted)
{
    unsigned armed = io->flags & ARMED;
    if (wanted == armed)
        return 0;
    int op = !armed ? EPOLL_CTL_ADD : wanted ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    uint32_t events = (wanted & ARMED_IN ? EPOLLIN : 0U) | (wanted & ARMED_OUT ? EPOLLOUT : 0U);
    int error = control(io->loop, op, io->fd, events, tagged(io, KIND_IO));
    if (!error)
        io->flags = (uint16_t)((io->flags & ~ARMED) | wanted);
    return error;
}

/* An io that waits for nothing leaves the set: a hang-up is reported whether asked for or not,
 * again and again. */
static void rearm(struct io *io)
{
    unsigned wanted = (io_receives(io) ? ARMED_IN : 0U) | (io->flags & IO_SENDING ? ARMED_OUT : 0U);
    int error = arm(io, wanted);
    if (error)
        io_broke(io, error);
}

/* Armed even if paused, which tells whether the descriptor can be waited for at all. */
static int epoll_io_start(struct io *io)
{
    return arm(io, ARMED_IN);
}

static void epoll_io_stop(struct io *io, bool lives_on)
{
    (void)lives_on;
    arm(io, 0);
    forget(io->loop, tagged(io, KIND_IO));
}

static void epoll_io_look(struct io *io)
{
    size_t got;
    io_call_receive_some(io, &got);
}

static void epoll_io_receive(struct io *io)
{
    if (!(io->flags & ARMED_IN))
        rearm(io);
}

static void epoll_io_send(struct io *io, bool at_once)
{
    (void)at_once; /* always */
    bool done = io_call_send_queue(io);
    if (io->flags & IO_CLOSED || (done && !(io->flags & IO_SENDING)))
        return;
    io->flags = (uint16_t)(done ? io->flags & ~IO_SENDING : io->flags | IO_SENDING);
    rearm(io);
}

static void io_event(struct io *io, uint32_t events)
{
    bool troubled = events & (EPOLLERR | EPOLLHUP);
    bool in = events & EPOLLIN || troubled;
    size_t got;
    if (io->flags & IO_SENDING && (events & EPOLLOUT || troubled))
        epoll_io_send(io, true);
    if (in && io_receives(io))
        io_call_receive_some(io, &got);
    else if (in && !(io->flags & IO_CLOSED))
        rearm(io);
}

/* ---- watches ---- */

static int epoll_watch_start(struct watch *watch, unsigned events)
{
    uint32_t wanted = (events & WATCH_READ ? EPOLLIN : 0U) | (events & WATCH_WRITE ? EPOLLOUT : 0U);
    return control(watch->loop, EPOLL_CTL_ADD, watch->fd, wanted, tagged(watch, KIND_WATCH));
}

static void epoll_watch_stop(struct watch *watch)
{
    control(watch->loop, EPOLL_CTL_DEL, watch->fd, 0, NULL);
    forget(watch->loop, tagged(watch, KIND_WATCH));
}

/* An error is reported as readiness: the owner's next read or write says which. */
static void watch_event(struct watch *watch, uint32_t events)
{
    bool troubled = events & (EPOLLERR | EPOLLHUP);
    watch->ready(watch, (events & EPOLLIN || troubled ? WATCH_READ : 0U) |
                            (events & EPOLLOUT || troubled ? WATCH_WRITE : 0U));
}

/* ---- acceptors ---- */

/* EPOLLEXCLUSIVE: of several workers with duplicates of one Unix socket not all are woken for each
 * connection. */
static int epoll_accept_start(struct acceptor *acceptor)
{
    return control(acceptor->loop, EPOLL_CTL_ADD, acceptor->fd, EPOLLIN | EPOLLEXCLUSIVE,
                   tagged(acceptor, KIND_ACCEPTOR));
}

static void epoll_accept_stop(struct acceptor *acceptor)
{
    control(acceptor->loop, EPOLL_CTL_DEL, acceptor->fd, 0, NULL);
    forget(acceptor->loop, tagged(acceptor, KIND_ACCEPTOR));
}

/* ---- the loop ---- */

static void dispatch(const struct epoll_event *event)
{
    uintptr_t tag = (uintptr_t)event->data.ptr & KIND_MASK;
    void *object = (char *)event->data.ptr - tag;
    if (!object)
        return;
    if (tag == KIND_IO)
        io_event(object, event->events);
    else if (tag == KIND_WATCH)
        watch_event(object, event->events);
    else
        io_call_accept_some(object);
}

static int epoll_backend_wait(struct loop *loop, int timeout_ms)
{
    struct epoll_state *e = loop->state;
    int count = epoll_wait(e->fd, e->events, EVENTS_MAX, timeout_ms);
    if (count < 0 && errno == EINTR) /* the process was stopped: what came meanwhile is there */
        count = epoll_wait(e->fd, e->events, EVENTS_MAX, 0);
    if (count < 0 && errno != EINTR)
        return -errno;
    loop_woke(loop);
    e->count = count;
    for (e->next = 0; e->next < e->count;) {
        dispatch(&e->events[e->next++]);
        loop_between(loop);
    }
    e->next = e->count = 0;
    return 0;
}

static int epoll_backend_fd(const struct loop *loop)
{
    const struct epoll_state *e = loop->state;
    return e->fd;
}

static int epoll_backend_init(struct loop *loop)
{
    struct epoll_state *e = log_needed(calloc(1, sizeof(*e)));
    if (!e)
        return -ENOMEM;
    e->fd = epoll_create1(EPOLL_CLOEXEC);
    if (e->fd < 0) {
        free(e);
        return -errno;
    }
    loop->state = e;
    return 0;
}

static void epoll_backend_done(struct loop *loop)
{
    struct epoll_state *e = loop->state;
    close(e->fd);
    free(e);
    loop->state = NULL;
}

const struct loop_backend epoll_backend = {
    .name = "epoll",
    .init = epoll_backend_init,
    .done = epoll_backend_done,
    .wait = epoll_backend_wait,
    .fd = epoll_backend_fd,
    .io_start = epoll_io_start,
    .io_stop = epoll_io_stop,
    .io_look = epoll_io_look,
    .io_receive = epoll_io_receive,
    .io_send = epoll_io_send,
    .io_send_now = io_call_send,
    .watch_start = epoll_watch_start,
    .watch_stop = epoll_watch_stop,
    .accept_start = epoll_accept_start,
    .accept_stop = epoll_accept_stop,
};
