/* SPDX-License-Identifier: MIT */
/* backend.h - how a loop waits and moves bytes. A backend reports completions, never readiness.
 *
 * A backend is one file with one struct loop_backend. loop.c, io.c and acceptor.c know a backend
 * only by this header: they call the functions of struct loop_backend, and the backend calls the
 * functions under "what a backend reports".
 *
 *   asked          reported
 *   wait           loop_woke once, then everything that has completed; then wait returns
 *   io_start,      io_received for each piece, io_ended once
 *   io_receive
 *   io_send        io_sent as bytes of the head of io->out leave, or
 *                  io_send_failed; now or at a later wait
 *   accept_start   acceptor_accepted for each connection, acceptor_failed
 *   watch_start    watch->ready
 *
 * After the matching stop a backend neither reports nor touches the object, not even for an event
 * that it has already fetched.
 *
 * Threads  Loop thread only.
 */
#ifndef CORE_BACKEND_H
#define CORE_BACKEND_H

#include "core/chunk.h"
#include "core/io.h"
#include "core/mailbox.h"
#include "core/timer.h"

/* The flags of struct io. Owner: io.c, but for the last group. */
enum io_flag {
    IO_SOCKET = 1 << 0,    /* send and recv; otherwise write and read */
    IO_PAUSED = 1 << 1,    /* the owner wants no input */
    IO_ENDED = 1 << 2,     /* no input comes any more; a write-only pipe begins so */
    IO_FAILED = 1 << 3,    /* nothing can be sent any more */
    IO_OWES = 1 << 4,      /* on_drain, when the queue is empty */
    IO_SHUTDOWN = 1 << 5,  /* our side ends after the queue, or has ended */
    IO_FINISHING = 1 << 6, /* io_finish: no callback but on_gone */
    IO_CLOSED = 1 << 7,    /* waits for the reap phase */
    IO_SHUT = 1 << 8,      /* our side has ended */
    IO_LENT = 1 << 14,     /* a part of the queue lies in what is being received */
    /* the backend's */
    IO_SENDING = 1 << 9,    /* io_send is not done: more is queued than has been reported */
    IO_BACKEND_A = 1 << 10, /* for its own use */
    IO_BACKEND_B = 1 << 11,
    IO_BATCHED = 1 << 12, /* with IO_SENDING: the queue leaves at the next wait; nothing of it has
                             been refused so far */
    /* 1 << 13 is IO_KEPT */
    IO_RESTING = 1 << 15, /* io_open_resting */
};

/* Whether bytes that come in are wanted now. After io_finish they are thrown away. What is kept
 * comes first. */
static inline bool io_receives(const struct io *io)
{
    if (io->flags & (IO_ENDED | IO_CLOSED | IO_KEPT | IO_RESTING))
        return false;
    return io->flags & IO_FINISHING ? io->flags & IO_SHUT : !(io->flags & IO_PAUSED);
}

struct loop_backend {
    const char *name;
    /* Negative errno on failure, such as -ENOSYS where the kernel lacks what it needs. */
    int (*init)(struct loop *loop);
    void (*done)(struct loop *loop);
    /* -1: without limit. Negative errno on failure. */
    int (*wait)(struct loop *loop, int timeout_ms);
    /* A descriptor that is readable when wait() would return at once with something; -1: the
     * backend has none. */
    int (*fd)(const struct loop *loop);
    /* Makes fd() tell of everything that was asked for so far. NULL: it always does. */
    void (*settle)(struct loop *loop);
    /* The loop stands: what is IO_BATCHED leaves now, and what was received and has not been
     * reported is given to io_keep(). NULL: there never is anything. */
    void (*stand)(struct loop *loop);

    /* Starts the io, which receives if io_receives(). Negative errno if the descriptor can't be
     * waited for. */
    int (*io_start)(struct io *io);
    /* `lives_on`: somebody else goes on with the descriptor. */
    void (*io_stop)(struct io *io, bool lives_on);
    /* What was received and has not been reported is given to io_keep(). False: that can't be said
     * now. NULL: there never is anything. */
    bool (*io_gather)(struct io *io);
    /* Receives once, without waiting, from an io that was never started: the kernel has waited for
     * nothing so far. NULL: every io is started at once. */
    void (*io_look)(struct io *io);
    /* io_receives() has become true. (The backend notices by itself when that becomes false.) */
    void (*io_receive)(struct io *io);
    /* The queue is not empty, and IO_SENDING not set or IO_BATCHED set. `at_once`: as far as the
     * kernel takes it, before this returns. */
    void (*io_send)(struct io *io, bool at_once);
    /* Sends once, without waiting. Returns how many bytes the kernel took, or a negative errno. A
     * backend may always say -EAGAIN. */
    ssize_t (*io_send_now)(struct io *io, const struct iovec *pieces, int count);

    int (*watch_start)(struct watch *watch, unsigned events);
    void (*watch_stop)(struct watch *watch);
    int (*accept_start)(struct acceptor *acceptor);
    void (*accept_stop)(struct acceptor *acceptor);
};

extern const struct loop_backend epoll_backend, uring_backend;

/* All backends of this build, the preferred one first; NULL ends. */
extern const struct loop_backend *const loop_backends[];

