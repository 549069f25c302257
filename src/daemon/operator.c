/* SPDX-License-Identifier: MIT */
#include "daemon/operator.h"

#include "base/log.h"
#include "daemon/access_settings.h"
#include "daemon/authorize.h"
#include "daemon/metrics.h"
#include "hub/threads.h"

#include <errno.h>
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
        .connections_max = 256,
    };
}

/* What is under way keeps the old one. On failure there is no new one. */
static bool renew_guard(struct operator* o, const struct config *config)
{
    struct daemon *d = o->daemon;
    struct text why = {0};
    struct guard *guard = guard_new(d->loop, config, &d->tables, &d->access_counts, &why);
    if (guard) {
        guard_unref(o->guard);
        o->guard = guard;
    } else {
        log_error("access.failed", log_quoted("why", text_slice(&why)));
    }
    text_done(&why);
    return guard;
}

static bool healthy(void *owner)
{
    struct operator* o = owner;
    return !o->daemon->draining;
}

static void write_metrics(void *owner, struct text *out)
{
    struct operator* o = owner;
    metrics_write(o->daemon, o, out);
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
    struct operator* o = owner;
    struct gathering *g = calloc(1, sizeof(*g));
    if (!g) {
        admin_answer(query, SLICE_LITERAL("[]\n"));
        return;
    }
    g->query = query;
    g->waits = (uint16_t)(o->daemon->worker_count + 1);
    text_put(&g->text, SLICE_LITERAL("["));
    for (uint16_t i = 0; i < o->daemon->worker_count; i++)
        worker_post_describe(&o->daemon->workers[i], on_description, g);
    gathered(g);
}

static void authorize(void *owner, struct exchange *x)
{
    struct operator* o = owner;
    const struct config *config = o->daemon->config;
    struct own_origins own = {config->origins, config->origin.count};
    authorize_begin(o->guard, &own, x);
}

static void publish(void *owner, struct exchange *x)
{
    struct operator* o = owner;
    publish_begin(&o->publish, x);
}

static const struct admin_ops admin_ops = {
    .healthy = healthy,
    .metrics = write_metrics,
    .sessions = gather_sessions,
    .authorize = authorize,
    .publish = publish,
};

static void on_stream(struct listener *listener, struct stream *stream)
{
    struct operator* o = listener->owner;
    http_accept(&o->admin.server, stream);
}

/* ---- topics ---- */

static void use_topics_config(struct operator* o, const struct config *config)
{
    o->limits = limits_of(config);
    worker_hub_config(config, &o->hub_config);
    o->publish.tokens = config->tokens;
    o->publish.rate = config->publish_rate;
}

static int open_publish(struct operator* o)
{
    o->hub = (struct hub){
        .route = &hub_threads_route,
        .route_end = o->daemon->topics,
        .loop = o->daemon->loop,
        .config = &o->hub_config,
    };
    hub_init(&o->hub);
    o->publish = (struct publish){.hub = &o->hub, .rates = o->daemon->tables.rates};
    use_topics_config(o, o->daemon->config);
    return publish_init(&o->publish) ? 0 : -ENOMEM;
}

/* ---- life ---- */

int operator_open(struct operator* o, struct daemon *daemon)
{
    struct config *config = daemon->config;
    int fd;
    *o = (struct operator){.daemon = daemon};
    if (!*config->admin)
        return 0;
    if (!renew_guard(o, config))
        return -ENOMEM;
    admin_init(&o->admin, daemon->loop, &o->limits, &admin_ops, o);
    int error = open_publish(o);
    if (error == 0)
        error = listener_open(&config->admin_address, &fd);
    if (error == 0)
        error = listener_start(daemon->loop, &o->listener, fd, NULL, on_stream, o);
    o->listening = error == 0;
    char text[NET_ADDRESS_TEXT_MAX];
    if (error < 0)
        log_error("admin.failed", log_text("address", config->admin), log_errno("error", error));
    else
        log_info("admin.listening",
                 log_quoted("address",
                            slice_make(text, net_address_print(&config->admin_address, text))));
    return error;
}

void operator_use_config(struct operator* o, const struct config *old, const struct config *now)
{
    if (o->guard && !access_settings_equal(old, now))
        renew_guard(o, now);
    use_topics_config(o, now);
}

void operator_drain(struct operator* o)
{
    o->publish.draining = true;
}

void operator_close(struct operator* o)
{
    if (!o->listening)
        return;
    o->listening = false;
    listener_stop(&o->listener);
    http_server_stop(&o->admin.server);
}

void operator_stop(struct operator* o)
{
    hub_stop(&o->hub);
    if (o->publish.client)
        publish_done(&o->publish);
}

void operator_done(struct operator* o)
{
    guard_unref(o->guard);
    if (o->hub.loop)
        hub_done(&o->hub);
}
