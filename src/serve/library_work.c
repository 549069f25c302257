/* SPDX-License-Identifier: MIT */
#include "serve/library.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

/* ---- timers ---- */

struct httpsocket_timer {
    struct timer timer;
    struct list node; /* thread.timers */
    struct library_thread *thread;
    uint64_t repeat_ms;
    httpsocket_work_fn *work;
    void *arg;
    struct reap reap;
};

static void free_timer(struct reap *reap)
{
    free(container_of(reap, struct httpsocket_timer, reap));
}

/* Allowed on one that has ended in this turn. */
static void end(struct httpsocket_timer *t)
{
    if (list_empty(&t->node))
        return;
    list_remove(&t->node);
    timer_stop(&t->timer);
    loop_reap(library_loop(t->thread), &t->reap, free_timer);
}

static void fire(struct timer *timer)
{
    struct httpsocket_timer *t = container_of(timer, struct httpsocket_timer, timer);
    struct httpsocket_server *s = t->thread->server;
    if (t->repeat_ms)
        timer_start(library_loop(t->thread), timer, t->repeat_ms);
    else
        end(t);
    t->work(s, t->arg);
}

int httpsocket_server_timer(struct httpsocket_server *s, uint64_t delay_ms, uint64_t repeat_ms,
                            httpsocket_work_fn *work, void *arg, struct httpsocket_timer **ret)
{
    if (!s || !work)
        return -EINVAL;
    struct library_thread *here = library_here(s);
    if (!here && s->begun)
        return -EPERM;
    if (!here)
        here = &s->threads[0];
    struct httpsocket_timer *t = log_needed(malloc(sizeof(*t)));
    if (!t)
        return -ENOMEM;
    *t =
        (struct httpsocket_timer){.thread = here, .repeat_ms = repeat_ms, .work = work, .arg = arg};
    timer_init(&t->timer, fire);
    list_append(&here->timers, &t->node);
    if (!here->running)
        loop_refresh(library_loop(here));
    timer_start(library_loop(here), &t->timer, delay_ms);
    library_wake(here);
    if (ret)
        *ret = t;
    return 0;
}

void httpsocket_timer_stop(struct httpsocket_timer *t)
{
    if (t)
        end(t);
}

void library_timers_done(struct library_thread *t)
{
    while (!list_empty(&t->timers))
        end(container_of(t->timers.next, struct httpsocket_timer, node));
}

/* ---- work of other threads ---- */

struct post {
    struct mail mail;
    struct httpsocket_server *server;
    httpsocket_work_fn *work;
    void *arg;
};

static void deliver(struct mail *mail)
{
    struct post *p = container_of(mail, struct post, mail);
    p->work(p->server, p->arg);
    free(p);
}

int httpsocket_server_post(struct httpsocket_server *s, unsigned thread, httpsocket_work_fn *work,
                           void *arg)
{
    if (!s || !work || thread >= s->server.worker_count)
        return -EINVAL;
    if (s->over)
        return -EPIPE;
    struct post *p = malloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    *p = (struct post){.server = s, .work = work, .arg = arg};
    atomic_fetch_add(&s->calls, 1);
    loop_post(s->server.workers[thread].loop, &p->mail, deliver);
    atomic_fetch_sub(&s->calls, 1);
    return 0;
}
