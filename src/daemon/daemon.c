/* SPDX-License-Identifier: MIT */
#include "daemon/daemon.h"

#include "base/input_file.h"
#include "base/log.h"
#include "base/log_share.h"
#include "daemon/admin_server.h"
#include "daemon/keeper.h"
#include "daemon/orders.h"
#include "daemon/reload.h"
#include "daemon/report.h"
#include "daemon/sockets.h"
#include "daemon/takeover.h"
#include "net/process_tree.h"
#include "serve/cluster_server.h"
#include "serve/descriptors.h"
#include "serve/io_choice.h"
#include "serve/process_limits.h"
#include "serve/rights.h"
#include "serve/sdk.h"
#include "serve/state_key.h"
#include "serve/wiring.h"
#include "supervisor/activation.h"
#include "supervisor/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WHY_SIZE    256
#define LOG_TELL_MS 5000

/* The control thread's own things around struct daemon. */
struct control {
    struct daemon daemon;
    struct orders orders;
    struct timer log_timer; /* lines of the log that were left out are told now and then */
    struct admin_server admin_server;
    struct keeper keeper;
    struct takeover takeover;
};

static struct control *control_of(struct daemon *d)
{
    return container_of(d, struct control, daemon);
}

struct takeover *daemon_takeover(struct daemon *d)
{
    return &control_of(d)->takeover;
}

struct admin_server *daemon_admin(struct daemon *d)
{
    return &control_of(d)->admin_server;
}

/* ---- the end ---- */

static void on_worker_ended(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, letters.ended);
    struct daemon *d = daemon_of(w->server);
    if (--d->workers_running > 0)
        return;
    admin_server_close(&control_of(d)->admin_server);
    orders_stop(&control_of(d)->orders);
    keeper_stop(&control_of(d)->keeper);
    timer_stop(&control_of(d)->log_timer);
    loop_stop(d->server.loop);
}

static void worker_ended(struct worker *w)
{
    loop_post(w->server->loop, &w->letters.ended, on_worker_ended);
}

void daemon_drain(struct daemon *d)
{
    takeover_cancel(daemon_takeover(d));
    log_info("server.draining", log_int("at_once", d->draining));
    listeners_close(&d->listeners);
    if (!d->serving)
        notify_say("STOPPING=1");
    for (uint16_t i = 0; i < d->server.worker_count; i++)
        worker_post_drain(&d->server.workers[i], d->draining);
    d->draining = true;
    admin_server_drain(&control_of(d)->admin_server);
}

/* ---- the log ---- */

static void tell_left_out(struct timer *timer)
{
    struct control *c = container_of(timer, struct control, log_timer);
    log_share_tell();
    timer_start(c->daemon.server.loop, timer, LOG_TELL_MS);
}

/* ---- the beginning ---- */

static int worker_failed(const struct daemon *d, uint16_t worker, int error)
{
    log_error("worker.failed", log_int("worker", worker), log_text("root", d->server.config->root),
              log_errno("error", error));
    return error;
}

static int open_workers(struct daemon *d)
{
    for (uint16_t i = 0; i < d->server.worker_count; i++) {
        int error = worker_open(&d->server.workers[i], &d->server, i);
        if (error == 0)
            error = worker_use_listeners(&d->server.workers[i], &d->offered);
        if (error < 0)
            return worker_failed(d, i, error);
    }
    return 0;
}

static bool take_sockets(struct daemon *d, const struct handover *before)
{
    char failed[IPC_NAME_MAX];
    if (!d->serving && !d->listeners.count && activation_take(&d->listeners) < 0)
        return false;
    int error = sockets_offer(d, d->server.config, failed);
    if (error == -ECANCELED && before)
        return true; /* the supervisor was told to end: nobody comes any more, and what was taken
                        over is drained */
    if (error < 0)
        log_error("listen.failed", log_text("address", failed), log_errno("error", error));
    if (error < 0 && before && !d->serving) { /* the supervisor does so too */
        error = listening_copy(&d->offered, &d->listeners);
        error = error ? error : listening_spread(&d->offered, d->server.worker_count);
    }
    return error == 0;
}

