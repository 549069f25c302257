#include "daemon/daemon.h"

#include "admin/admin.h"
#include "base/log.h"
#include "daemon/access_settings.h"
#include "daemon/arguments.h"
#include "daemon/authorize.h"
#include "daemon/metrics.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define WHY_SIZE      256
#define SESSION_NEEDS "each connected page takes about 4"

/* The control thread's own things around struct daemon. */
struct control {
    struct daemon daemon;
    struct watch signals;
    struct admin admin;
    struct listener admin_listener;
    bool admin_listening;
    struct http_limits admin_limits;
    struct guard *guard; /* of /.httpsocket/authorize; NULL without the admin listener */
};

static struct control *control_of(struct daemon *d)
{
    return container_of(d, struct control, daemon);
}

/* ---- the end ---- */

static void close_admin(struct control *c)
{
    if (!c->admin_listening)
        return;
    c->admin_listening = false;
    listener_stop(&c->admin_listener);
    http_server_stop(&c->admin.server);
}

static void on_worker_ended(struct daemon *d)
{
    if (--d->workers_running > 0)
        return;
    close_admin(control_of(d));
    watch_stop(&control_of(d)->signals);
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
        abort(); /* nobody would ever end us */
    m->daemon = d;
    loop_post(d->loop, &m->mail, deliver_ended);
}

static void drain(struct daemon *d)
{
    log_info("server.draining", log_int("at_once", d->draining));
    for (uint16_t i = 0; i < d->worker_count; i++)
        worker_post_drain(&d->workers[i], d->draining);
    d->draining = true;
}

/* ---- script access, for /.httpsocket/authorize ---- */

/* What is under way keeps the old one. On failure there is no new one. */
static bool renew_guard(struct control *c, const struct config *config)
{
    struct daemon *d = &c->daemon;
    struct text why = {0};
    struct guard *guard = guard_new(d->loop, config, &d->tables, &d->access_counts, &why);
    if (guard) {
        guard_unref(c->guard);
        c->guard = guard;
    } else {
        log_error("access.failed", log_quoted("why", text_slice(&why)));
    }
    text_done(&why);
    return guard;
}

/* ---- reload ---- */

static void on_worker_has_config(struct daemon *d)
{
    if (--d->config_waits > 0)
        return;
    config_free(d->config_old);
    d->config_old = NULL;
    log_info("config.reloaded");
}

static bool reload_tls(struct daemon *d, const struct config *now)
{
    char why[WHY_SIZE];
    if (!d->tls || !*now->tls_cert ||
        tls_context_reload(d->tls, now->tls_cert, now->tls_key, why, sizeof(why)) == 0)
        return true;
    log_error("config.refused", log_text("why", why));
    return false;
}

static void say_if_open(const struct config *c)
{
    if (strcmp(c->consent, "strict"))
        log_warn("access.open", log_text("consent", c->consent),
                 log_text("note", "a name's owner can aim pages at other people's addresses"));
}