/* 256 KiB of payload in messages of 1 KiB or more, with their headers: a burst whose last message
 * did not fit by some bytes would be gathered on the heap. */
enum {
    LOOP_BUFFER_BYTES = 264 * 1024
};

struct loop {
    const struct loop_backend *backend;
    void *state;  /* the backend's */
    char *buffer; /* LOOP_BUFFER_BYTES; what is received lies here during its callback */
    uint64_t now_ms;
    bool stopping;
    struct io *dispatching;     /* whose callback runs; NULL also when that io was released in it */
    struct io *in_pieces;       /* has been told a part of what was received */
    struct bytes pieces;        /* the rest, which comes next */
    struct acceptor *accepting; /* likewise */
    struct bytes received;      /* what on_recv was given; empty in other callbacks */
    struct list dirty;          /* io with something to do in the flush phase */
    struct list dead;           /* io that are closed */
    struct list lingering;      /* struct io_linger */
    struct list afters;         /* loop_after */
    struct loop_urgent *urgent; /* borrowed; NULL: none */
    struct reap *reaps;
    unsigned reap_count;
    struct chunk_pool pool;
    struct loop_counts counts;
    struct timer_wheel wheel;
    struct mailbox mailbox;
    struct watch bell;
    uint64_t (*clock)(void *arg);
    void *clock_arg;
};

/* The memory to receive into now. */
static inline struct bytes io_room(struct io *io)
{
    bool lends = io->ops->lend && !(io->flags & IO_FINISHING);
    struct bytes lent = lends ? io->ops->lend(io) : (struct bytes){NULL, 0};
    return lent.len ? lent : (struct bytes){io->loop->buffer, LOOP_BUFFER_BYTES};
}

/* One writer, readers in other threads. */
static inline void loop_count(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* A plain load: who sets it in another thread rings the mailbox, too. */
static inline bool loop_is_urgent(const struct loop *loop)
{
    return loop->urgent && atomic_load_explicit(&loop->urgent->due, memory_order_relaxed);
}

/* Runs what was given to loop_after(). */
static inline void loop_run_afters(struct loop *loop)
{
    for (struct list *node; (node = list_pop(&loop->afters));) {
        struct loop_after *after = container_of(node, struct loop_after, node);
        after->run(after);
    }
}

/* Frees what was given to loop_reap() and what is dead, outside of any callback. */
void loop_reap_now(struct loop *loop);

enum {
    LOOP_REAPS_MAX = 64 /* objects that wait to be freed; a request is one, of 4 KiB */
};

/* To be called between two callbacks of a turn, by a backend between two completions. */
static inline void loop_between(struct loop *loop)
{
    loop_run_afters(loop);
    if (loop_is_urgent(loop))
        loop->urgent->run(loop->urgent);
    if (loop->reap_count >= LOOP_REAPS_MAX)
        loop_reap_now(loop);
}

/* ---- what a backend reports ---- */

/* Waiting is over: reads the clock. */
void loop_woke(struct loop *loop);

/* False: receive no more from this io now; the io may be gone. */
bool io_received(struct io *io, struct bytes data);
/* As io_received(), for bytes that do not lie where io_room() says: copied to there, if the owner
 * lends, and kept as far as they are not wanted. */
bool io_received_elsewhere(struct io *io, struct bytes data);
/* Bytes that have come though !io_receives(): copied, and told when they are wanted. `error`: what
 * came behind them, or 0. */
void io_keep(struct io *io, struct slice data, int error);
/* 0: end of file. The io may be gone afterwards. */
void io_ended(struct io *io, int error);
/* At least one byte of the queue has left. */
void io_sent(struct io *io, size_t n);
/* The kernel had no room for what was IO_BATCHED: the owner hears when there is. */
void io_refused(struct io *io);
void io_send_failed(struct io *io, int error);
/* The backend can neither receive nor send for this io any more. The owner is told later, so a
 * backend may call this inside any call. */
void io_broke(struct io *io, int error);

/* False: the acceptor is stopped. */
bool acceptor_accepted(struct acceptor *acceptor, int fd);
/* No connection waits any more. (At the limit of descriptors accept(2) fails before it looks at the
 * queue.) */
void acceptor_emptied(struct acceptor *acceptor);
/* Negative errno of accept. False: the acceptor is stopped, or paused for a while. */
bool acceptor_failed(struct acceptor *acceptor, int error);

/* ---- phases of the loop that live in io.c ---- */

void io_flush_all(struct loop *loop);
void io_reap_all(struct loop *loop);
/* A lingering close. Only the loop still knows such an io. */
struct io_linger {
    struct list node; /* loop.lingering */
    struct timer timer;
    struct io *io;
};
/* False without memory. */
bool io_linger_start(struct io *io, uint64_t due_ms);
void io_linger_stop(struct io *io);

/* ---- for tests ---- */

/* NULL and errno set on failure. */
struct loop *loop_new_with(const struct loop_backend *backend);
/* From now on time is what `clock` says, in milliseconds; it must not go back. */
void loop_set_clock(struct loop *loop, uint64_t (*clock)(void *arg), void *arg);

#endif
