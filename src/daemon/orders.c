/* SPDX-License-Identifier: MIT */
#include "daemon/orders.h"

#include "base/log.h"
#include "daemon/reload.h"
#include "daemon/takeover.h"
#include "net/process_tree.h"
#include "supervisor/notify.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define RELOAD_AGAIN_MS   50
#define CHILDREN_OFTEN_MS 20 /* less than this after another */
#define CHILDREN_REST_MS  10

/* A reload that is wanted while one is under way follows it: the file may have changed since it was
 * read. */
static void reload_now(struct orders *o)
{
    reload(o->daemon, o->admin);
    if (o->daemon->reload_again)
        timer_start(o->daemon->server.loop, &o->reload, RELOAD_AGAIN_MS);
}

static void obey(struct orders *o);

static void reload_again(struct timer *timer)
{
    struct orders *o = container_of(timer, struct orders, reload);
    reload_now(o);
    obey(o);
}

/* ---- signals ---- */

/* A whole terminal or service is signalled, so that the supervisor hears it too: what counts is
 * what the supervisor says. */
static void pass_over(const struct daemon *d, const struct signalfd_siginfo *info)
{
    if ((pid_t)info->ssi_pid == d->serving->supervisor)
        return; /* it says so by the channel too */
    log_info("signal.passed_over", log_int("signal", info->ssi_signo),
             log_int("supervisor", d->serving->supervisor));
}

static void hang_up(struct orders *o, const struct signalfd_siginfo *info)
{
    bool ends = !o->daemon->server.config->file && terminal_hung_up(&o->terminal, info);
    if (!ends)
        reload_now(o);
    else if (!o->terminal.ignored)
        daemon_drain(o->daemon);
}

static void on_signal(struct watch *watch, unsigned events)
{
    (void)events;
    struct orders *o = container_of(watch, struct orders, signals);
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (o->daemon->serving)
        pass_over(o->daemon, &info);
    else if (info.ssi_signo == SIGHUP)
        hang_up(o, &info);
    else if (info.ssi_signo == SIGUSR2)
        takeover_begin(daemon_takeover(o->daemon));
    else
        daemon_drain(o->daemon);
}

/* ---- children that have ended ---- */

/* Each program is one, too, though its worker waits for it: where programs end one after the other
 * we look only now and then. */
static void on_child(struct watch *watch, unsigned events)
{
    (void)events;
    struct orders *o = container_of(watch, struct orders, children);
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
        return;
    process_tree_reap();
    uint64_t now = loop_now_ms(o->daemon->server.loop), before = o->reaped_ms;
    o->reaped_ms = now;
    if (now - before >= CHILDREN_OFTEN_MS)
        return;
    watch_stop(watch);
    timer_start(o->daemon->server.loop, &o->children_rest, CHILDREN_REST_MS);
}

static int watch_children(struct orders *o)
{
    return watch_start(o->daemon->server.loop, &o->children, o->children_fd, WATCH_READ);
}

static void look_again(struct timer *timer)
{
    struct orders *o = container_of(timer, struct orders, children_rest);
    if (watch_children(o) < 0) /* no memory: later */
        timer_start(o->daemon->server.loop, timer, CHILDREN_OFTEN_MS);
}

static int take_children(struct orders *o)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    signal(SIGCHLD, SIG_DFL); /* who ignores it is not told how children end */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    o->children_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return o->children_fd < 0 ? -errno : watch_children(o);
}

/* All signals that mean something to us come by descriptor, to the control thread; in programs they
 * are as usual again. */
static int take_signals(struct orders *o)
{
    sigset_t set;
    terminal_init(&o->terminal);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR2);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit: the write fails, as on a full disk */
    signal(SIGTTOU, SIG_IGN); /* a log on a terminal that stops who writes in the background */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    return watch_start(o->daemon->server.loop, &o->signals, fd, WATCH_READ);
}

/* ---- the supervisor ---- */

/* The kernel ends us too, when the supervisor is gone. */
static void be_alone(struct orders *o)
{
    watch_stop(&o->supervisor);
    daemon_drain(o->daemon);
    daemon_drain(o->daemon);
}

/* Also after each reload: while that waits for the supervisor's answer it notes other orders. */
static void obey(struct orders *o)
{
    while (o->daemon->serving) {
        switch (serving_next(o->daemon->serving)) {
        case SERVING_NOTHING:
            return;
        case SERVING_DRAIN:
            daemon_drain(o->daemon);
            break;
        case SERVING_RELOAD:
            reload_now(o);
            break;
        case SERVING_UPGRADE:
            takeover_begin(daemon_takeover(o->daemon));
            break;
        case SERVING_ALONE:
            be_alone(o);
            return;
        }
    }
}

static void on_orders(struct watch *watch, unsigned events)
{
    (void)events;
    obey(container_of(watch, struct orders, supervisor));
}

static int take_orders(struct orders *o)
{
    struct daemon *d = o->daemon;
    return d->serving ? watch_start(d->server.loop, &o->supervisor, d->serving->channel, WATCH_READ)
                      : 0;
}

/* ---- the watchdog ---- */

static uint64_t beat_ms(const struct daemon *d)
{
    return d->serving ? d->serving->beat_ms : notify_watchdog_ms() / 3;
}

static void on_worker_lives(void *arg)
{
    struct orders *o = arg;
    if (--o->beat_waits > 0)
        return;
    if (o->daemon->serving)
        serving_say(o->daemon->serving, IPC_BEAT, 0);
    else
        notify_say("WATCHDOG=1");
}

/* As long as one worker does not answer nothing is said. */
static void beat(struct timer *timer)
{
    struct orders *o = container_of(timer, struct orders, beat);
    struct daemon *d = o->daemon;
    timer_start(d->server.loop, timer, beat_ms(d));
    if (o->beat_waits > 0)
        return;
    o->beat_waits = d->server.worker_count;
    for (uint16_t i = 0; i < d->server.worker_count; i++)
        worker_post_ping(&d->server.workers[i], on_worker_lives, o);
}

/* ---- opened and closed ---- */

int orders_start(struct orders *o, struct daemon *daemon, struct admin_server *admin)
{
    *o = (struct orders){.daemon = daemon, .admin = admin, .children_fd = -1};
    watch_init(&o->signals, on_signal);
    watch_init(&o->children, on_child);
    watch_init(&o->supervisor, on_orders);
    timer_init(&o->beat, beat);
    timer_init(&o->reload, reload_again);
    timer_init(&o->children_rest, look_again);
    int error = take_signals(o);
    if (!error)
        error = take_children(o);
    return error ? error : take_orders(o);
}

void orders_begin(struct orders *o, bool taken_over)
{
    if (beat_ms(o->daemon))
        timer_start(o->daemon->server.loop, &o->beat, beat_ms(o->daemon));
    if (taken_over)
        reload_now(o);
    obey(o);
}

void orders_stop(struct orders *o)
{
    int fd = o->signals.fd;
    watch_stop(&o->signals);
    watch_stop(&o->children);
    timer_stop(&o->children_rest);
    watch_stop(&o->supervisor);
    timer_stop(&o->beat);
    timer_stop(&o->reload);
    if (fd >= 0)
        close(fd);
    if (o->children_fd >= 0)
        close(o->children_fd);
}