static void apply_log(const struct config *c)
{
    enum log_level level = LOG_INFO;
    log_level_parse(slice_of(c->log_level), &level);
    log_setup(level, strcmp(c->log_format, "json") ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
}

static void use_config(struct daemon *d, struct config *now)
{
    struct text fixed = {0};
    config_fixed_changes(d->config, now, &fixed);
    if (fixed.len)
        log_warn("config.needs_restart", log_quoted("settings", text_slice(&fixed)));
    text_done(&fixed);
    apply_log(now);
    say_if_open(now);
    page_limits_set(d->limits, (uint32_t)now->programs_max, (uint32_t)now->programs_per_client);
    struct control *c = control_of(d);
    if (c->guard && !access_settings_equal(d->config, now))
        renew_guard(c, now);
    d->config_old = d->config;
    d->config = now;
    d->config_waits = d->worker_count;
    for (uint16_t i = 0; i < d->worker_count; i++)
        worker_post_config(&d->workers[i], now, on_worker_has_config);
}

static void refuse_config(struct config *now, const struct text *why)
{
    if (why->len)
        log_error("config.refused", log_quoted("why", text_slice(why)));
    config_free(now);
}

/* A bad file keeps the old settings and says so. */
static void reload(struct daemon *d)
{
    struct text why = {0};
    enum command command;
    if (d->draining || d->config_old) {
        log_warn("config.refused",
                 log_text("why", d->draining ? "the server is draining" : "a reload is under way"));
        return;
    }
    struct config *now = arguments_read(d->argc, d->argv, &command, &why);
    if (!now)
        log_error("config.refused", log_quoted("why", text_slice(&why)));
    else if (!guard_try(now, &why) || !reload_tls(d, now))
        refuse_config(now, &why);
    else
        use_config(d, now);
    text_done(&why);
}

static void on_signal(struct watch *watch, unsigned events)
{
    (void)events;
    struct control *c = container_of(watch, struct control, signals);
    struct signalfd_siginfo info;
    if (read(watch->fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP)
        reload(&c->daemon);
    else
        drain(&c->daemon);
}

/* ---- the operator's door ---- */

static bool healthy(void *owner)
{
    struct control *c = owner;
    return !c->daemon.draining;
}

static void write_metrics(void *owner, struct text *out)
{
    struct control *c = owner;
    metrics_write(&c->daemon, out);
}

struct gathering {
    struct admin_query *query;
    struct text text;
    uint16_t waits;
};

static void gathered(struct gathering *g)
{
    if (--g->waits > 0)
        return;
    if (g->text.len > 1)
        g->text.len--; /* the last comma */
    text_put(&g->text, SLICE_LITERAL("]\n"));
    admin_answer(g->query, text_slice(&g->text));
    text_done(&g->text);
    free(g);
}

static void on_description(void *arg, struct text *text)
{
    struct gathering *g = arg;
    text_put(&g->text, text_slice(text));
    gathered(g);
}

static void gather_sessions(void *owner, struct admin_query *query)
{
    struct control *c = owner;
    struct gathering *g = calloc(1, sizeof(*g));
    if (!g) {
        admin_answer(query, SLICE_LITERAL("[]\n"));
        return;
    }
    g->query = query;
    g->waits = (uint16_t)(c->daemon.worker_count + 1);
    text_put(&g->text, SLICE_LITERAL("["));
    for (uint16_t i = 0; i < c->daemon.worker_count; i++)
        worker_post_describe(&c->daemon.workers[i], on_description, g);
    gathered(g);
}

static void authorize(void *owner, struct exchange *x)
{
    struct control *c = owner;
    const struct config *config = c->daemon.config;
    struct own_origins own = {config->origins, config->origin.count};
    authorize_begin(c->guard, &own, x);
}

static const struct admin_ops admin_ops = {
    .healthy = healthy,
    .metrics = write_metrics,
    .sessions = gather_sessions,
    .authorize = authorize,
};

static void on_admin_stream(struct listener *listener, struct stream *stream)
{
    struct control *c = listener->owner;
    http_accept(&c->admin.server, stream);
}

static int open_admin(struct control *c)
{
    struct config *config = c->daemon.config;
    int fd;
    if (!*config->admin)
        return 0;
    c->admin_limits = (struct http_limits){
        .head_max = 16384,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 10000,
        .idle_timeout_ms = 60000,
        .write_timeout_ms = 10000,
        .connections_max = 256,
    };
    if (!renew_guard(c, config))
        return -ENOMEM;
    admin_init(&c->admin, c->daemon.loop, &c->admin_limits, &admin_ops, c);
    int error = listener_open(&config->admin_address, &fd);
    if (error == 0)
        error = listener_start(c->daemon.loop, &c->admin_listener, fd, NULL, on_admin_stream, c);
    c->admin_listening = error == 0;
    char text[NET_ADDRESS_TEXT_MAX];
    if (error < 0)
        log_error("admin.failed", log_text("address", config->admin), log_errno("error", error));
    else
        log_info("admin.listening",
                 log_quoted("address",
                            slice_make(text, net_address_print(&config->admin_address, text))));
    return error;
}

/* ---- the beginning ---- */

static uint16_t count_workers(const struct config *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return (uint16_t)(c->threads ? c->threads : cores > 0 ? (uint64_t)cores : 1);
}

/* As many descriptors as the host allows; says how many that is, because it bounds everything else.
 */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    log_info("server.descriptors", log_int("max", limit.rlim_cur), log_text("note", SESSION_NEEDS));
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
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    watch_init(&c->signals, on_signal);
    return watch_start(c->daemon.loop, &c->signals, fd, WATCH_READ);
}

/* The first worker opens the address, the others open it once more beside him. */
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

static int start_workers(struct daemon *d, int *descriptors)
{
    size_t listeners = d->config->listen.count;
    for (uint16_t i = 0; i < d->worker_count; i++) {
        int error = open_listeners(d, i ? descriptors : NULL, descriptors + i * listeners);
        if (error == 0)
            error = worker_start(&d->workers[i], d, i, descriptors + i * listeners);
        if (error < 0) {
            log_error("worker.failed", log_int("worker", i), log_text("root", d->config->root),
                      log_errno("error", error));
            return error;
        }
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
    d->loop = loop_new();
    d->workers = calloc(d->worker_count, sizeof(*d->workers));
    d->limits = page_limits_new((uint32_t)d->config->programs_max,
                                (uint32_t)d->config->programs_per_client);
    d->tables =
        (struct guard_tables){bans_new(d->config->bans_max), rates_new(d->config->rates_max)};
    int error = -ENOMEM;
    if (descriptors && d->loop && d->workers && d->limits && d->tables.bans && d->tables.rates)
        error = take_signals(c);
    if (error == 0)
        error = start_workers(d, descriptors);
    if (error == 0)
        error = open_admin(c);
    free(descriptors);
    return error;
}

static bool open_tls(struct daemon *d)
{
    char why[WHY_SIZE];
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
        worker_free(&d->workers[i]);
    loop_turn(d->loop, 0); /* what they had still to say */
    for (size_t i = 0; i < d->config->listen.count; i++)
        listener_unlink(&d->config->addresses[i]);
    close(c->signals.fd);
    guard_unref(c->guard);
    loop_free(d->loop);
    free(d->workers);
    page_limits_free(d->limits);
    bans_free(d->tables.bans);
    rates_free(d->tables.rates);
    tls_context_unref(d->tls);
    config_free(d->config);
    config_free(d->config_old);
}

int daemon_run(struct config *config, int argc, char *const *argv)
{
    static struct control control;
    struct daemon *d = &control.daemon;
    *d = (struct daemon){.argc = argc, .argv = argv, .config = config};
    apply_log(config);
    say_if_open(config);
    raise_descriptor_limit();
    if (!open_tls(d) || start(&control) < 0)
        return 1; /* the process ends, and with it what was begun */
    say_ready(d);
    int error = loop_run(d->loop);
    if (error < 0)
        log_error("server.failed", log_errno("error", error));
    end(&control);
    log_info("server.ended");
    return error < 0 ? 1 : 0;
}
