/* SPDX-License-Identifier: MIT */
#include "daemon/admin_server.h"

#include "base/log.h"
#include "daemon/authorize.h"
#include "daemon/metrics.h"
#include "daemon/report.h"
#include "hub/threads.h"
#include "serve/access_settings.h"
#include "serve/cluster_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct http_limits limits_of(const struct config *config)
{
    return (struct http_limits){
        .head_max = 16384,
        .body_max = config->publish_max,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 10000,
        .idle_timeout_ms = 60000,
        .write_timeout_ms = 10000,
        .departed_timeout_ms = 5000,
        .connections_max = 256,
        .trusts = NULL, /* no proxy stands before us; authorize.c asks proxies_trust() itself */
    };
}

/* Requests that are under way keep the old one. On failure there is no new one. */
static bool renew_script_access(struct admin_server *s, const struct config *config)
{
    struct daemon *d = s->daemon;
    struct text why = {0};
    struct script_access *script_access =
        script_access_new(d->server.loop, config, &d->server.tables, &d->access_counts, &why);
    if (script_access) {
        script_access_unref(s->script_access);
        s->script_access = script_access;
    } else {
        log_error("access.failed", log_slice("why", text_slice(&why)));
    }
    text_done(&why);
    return script_access;
}

static bool is_named(const struct config *config, const struct authority *host)
{
    for (size_t i = 0; i < config->origin.count; i++)
        if (authority_host_equal(host, &config->origins[i].authority))
            return true;
    for (size_t i = 0; i < config->admin_host.count; i++)
        if (slice_equal_nocase(authority_host(host), slice_of(config->admin_host.items[i])))
            return true;
    return false;
}

/* No name that somebody else's DNS could have pointed at us. A browser comes neither by a Unix
 * socket nor without a Host. */
static bool knows_host(void *owner, struct exchange *x)
{
    struct admin_server *s = owner;
    struct authority host;
    if (s->address.any.sa_family == AF_UNIX || !x->host.ptr)
        return true;
    return authority_parse(x->host, &host) &&
           (host.kind != HOST_NAME || authority_is_loopback(&host) ||
            is_named(s->daemon->server.config, &host));
}

static bool healthy(void *owner)
{
    struct admin_server *s = owner;
    return !s->daemon->draining;
}

static void write_metrics(void *owner, struct text *out)
{
    struct admin_server *s = owner;
    metrics_write(s->daemon, s, out);
}

static void on_sessions(void *arg, const struct text *json)
{
    admin_answer(arg, json->failed ? SLICE_LITERAL("[]\n") : text_slice(json));
}

static void tell_sessions(void *owner, struct admin_query *query)
{
    struct admin_server *s = owner;
    report_sessions(s->daemon, on_sessions, query);
}

static void on_cluster(void *arg, const struct text *json)
{
    if (json)
        admin_answer(arg, text_slice(json));
    else
        admin_refuse(arg, 503, SLICE_LITERAL("the broker is away, or too much is asked"));
}

static void tell_cluster(void *owner, enum admin_cluster what, struct admin_query *query)
{
    static const enum cluster_wish wishes[] = {
        [ADMIN_CLUSTER_SERVERS] = CLUSTER_SERVERS,
        [ADMIN_CLUSTER_SESSIONS] = CLUSTER_SESSIONS,
        [ADMIN_CLUSTER_METRICS] = CLUSTER_METRICS,
    };
    struct admin_server *s = owner;
    if (s->daemon->server.cluster)
        worker_post_cluster(&s->daemon->server.workers[0], wishes[what], on_cluster, query);
    else
        admin_refuse(query, 404, SLICE_LITERAL("this server is alone: it has no `broker`"));
}

static void lift_bans(void *owner, struct admin_query *query)
{
    struct admin_server *s = owner;
    const struct script_access_tables *tables = &s->daemon->server.tables;
    bool everywhere = tables->policy && policy_lift_bans(tables->policy);
    if (!tables->policy)
        bans_lift(tables->bans);
    log_info("bans.lifted", log_text("by", "admin"), log_int("everywhere", everywhere));
    admin_answer(query, everywhere ? SLICE_LITERAL("{\"lifted\":\"everywhere\"}\n")
                                   : SLICE_LITERAL("{\"lifted\":\"here\"}\n"));
}

struct restart {
    struct admin_query *query;
    size_t pages;
    uint16_t waits;
};

