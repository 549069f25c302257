/* SPDX-License-Identifier: MIT */
#include "daemon/daemon.h"

#include "base/log.h"
#include "base/log_share.h"
#include "daemon/admin_server.h"
#include "daemon/process_limits.h"
#include "daemon/reload.h"
#include "daemon/sdk.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define WHY_SIZE    256
#define LOG_TELL_MS 5000

/* The control thread's own things around struct daemon. */
struct control {
    struct daemon daemon;
    struct watch signals;
    struct timer log_timer; /* lines of the log that were left out are told now and then */
    struct admin_server admin_server;
};

static struct control *control_of(struct daemon *d)
{
    return container_of(d, struct control, daemon);
}

/* ---- the end ---- */

static void on_worker_ended(struct daemon *d)
{
    if (--d->workers_running > 0)
        return;
    admin_server_close(&control_of(d)->admin_server);
    watch_stop(&control_of(d)->signals);
    timer_stop(&control_of(d)->log_timer);
    loop_stop(d->loop);
}

struct ended_mail {
    struct mail mail;
    struct daemon *daemon;
};

static void deliver_ended(struct mail *mail)
{
    struct ended_mail *m = container_of(mail, struct ended_mail, mail);
    on_worker_ended(m->daemon);
    free(m);
}

void daemon_worker_ended(struct daemon *d)
{
    struct ended_mail *m = malloc(sizeof(*m));
    if (!m)
        abort(); /* otherwise this process would never end */
    m->daemon = d;
    loop_post(d->loop, &m->mail, deliver_ended);
}

static void drain(struct daemon *d)
{
    log_info("server.draining", log_int("at_once", d->draining));
    for (uint16_t i = 0; i < d->worker_count; i++)
        worker_post_drain(&d->workers[i], d->draining);
    d->draining = true;
    admin_server_drain(&control_of(d)->admin_server);
}

/* ---- the log ---- */

static void tell_left_out(struct timer *timer)
{
    struct control *c = container_of(timer, struct control, log_timer);
    log_share_tell();
    timer_start(c->daemon.loop, timer, LOG_TELL_MS);
}

/* ---- signals ---- */

static void on_signal(struct watch *watch, unsigned events)
{
    (void)events;
    struct control *c = container_of(watch, struct control, signals);
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP)
        reload(&c->daemon, &c->admin_server);
    else
        drain(&c->daemon);
}

/* ---- the beginning ---- */

static uint16_t count_workers(const struct config *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return (uint16_t)(c->threads ? c->threads : cores > 0 ? (uint64_t)cores : 1);
}

/* All signals that mean something to us come by descriptor, to the control thread; in programs they
 * are as usual again. */
static int take_signals(struct control *c)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* who ignores it is not told how children end */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    watch_init(&c->signals, on_signal);
    return watch_start(c->daemon.loop, &c->signals, fd, WATCH_READ);
}

/* The first worker opens the address, the others open it once more. */
static int open_listeners(struct daemon *d, const int *first, int *descriptors)
{
    for (size_t i = 0; i < d->config->listen.count; i++) {
        int error = first ? listener_open_more(first[i], &descriptors[i])
                          : listener_open(&d->config->addresses[i], &descriptors[i]);
        if (error < 0) {
            log_error("listen.failed", log_text("address", d->config->listen.items[i]),
                      log_errno("error", error));
            return error;
        }
    }
    return 0;
}

static int worker_failed(const struct daemon *d, uint16_t worker, int error)
{
    log_error("worker.failed", log_int("worker", worker), log_text("root", d->config->root),
              log_errno("error", error));
    return error;
}

static int start_workers(struct daemon *d, int *descriptors)
{
    size_t listeners = d->config->listen.count;
    for (uint16_t i = 0; i < d->worker_count; i++) {
        int error = open_listeners(d, i ? descriptors : NULL, descriptors + i * listeners);
        if (error == 0)
            error = worker_open(&d->workers[i], d, i, descriptors + i * listeners);
        if (error < 0)
            return worker_failed(d, i, error);
    }
    for (uint16_t i = 0; i < d->worker_count; i++) {
        int error = worker_run(&d->workers[i]);
        if (error < 0)
            return worker_failed(d, i, error);
        d->workers_running++;
    }
    return 0;
}