/* All that accept from the sockets. */
static int open_all(struct control *c)
{
    struct daemon *d = &c->daemon;
    int error = open_workers(d);
    if (error == 0)
        error = admin_server_open(&c->admin_server, d, &d->offered);
    if (error == 0)
        sockets_keep(d);
    listening_done(&d->offered);
    return error;
}

/* The workers make cgroups by the rights that they will have. */
static struct cgroup *open_cgroup(const struct config *c, pid_t server)
{
    struct rights rights;
    if (strcmp(c->cgroups, "auto"))
        return NULL;
    struct cgroup *cgroup = cgroup_open(server);
    rights_of(c, &rights);
    if (!cgroup || geteuid() != 0 || rights.uid == (uid_t)-1 ||
        cgroup_give(cgroup, rights.uid, rights.gid))
        return cgroup;
    cgroup_close(cgroup);
    return NULL;
}

/* What programs leave behind falls to us. Before there is a second thread, since the keeper is
 * forked. Returns 0, or the negative errno of the keeper's start. */
static int prepare_for_programs(struct daemon *d, struct handover *before)
{
    struct keeper *keeper = &control_of(d)->keeper;
    int pipe, error = 0;
    if (before) {
        rights_carry(false);
        takeover_unpack_process(before->body, &d->server.cgroup, &pipe);
        keeper_take_over(keeper, d->server.cgroup, pipe);
    } else {
        d->server.cgroup =
            open_cgroup(d->server.config, d->serving ? d->serving->supervisor : getpid());
        error = keeper_start(keeper, d->server.cgroup);
    }
    process_tree_adopt();
    if (!error)
        process_outlive_threads();
    return error;
}

static void say_how_programs_end(const struct daemon *d, int keeper_error)
{
    if (keeper_error)
        log_warn("server.no_keeper", log_errno("error", keeper_error));
    log_info("server.programs", log_text("ended_by", d->server.cgroup ? "cgroup" : "search"));
}

/* By the rights that the server began with. */
static bool open_state_keys(struct daemon *d, const struct handover *before)
{
    struct text why = {0};
    d->server.state_keys = before ? takeover_state_keys(before->body, d->server.config) : NULL;
    if (!d->server.state_keys)
        d->server.state_keys = state_key_open(d->server.config, &why);
    if (!d->server.state_keys)
        log_error("state.key_refused", log_slice("why", text_slice(&why)));
    text_done(&why);
    return d->server.state_keys;
}

/* By the same. */
static bool open_cluster(struct daemon *d, const struct handover *before)
{
    struct text why = {0};
    bool opened = cluster_server_open(d->server.config, &d->server.cluster, &why);
    if (!opened)
        log_error("cluster.failed", log_slice("why", text_slice(&why)));
    text_done(&why);
    if (opened && before && d->server.cluster)
        takeover_unpack_cluster(before->body, d->server.cluster);
    return opened;
}

static bool drop_rights(struct daemon *d, const struct handover *before)
{
    struct text why = {0};
    bool dropped = rights_drop(d->server.config, d->server.config->run_as.count > 0, &why);
    bool can = dropped && program_rights_can(d->server.config->rights, &why);
    if (!can)
        log_error("rights.failed", log_slice("why", text_slice(&why)));
    text_done(&why);
    if (d->serving)
        serving_bind(d->serving);
    return can || (dropped && before); /* then those programs fail, and not all pages */
}

static int run_workers(struct daemon *d)
{
    for (uint16_t i = 0; i < d->server.worker_count; i++) {
        int error = worker_run(&d->server.workers[i]);
        if (error < 0)
            return worker_failed(d, i, error);
        d->workers_running++;
    }
    return 0;
}

static void say_ready(const struct daemon *d, const struct handover *before)
{
    if (d->serving) {
        serving_say(d->serving, IPC_READY, d->server.tls != NULL);
        return;
    }
    if (!before)
        sockets_print(&d->listeners, d->server.tls);
    notify_say("READY=1");
}

static void find_lines(struct daemon *d)
{
    d->server.lines = sdk_find_lines();
    if (!d->server.lines && (d->server.config->stdio.count || d->server.config->stdio_files.count))
        log_warn("stdio.buffered",
                 log_text("why", "there is no ../lib/httpsocket/lines.so from here, or a space or "
                                 "a colon in its path"));
}

