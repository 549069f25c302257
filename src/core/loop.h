/* SPDX-License-Identifier: MIT */
/* loop.h - one thread's event loop: input, timers, mail, output, freeing.
 *
 * A turn: wait; dispatch completions (each io's output leaves right after its own dispatch; what is
 * urgent is done between them); fire due timers; read the mailbox; flush the io that others wrote
 * to; free what was given to loop_reap(), since nothing is freed inside its own callback.
 *
 * The interface is completion-shaped: callers get bytes, not readiness, and a backend is a table
 * (core/backend.h): epoll or io_uring.
 *
 * Threads  A loop and all its objects belong to the thread that runs it. loop_post() alone may be
 *          called from another.
 * Memory   Receiving uses one buffer of the loop; an idle io owns no buffer.
 */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include "base/list.h"
#include "base/slice.h"

#include <stdatomic.h>
#include <sys/socket.h>

struct loop;

/* Loops made from now on wait by this: "epoll", as they do if nobody calls this, or "io_uring". To
 * be called before there are threads. Negative errno, and nothing has changed, if that does not
 * work here: -ENOSYS (the kernel is too old), -EPERM (it is forbidden), -ENOMEM, -EINVAL (no such
 * name). */
int loop_use(const char *backend);
/* NULL and errno set on failure. */
struct loop *loop_new(void);
/* The name of what it waits by. */
const char *loop_backend(const struct loop *loop);
/* Everything must have been stopped or closed before. Objects that wait to be reaped are freed, and
 * io that linger after io_finish are closed. Accepts NULL. */
void loop_free(struct loop *loop);
/* Returns 0 after loop_stop(), or a negative errno if waiting failed. */
int loop_run(struct loop *loop);
/* One turn: waits at most `max_wait_ms` (-1: until something happens). Negative errno if waiting
 * failed. */
int loop_turn(struct loop *loop, int max_wait_ms);
/* Loop thread only. The current turn is finished first, or loop_run()'s first turn if none has
 * begun. */
void loop_stop(struct loop *loop);

/* For a loop inside another one: when the descriptor (owned by the loop; -1 if the backend has
 * none) is readable, or loop_wait_ms() has passed, loop_turn(loop, 0) has something to do. */
int loop_fd(const struct loop *loop);
/* How long the next turn would wait at most; 0: there is work; -1: without limit. Ask anew after
 * each call that may start something. */
int loop_wait_ms(struct loop *loop);
/* Reads the clock between two turns, so that a delay that is started now counts from now. */
void loop_refresh(struct loop *loop);

/* CLOCK_BOOTTIME (monotonic, goes on while the machine sleeps) in milliseconds, read once a turn,
 * after waiting. */
uint64_t loop_now_ms(const struct loop *loop);
/* A timer that fires so much after its due_ms says that the process did not run (SIGSTOP, a machine
 * that was paused). The loop reads what has come before it fires such a timer. Whoever judges
 * others by their silence then listens for a while: an answer takes its time, too. */
#define LOOP_PAUSE_MS 1000

/* Totals since the start, for metrics and benchmarks. Read by other threads without a lock
 * (relaxed). */
struct loop_counts {
    uint64_t turns, receives, sends, bytes_in, bytes_out, timers_fired, mails, accepts;
    uint64_t accept_pauses; /* for want of descriptors or memory */
};
const struct loop_counts *loop_counts(const struct loop *loop);

/* ---- freeing at the end of the turn, or between two of its callbacks if much waits ---- */

struct reap {
    struct reap *next;
    void (*free)(struct reap *reap);
};
/* `reap` is embedded in the object that `free` releases; once per object. */
void loop_reap(struct loop *loop, struct reap *reap, void (*free)(struct reap *));

/* Frees what the loop keeps for the next output and does not use now. */
void loop_trim(struct loop *loop);

/* ---- what can't wait for the end of the turn ---- */

/* While `due` is set, `run` is called before the next completion of the turn is dispatched, outside
 * of any callback, and until then an io is not read on. `run` clears `due`. */
struct loop_urgent {
    void (*run)(struct loop_urgent *urgent);
    atomic_bool due; /* may be set from any thread, which does not wake the loop */
};
/* One for each loop; NULL: none. Borrowed. */
void loop_set_urgent(struct loop *loop, struct loop_urgent *urgent);

/* ---- once, when a callback has returned ---- */

/* What has to be done once after a callback, however often the callback asks for it, such as to
 * count what it has changed: when it has returned and its output is on its way, before the loop
 * looks whether anything is urgent. Letters that come together count as one callback, up to some of
 * them. `run` frees nothing that the callback was about. Embedded by its owner. */