static void say_ready(const struct daemon *d)
{
    for (size_t i = 0; i < d->config->listen.count; i++) {
        char text[NET_ADDRESS_TEXT_MAX];
        const struct net_address *a = &d->config->addresses[i];
        size_t len = net_address_print(a, text);
        const char *scheme = a->any.sa_family == AF_UNIX ? "" : d->tls ? "https://" : "http://";
        printf("listening on %s%.*s\n", scheme, (int)len, text);
    }
    fflush(stdout);
}

static int start(struct control *c)
{
    struct daemon *d = &c->daemon;
    d->worker_count = count_workers(d->config);
    int *descriptors = calloc(d->worker_count * d->config->listen.count, sizeof(*descriptors));
    d->sdk = sdk_find(d->config->sdk);
    d->loop = loop_new();
    d->workers = calloc(d->worker_count, sizeof(*d->workers));
    d->limits = program_limits_new((uint32_t)d->config->programs_max,
                                   (uint32_t)d->config->programs_per_client);
    d->tables = (struct script_access_tables){bans_new(d->config->bans_max),
                                              rates_new(d->config->rates_max)};
    d->quota = quota_new();
    d->worker_map = worker_map_new();
    d->topics = hub_threads_new(d->worker_count);
    int error = -ENOMEM;
    if (descriptors && d->loop && d->workers && d->limits && d->quota && d->worker_map &&
        d->tables.bans && d->tables.rates && d->topics)
        error = take_signals(c);
    if (error == 0)
        error = start_workers(d, descriptors);
    if (error == 0)
        error = admin_server_open(&c->admin_server, d);
    free(descriptors);
    return error;
}

static bool open_tls(struct daemon *d)
{
    char why[WHY_SIZE];
    d->targets_trust = targets_trust_read(d->config, why, sizeof(why));
    if (!d->targets_trust) {
        log_error("tls.failed", log_text("why", why));
        return false;
    }
    if (!*d->config->tls_cert)
        return true;
    d->tls = tls_context_new(d->config->tls_cert, d->config->tls_key, why, sizeof(why));
    if (!d->tls)
        log_error("tls.failed", log_text("why", why));
    return d->tls;
}

static void end(struct control *c)
{
    struct daemon *d = &c->daemon;
    for (uint16_t i = 0; i < d->worker_count; i++)
        worker_join(&d->workers[i]);
    for (uint16_t i = 0; i < d->worker_count; i++)
        worker_stop(&d->workers[i]);
    admin_server_stop(&c->admin_server);
    for (uint16_t i = 0; i < d->worker_count; i++)
        worker_free(&d->workers[i]);
    loop_turn(d->loop, 0); /* reads the workers' last mail */
    for (size_t i = 0; i < d->config->listen.count; i++)
        listener_unlink(&d->config->addresses[i]);
    close(c->signals.fd);
    admin_server_done(&c->admin_server);
    loop_free(d->loop);
    free(d->workers);
    program_limits_free(d->limits);
    quota_free(d->quota);
    hub_threads_free(d->topics);
    worker_map_free(d->worker_map);
    access_log_close(d->access_log);
    access_log_close(d->access_log_old);
    bans_free(d->tables.bans);
    rates_free(d->tables.rates);
    tls_context_unref(d->tls);
    free(d->sdk);
    tls_context_unref(d->targets_trust);
    config_free(d->config);
    config_free(d->config_old);
}

int daemon_run(struct config *config, int argc, char *const *argv)
{
    static struct control control;
    struct daemon *d = &control.daemon;
    *d = (struct daemon){.argc = argc, .argv = argv, .config = config};
    reload_apply(config);
    process_limits_close_memory(config->core_dumps);
    log_start();
    process_limits_raise_descriptors();
    if (!reload_open_access_log(config, &d->access_log) || !open_tls(d) || start(&control) < 0) {
        log_stop();
        return 1; /* the process ends, and with it what was begun */
    }
    say_ready(d);
    timer_init(&control.log_timer, tell_left_out);
    timer_start(d->loop, &control.log_timer, LOG_TELL_MS);
    int error = loop_run(d->loop);
    if (error < 0)
        log_error("server.failed", log_errno("error", error));
    end(&control);
    log_share_tell();
    log_info("server.ended");
    log_stop();
    return error < 0 ? 1 : 0;
}