static int start(struct control *c, const struct handover *before)
{
    struct daemon *d = &c->daemon;
    int error = server_init(&d->server, d->server.config, d->server.worker_count);
    d->server.sdk = sdk_find(d->server.config->sdk);
    find_lines(d);
    d->server.router = &wiring_site;
    d->server.worker_ended = worker_ended;
    d->server.report = report_take;
    d->server.loop = loop_new();
    if (error == 0 && !d->server.loop)
        error = -ENOMEM;
    if (error == 0 && !io_choose(d->server.config, before != NULL))
        error = -ENOSYS;
    if (error == 0)
        error = orders_start(&c->orders, d, &c->admin_server);
    if (error == 0)
        error = open_all(c);
    if (error == 0 && before)
        takeover_unpack_server(before->body, d);
    if (error == 0)
        error = run_workers(d);
    return error;
}

static bool open_tls(struct daemon *d)
{
    char why[WHY_SIZE];
    bool opened = server_open_tls(&d->server, why, sizeof(why));
    if (!opened)
        log_error("tls.failed", log_text("why", why));
    return opened;
}

/* By the rights that they will be opened with again. */
static bool open_files(struct daemon *d, const struct handover *before)
{
    bool logs = reload_open_access_log(d->server.config, &d->server.access_log);
    return (logs || before) && open_tls(d); /* a full disk ends no page */
}

static void end(struct control *c)
{
    struct daemon *d = &c->daemon;
    for (uint16_t i = 0; i < d->server.worker_count; i++)
        worker_join(&d->server.workers[i]);
    server_stop_workers(&d->server);
    admin_server_stop(&c->admin_server);
    server_free_workers(&d->server);
    loop_turn(d->server.loop, 0); /* reads the workers' last mail */
    listeners_done(&d->listeners);
    listening_done(&d->offered);
    admin_server_done(&c->admin_server);
    loop_free(d->server.loop);
    server_done(&d->server);
    process_tree_end();
    cgroup_close(d->server.cgroup);
    access_log_close(d->access_log_old);
    free(d->metrics_before);
    config_free(d->config_old);
}

/* What settings can't change while the server runs, a take-over can't either. */
static uint16_t count_workers(const struct config *config, const struct handover *before)
{
    uint16_t wanted = config_workers(config);
    uint16_t count = before ? takeover_workers(before->body) : wanted;
    if (count != wanted)
        log_warn("config.needs_restart", log_text("settings", "threads"));
    return count;
}

int daemon_run(struct config *config, int argc, char *const *argv, struct serving *serving,
               struct handover *before)
{
    static struct control control;
    struct daemon *d = &control.daemon;
    bool taken_over = before;
    *d =
        (struct daemon){.argc = argc,
                        .argv = argv,
                        .server = {.config = config, .worker_count = count_workers(config, before)},
                        .serving = serving};
    takeover_init(&control.takeover, d, &control.admin_server, &control.keeper);
    process_limits_close_memory(config->core_dumps);
    int keeper_error = prepare_for_programs(d, before);
    log_start();
    reload_apply(config);
    say_how_programs_end(d, keeper_error);
    process_limits_raise_descriptors();
    if (!serving)
        notify_init();
    if ((before && !takeover_unpack_listeners(before->body, d)) || !take_sockets(d, before) ||
        !open_state_keys(d, before) || !open_cluster(d, before) || !drop_rights(d, before) ||
        !open_files(d, before) || start(&control, before) < 0) {
        log_stop();
        return 1; /* the process ends, and with it what was begun */
    }
    input_copies_done();
    say_ready(d, before);
    if (before) {
        takeover_say_done(before->body, before, d);
        handover_done(before);
    }
    orders_begin(&control.orders, taken_over);
    keeper_watch(&control.keeper, d->server.loop);
    timer_init(&control.log_timer, tell_left_out);
    timer_start(d->server.loop, &control.log_timer, LOG_TELL_MS);
    int error = loop_run(d->server.loop);
    if (error < 0)
        log_error("server.failed", log_errno("error", error));
    end(&control);
    log_share_tell();
    log_info("server.ended");
    log_stop();
    return error < 0 ? 1 : 0;
}