struct loop_after {
    struct list node;
    struct loop *loop; /* borrowed */
    void (*run)(struct loop_after *after);
};
void loop_after_init(struct loop_after *after, struct loop *loop,
                     void (*run)(struct loop_after *after));
void loop_after_append(struct loop_after *after);
static inline void loop_after(struct loop_after *after)
{
    if (list_empty(&after->node))
        loop_after_append(after);
}
/* It does not run any more. Allowed at any time. */
static inline void loop_after_stop(struct loop_after *after)
{
    list_remove(&after->node);
}

/* ---- timers ---- */

struct timer {
    struct list node;
    uint64_t due_ms;
    void (*fire)(struct timer *timer);
};
void timer_init(struct timer *timer, void (*fire)(struct timer *));
/* Starts or restarts; fires once, not before loop_now_ms() has grown by `delay_ms`, never from
 * inside this call. O(1). */
void timer_start(struct loop *loop, struct timer *timer, uint64_t delay_ms);
/* Allowed at any time, also when not started. */
void timer_stop(struct timer *timer);
bool timer_active(const struct timer *timer);
/* When it fires; 0: it is not started. The clock is the machine's: a process that takes over has
 * the same. */
static inline uint64_t timer_due_ms(const struct timer *timer)
{
    return timer_active(timer) ? timer->due_ms : 0;
}
/* Starts it for that time, or soon if it has passed. 0: not at all. */
void timer_start_at(struct loop *loop, struct timer *timer, uint64_t due_ms);

/* ---- readiness of foreign descriptors: pidfd, signalfd, libunbound ---- */

enum {
    WATCH_READ = 1,
    WATCH_WRITE = 2
};

struct watch {
    struct loop *loop; /* borrowed */
    int fd;            /* borrowed; -1: not started */
    void (*ready)(struct watch *watch, unsigned events);
};
void watch_init(struct watch *watch, void (*ready)(struct watch *, unsigned events));
/* Level-triggered; an error or hang-up is reported as both events. A watch that was started already
 * is restarted. Negative errno on failure. */
int watch_start(struct loop *loop, struct watch *watch, int fd, unsigned events);
/* No callback after this, not even one that is already queued in this turn: the memory is the
 * owner's. Allowed when not started. To be called before the fd is closed. */
void watch_stop(struct watch *watch);

/* ---- listening sockets ---- */

struct acceptor {
    struct loop *loop;  /* borrowed */
    int fd;             /* owned from acceptor_start() on */
    struct timer retry; /* after EMFILE and the like: accepting pauses, and goes on */
    bool starved;       /* the pause was logged; until all waiting connections are accepted */
    bool paused;        /* acceptor_pause() */
    unsigned taken;     /* in that turn at a time, and more may have waited: io_calls.c */
    uint64_t taken_turn;
    /* Of the connection that is told: its other end. Borrowed, valid in `accepted`. */
    const struct sockaddr *peer;
    socklen_t peer_len;
    /* `fd` is the callee's; non-blocking and close-on-exec. */
    void (*accepted)(struct acceptor *acceptor, int fd);
    /* There are no descriptors or no memory for the next one: the time to let something go. May be
     * NULL; stops no acceptor. Set after acceptor_start(). */
    void (*on_starved)(struct acceptor *acceptor);
};
/* Negative errno on failure: then the descriptor is still the caller's. */
int acceptor_start(struct loop *loop, struct acceptor *acceptor, int fd,
                   void (*accepted)(struct acceptor *, int fd));
/* Closes the descriptor; no callback after this, and the memory is the owner's. Call it once. */
void acceptor_stop(struct acceptor *acceptor);
/* Accepts no more, until `false`: connections wait in the kernel. */
void acceptor_pause(struct acceptor *acceptor, bool paused);
/* Accepts what has been waiting, now: for one that is about to be stopped. */
void acceptor_take_waiting(struct acceptor *acceptor);

/* ---- mail from other threads ---- */

struct mail {
    struct mail *next;
    void (*deliver)(struct mail *mail); /* in the receiving loop's thread; `mail` is the callee's */
};
/* May be called from any thread; the loop must outlive the call. The order is kept per sender.
 * Lock-free. */
void loop_post(struct loop *loop, struct mail *mail, void (*deliver)(struct mail *));
/* Whether there is mail that the loop has not taken: all that was posted before what its thread is
 * about to do, and perhaps more. */
bool loop_has_mail(const struct loop *loop);
/* For whoever has all threads at rest: delivers the mail that has come, and frees what is to be
 * freed. False: there was none. */
bool loop_deliver(struct loop *loop);

#endif
