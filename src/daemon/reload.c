/* SPDX-License-Identifier: MIT */
#include "daemon/reload.h"

#include "base/log.h"
#include "daemon/arguments.h"
#include "daemon/sockets.h"
#include "http/compressor.h"
#include "serve/cluster_server.h"
#include "serve/descriptors.h"
#include "serve/state_key.h"

#define WHY_SIZE 256

static void on_worker_has_config(struct server *server)
{
    struct daemon *d = daemon_of(server);
    if (--d->config_waits > 0)
        return;
    listening_done(&d->offered);
    config_free(d->config_old);
    d->config_old = NULL;
    access_log_close(d->access_log_old);
    d->access_log_old = NULL;
    log_info("config.reloaded");
}

static bool reload_tls(struct daemon *d, const struct config *now)
{
    char why[WHY_SIZE];
    if (!d->server.tls || !*now->tls_cert ||
        tls_context_reload(d->server.tls, now->tls_cert, now->tls_key, why, sizeof(why)) == 0)
        return true;
    log_error("config.refused", log_text("why", why));
    return false;
}

/* The workers take it with the config. */
static bool reload_certificates(struct daemon *d, const struct config *now)
{
    char why[WHY_SIZE];
    struct tls_context *trust = server_read_trust(now, why, sizeof(why));
    if (!trust)
        log_error("config.refused", log_text("why", why));
    if (!trust || !reload_tls(d, now)) {
        tls_context_unref(trust);
        return false;
    }
    tls_context_unref(d->server.targets_trust);
    d->server.targets_trust = trust;
    return true;
}

/* As above. False: the new file is refused. */
static bool reload_state_keys(struct daemon *d, const struct config *now)
{
    struct text why = {0};
    struct seal_keys *keys = state_key_again(now, &why);
    bool refused = why.len > 0;
    if (refused)
        log_error("config.refused", log_slice("why", text_slice(&why)));
    text_done(&why);
    if (!keys)
        return !refused;
    seal_keys_unref(d->server.state_keys);
    d->server.state_keys = keys;
    return true;
}

static bool reload_cluster(struct daemon *d, const struct config *now)
{
    struct text why = {0};
    bool good = cluster_server_reload(d->server.cluster, now, &why);
    if (!good)
        log_error("config.refused", log_slice("why", text_slice(&why)));
    text_done(&why);
    return good;
}

/* ---- the access log ---- */

bool reload_open_access_log(const struct config *c, struct access_log **ret)
{
    bool json = strcmp(c->access_log_format, "json") == 0;
    int error = 0;
    *ret = NULL;
    if (!*c->access_log)
        return true;
    *ret = access_log_open(c->access_log, json ? ACCESS_LOG_JSON : ACCESS_LOG_COMBINED, &error);
    if (!*ret)
        log_error("log.access_failed", log_text("file", c->access_log), log_errno("error", error));
    return *ret;
}

/* Whoever renames the file sends SIGHUP: the name is followed whatever the config says. */
static void reopen_access_log(struct daemon *d)
{
    int error = d->server.access_log ? access_log_reopen(d->server.access_log) : 0;
    if (error < 0)
        log_error("log.access_failed", log_text("file", d->server.config->access_log),
                  log_errno("error", error), log_text("note", "the old file is written on"));
}

/* False: the new file can't be opened. */
static bool replace_access_log(struct daemon *d, const struct config *now)
{
    struct access_log *log;
    if (strcmp(d->server.config->access_log, now->access_log) == 0 &&
        strcmp(d->server.config->access_log_format, now->access_log_format) == 0)
        return true;
    if (!reload_open_access_log(now, &log))
        return false;
    d->access_log_old = d->server.access_log;
    d->server.access_log = log;
    return true;
}

static void say_if_open(const struct config *c)
{
    if (strcmp(c->consent, "strict"))
        log_warn("access.open", log_text("consent", c->consent),
                 log_text("note", "a name's owner can aim pages at other people's addresses"));
}

void reload_apply_log(const struct config *c)
{
    enum log_level level = LOG_INFO;
    log_level_parse(slice_of(c->log_level), &level);
    log_setup(level, strcmp(c->log_format, "json") ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
}

void reload_apply(const struct config *c)
{
    reload_apply_log(c);
    say_if_open(c);
}

static void use_config(struct daemon *d, struct admin_server *s, struct config *now)
{
    struct text fixed = {0};
    sockets_keep(d);
    config_fixed_changes(d->server.config, now, &fixed);
    if (fixed.len)
        log_warn("config.needs_restart", log_slice("settings", text_slice(&fixed)));
    text_done(&fixed);
    reload_apply(now);
    program_limits_set(d->server.limits, descriptors_programs(now),
                       descriptors_programs_of_client(now));
    struct memory_limits memory = worker_memory_limits(now);
    memory_set(d->server.memory, &memory);
    compressor_limit(d->server.compressor, now->compressed_max);
    struct spool_limits spool = worker_spool_limits(now);
    spool_set(d->server.spool, &spool);
    admin_server_use_config(s, d->server.config, now);
    d->config_old = d->server.config;
    d->server.config = now;
    d->config_waits = d->server.worker_count;
    for (uint16_t i = 0; i < d->server.worker_count; i++)
        worker_post_config(&d->server.workers[i], now, &d->offered, on_worker_has_config);
}

static void refuse_config(struct config *now, const struct text *why)
{
    if (why->len)
        log_error("config.refused", log_slice("why", text_slice(why)));
    config_free(now);
}

static bool offer_sockets(struct daemon *d, const struct config *now, struct text *why)
{
    char failed[IPC_NAME_MAX];
    int error = sockets_offer(d, now, failed);
    if (error)
        text_printf(why, "listen: `%s`: %s", failed, strerror(-error));
    return !error;
}

void reload(struct daemon *d, struct admin_server *s)
{
    struct text why = {0};
    enum command command;
    d->reload_again = d->config_old;
    if (d->draining)
        log_warn("config.refused", log_text("why", "the server is draining"));
    if (d->draining || d->config_old)
        return;
    reopen_access_log(d);
    struct config *now = arguments_read(d->argc, d->argv, &command, &why);
    if (!now)
        log_error("config.refused", log_slice("why", text_slice(&why)));
    else if (!program_rights_can(now->rights, &why) || !script_access_try(now, &why) ||
             !offer_sockets(d, now, &why))
        refuse_config(now, &why);
    else if (!reload_certificates(d, now) || !reload_state_keys(d, now) ||
             !reload_cluster(d, now) || !replace_access_log(d, now)) {
        sockets_refuse(d);
        refuse_config(now, &why);
    } else
        use_config(d, s, now);
    text_done(&why);
}
