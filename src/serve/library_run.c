/* SPDX-License-Identifier: MIT */
/* library_run.c - how a server of the library runs: in which thread, in whose loop, until when. */
#include "serve/library.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>

/* ---- where this code runs ---- */

static _Thread_local struct library_thread *current;

struct library_thread *library_here(const struct httpsocket_server *s)
{
    if (current && current->server == s)
        return current;
    bool ours = s->options.threads == 0 && s->begun && pthread_equal(s->home, pthread_self());
    return ours ? &s->threads[0] : NULL;
}

static void on_work(struct timer *timer)
{
    (void)timer; /* the turn itself is what was wanted */
}

void library_thread_init(struct httpsocket_server *s, uint16_t i)
{
    struct library_thread *t = &s->threads[i];
    *t = (struct library_thread){.server = s, .worker = &s->server.workers[i]};
    list_init(&t->requests);
    list_init(&t->peers);
    list_init(&t->timers);
    timer_init(&t->work, on_work);
}

void library_wake(struct library_thread *t)
{
    struct loop *loop = library_loop(t);
    if (t->running || t->server->options.threads)
        return;
    loop_refresh(loop);
    if (!timer_active(&t->work))
        timer_start(loop, &t->work, 0);
    embedded_set(&t->server->embedded);
}

struct library_thread *library_enter(struct library_thread *t)
{
    struct library_thread *outer = current;
    assert(!t->running); /* not from a callback */
    t->running = true;
    current = t;
    return outer;
}

void library_leave(struct library_thread *t, struct library_thread *outer)
{
    t->running = false;
    current = outer;
}

bool library_calls_back(const struct httpsocket_server *s)
{
    return current && current->server == s;
}

/* ---- SIGPIPE: what sendfile(2) may raise in a thread that is not ours ---- */

struct pipe_guard {
    bool on, was_pending;
    sigset_t mask;
};

static void guard_pipe(const struct httpsocket_server *s, struct pipe_guard *g)
{
    sigset_t set, pending;
    *g = (struct pipe_guard){.on = s->has_folders};
    if (!g->on)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigpending(&pending);
    g->was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &g->mask);
}

static void unguard_pipe(const struct pipe_guard *g)
{
    static const struct timespec now;
    sigset_t set;
    if (!g->on)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    while (!g->was_pending && sigtimedwait(&set, NULL, &now) == SIGPIPE)
        continue;
    pthread_sigmask(SIG_SETMASK, &g->mask, NULL);
}

/* ---- running ---- */

static void begin(struct httpsocket_server *s)
{
    s->home = pthread_self();
    if (s->begun)
        return;
    s->begun = true;
    if (s->options.threads == 0 && s->options.on_start)
        s->options.on_start(s, 0);
}

/* Signals are for the program's own threads. */
static int start_threads(struct httpsocket_server *s)
{
    sigset_t all, mask;
    int error = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    for (uint16_t i = 0; !error && i < s->server.worker_count; i++) {
        error = worker_run(&s->server.workers[i]);
        if (!error)
            s->running++;
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return error;
}

int httpsocket_server_start(struct httpsocket_server *s)
{
    if (!s || !s->options.threads)
        return -EINVAL;
    if (s->begun)
        return -EBUSY;
    begin(s);
    int error = start_threads(s);
    if (error)
        httpsocket_server_stop(s, 0);
    return error;
}

void library_join(struct httpsocket_server *s)
{
    while (s->running)
        worker_join(&s->server.workers[--s->running]);
}

static int run_here(struct httpsocket_server *s)
{
    struct pipe_guard guard;
    struct library_thread *t = &s->threads[0], *outer;
    if (t->worker->drained)
        return 0;
    guard_pipe(s, &guard);
    outer = library_enter(t);
    begin(s);
    int error = loop_run(library_loop(t));
    library_leave(t, outer);
    unguard_pipe(&guard);
    return error;
}

int httpsocket_server_run(struct httpsocket_server *s)
{
    if (!s)
        return -EINVAL;
    assert(!library_calls_back(s)); /* not from a callback */
    if (!s->options.threads)
        return run_here(s);
    int error = s->begun ? 0 : httpsocket_server_start(s);
    library_join(s);
    return error;
}

int httpsocket_server_process(struct httpsocket_server *s, int timeout_ms)
{
    struct pipe_guard guard;
    if (!s || s->options.threads)
        return -EINVAL;
    struct library_thread *t = &s->threads[0], *outer;
    if (t->worker->drained)
        return 1;
    guard_pipe(s, &guard);
    outer = library_enter(t);
    begin(s);
    int error = embedded_turn(&s->embedded, timeout_ms);
    library_leave(t, outer);
    unguard_pipe(&guard);
    return error ? error : t->worker->drained;
}

int httpsocket_server_fd(const struct httpsocket_server *s)
{
    return !s || s->options.threads ? -EINVAL : loop_fd(s->server.workers[0].loop);
}

void httpsocket_server_stop(struct httpsocket_server *s, unsigned timeout_ms)
{
    unsigned before = s ? atomic_fetch_add(&s->stops, 1) : 2;
    if (before > 1)
        return;
    if (before == 0)
        s->server.config->drain_timeout = timeout_ms;
    for (uint16_t i = 0; i < s->server.worker_count; i++)
        worker_post_drain(&s->server.workers[i], before == 1 || timeout_ms == 0);
}