static void on_restarted(void *arg, size_t pages)
{
    struct restart *r = arg;
    char json[64];
    r->pages += pages;
    if (--r->waits > 0)
        return;
    int len = snprintf(json, sizeof(json), "{\"pages\":%zu}\n", r->pages);
    admin_answer(r->query, slice_make(json, (size_t)len));
    free(r);
}

static void restart(void *owner, struct slice path, struct admin_query *query)
{
    struct admin_server *s = owner;
    struct restart *r = log_needed(calloc(1, sizeof(*r)));
    if (!r) {
        admin_answer(query, SLICE_LITERAL("{\"pages\":0}\n"));
        return;
    }
    *r = (struct restart){query, 0, (uint16_t)(s->daemon->server.worker_count + 1)};
    log_info("server.restarts", log_slice("path", path));
    for (uint16_t i = 0; i < s->daemon->server.worker_count; i++)
        worker_post_restart(&s->daemon->server.workers[i], path, on_restarted, r);
    on_restarted(r, 0);
}

static void authorize(void *owner, struct exchange *x)
{
    struct admin_server *s = owner;
    const struct config *config = s->daemon->server.config;
    struct server_origins origins = {config->origins, config->origin.count};
    authorize_begin(s->script_access, &origins, &config->proxies, x);
}

static void publish(void *owner, struct exchange *x)
{
    struct admin_server *s = owner;
    publish_begin(&s->publish, x);
}

static const struct admin_ops admin_ops = {
    .knows_host = knows_host,
    .healthy = healthy,
    .metrics = write_metrics,
    .sessions = tell_sessions,
    .cluster = tell_cluster,
    .lift_bans = lift_bans,
    .restart = restart,
    .authorize = authorize,
    .publish = publish,
};

static void on_stream(struct listener *listener, struct stream *stream)
{
    struct admin_server *s = listener->owner;
    http_accept(&s->admin.server, stream, listener->peer);
}

/* ---- topics ---- */

static void use_topics_config(struct admin_server *s, const struct config *config)
{
    s->limits = limits_of(config);
    worker_hub_config(config, &s->hub_config);
    s->publish.tokens = config->tokens;
    s->publish.rate = config->publish_rate;
}

static int open_publish(struct admin_server *s)
{
    s->hub = (struct hub){
        .route = &hub_threads_route,
        .route_end = s->daemon->server.topics,
        .loop = s->daemon->server.loop,
        .config = &s->hub_config,
    };
    hub_init(&s->hub);
    s->publish = (struct publish){.hub = &s->hub, .rates = s->daemon->server.tables.rates};
    use_topics_config(s, s->daemon->server.config);
    return publish_init(&s->publish) ? 0 : -ENOMEM;
}

/* ---- opened and closed ---- */

static struct listening_place *admin_place(struct listening_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].role == LISTENING_ADMIN)
            return &set->items[i];
    return NULL;
}

int admin_server_open(struct admin_server *s, struct daemon *daemon, struct listening_set *set)
{
    struct config *config = daemon->server.config;
    struct listening_place *place = admin_place(set);
    *s = (struct admin_server){.daemon = daemon};
    if (!place)
        return 0;
    s->address = place->address;
    if (!renew_script_access(s, config))
        return -ENOMEM;
    admin_init(&s->admin, daemon->server.loop, &s->limits, &admin_ops, s);
    int error = open_publish(s);
    if (error == 0)
        error = listener_start(daemon->server.loop, &s->listener, listening_take(place, 0), NULL,
                               on_stream, s);
    s->listening = error == 0;
    char text[NET_ADDRESS_TEXT_MAX];
    if (error < 0)
        log_error("admin.failed", log_errno("error", error));
    else
        log_info("admin.listening",
                 log_slice("address", slice_make(text, net_address_print(&s->address, text))));
    return error;
}

void admin_server_use_config(struct admin_server *s, const struct config *old,
                             const struct config *now)
{
    if (s->script_access && !access_settings_equal(old, now))
        renew_script_access(s, now);
    use_topics_config(s, now);
}

void admin_server_drain(struct admin_server *s)
{
    s->publish.draining = true;
}

void admin_server_close(struct admin_server *s)
{
    if (!s->listening)
        return;
    s->listening = false;
    listener_stop(&s->listener);
    http_server_stop(&s->admin.server);
}

void admin_server_stop(struct admin_server *s)
{
    hub_stop(&s->hub);
    if (s->publish.client)
        publish_done(&s->publish);
}

void admin_server_done(struct admin_server *s)
{
    script_access_unref(s->script_access);
    if (s->hub.loop)
        hub_done(&s->hub);
}
