/* SPDX-License-Identifier: MIT */
#include "serve/cluster_wiring.h"

#include "base/log.h"
#include "serve/broker_settings.h"
#include "serve/claim.h"
#include "serve/cluster_mail.h"
#include "serve/cluster_settings.h"
#include "serve/server.h"

#include <stdlib.h>

static bool is_first(const struct cluster_node *n)
{
    return n->worker->index == 0;
}

/* ---- what the registry tells ---- */

void cluster_node_use_view(struct cluster_node *n, uint32_t tag, struct servers_view *view)
{
    if (!n)
        return;
    cluster_node_use_tag(n, tag);
    servers_view_ref(view);
    servers_view_unref(n->view);
    n->view = view;
    ways_use_view(&n->ways, view);
}

static void log_change(const struct servers_view *old, const struct servers_view *now)
{
    if (!now || (old && old->count == now->count && old->fresh == now->fresh))
        return;
    log_info("cluster.servers", log_int("count", now->count), log_int("certain", now->fresh));
}

static void on_view(void *owner, struct servers_view *view)
{
    struct cluster_node *n = owner;
    const struct server *server = n->worker->server;
    log_change(n->view, view);
    cluster_node_use_view(n, n->server->tag, view);
    for (uint16_t i = 1; i < server->worker_count; i++)
        cluster_mail_view(&server->workers[i], n->server->tag, view);
}

static void on_tag(void *owner, uint32_t tag)
{
    struct cluster_node *n = owner;
    n->server->tag = tag;
    on_view(n, n->view);
}

/* ---- the links of worker 0 ---- */

static struct policy *policy_of(const struct cluster_link *link)
{
    return link->node->worker->server->tables.policy;
}

static bool has_policy(const struct cluster_link *link)
{
    return link->index == link->node->policy_link;
}

static void on_up(void *owner)
{
    struct cluster_link *link = owner;
    servers_link_up(link->node->registry, link->index, link->broker);
    if (!has_policy(link))
        return;
    policy_up(policy_of(link), link->broker);
    cluster_report_up(link->node->report, link->broker);
}

static void on_down(void *owner)
{
    struct cluster_link *link = owner;
    servers_link_down(link->node->registry, link->index);
    if (!has_policy(link))
        return;
    policy_down(policy_of(link));
    cluster_report_down(link->node->report);
}

static void on_message(void *owner, struct slice channel, struct slice payload)
{
    struct cluster_link *link = owner;
    if (has_policy(link) && !policy_message(policy_of(link), channel, payload))
        cluster_report_message(link->node->report, channel, payload);
}

static void on_subscribed(void *owner, struct slice channel)
{
    struct cluster_link *link = owner;
    if (has_policy(link))
        policy_subscribed(policy_of(link), channel);
}

/* Without memory it is the first one. */
static size_t choose_policy_link(const struct broker_settings *brokers)
{
    struct slice *names = log_needed(calloc(brokers->count, sizeof(*names)));
    for (size_t i = 0; names && i < brokers->count; i++)
        names[i] = slice_of(brokers->urls[i]->text);
    size_t chosen = names ? policy_broker(names, brokers->count) : 0;
    free(names);
    return chosen;
}

static const struct broker_ops link_ops = {on_up, on_down, on_message, on_subscribed};

static bool open_links(struct cluster_node *n)
{
    struct cluster_server *s = n->server;
    n->registry = servers_new(&(struct servers_spec){
        .loop = n->worker->loop,
        .cluster = s->name,
        .name = s->host,
        .version = HTTPSOCKET_VERSION,
        .instance = s->instance,
        .tag = s->tag,
        .since_ms = s->since_ms,
        .brokers = s->brokers->count,
        .owner = n,
        .on_view = on_view,
        .on_tag = on_tag,
    });
    n->policy_link = choose_policy_link(s->brokers);
    n->report = n->registry ? cluster_report_new(n->worker, n->registry) : NULL;
    n->links = log_needed(calloc(s->brokers->count, sizeof(*n->links)));
    bool good = n->report && n->links;
    for (size_t i = 0; good && i < s->brokers->count; i++) {
        struct cluster_link *link = &n->links[i];
        *link = (struct cluster_link){.node = n, .index = i};
        link->broker = broker_new(n->worker->loop, &s->configs[i], &link_ops, link);
        good = link->broker;
    }
    return good;
}

static void close_links(struct cluster_node *n)
{
    for (size_t i = 0; n->links && i < n->server->brokers->count; i++)
        broker_free(n->links[i].broker);
    free(n->links);
    claims_end(n->worker, &n->claims);
    cluster_report_free(n->report);
    servers_free(n->registry);
}

/* ---- topics ---- */

static void set_topics_config(struct cluster_node *n, const struct config *c)
{
    n->topics_config = (struct cluster_topics_config){
        .name = n->server->name,
        .history_max = (uint32_t)c->topic_history,
        .history_bytes_max = c->topic_history_bytes,
        .linger_ms = (uint32_t)c->topic_linger,
        .backlog_max = c->broker_backlog,
        .replicas = (uint32_t)c->broker_wait,
        .brokers = (uint32_t)n->server->brokers->count,
    };
}

static bool open_topics(struct cluster_node *n)
{
    struct worker *w = n->worker;
    set_topics_config(n, w->server->config);
    n->topics = cluster_topics_new(&(struct cluster_topics_spec){
        .loop = w->loop,
        .home = &w->server->topics->homes[w->index],
        .config = &n->topics_config,
        .brokers = n->server->configs,
        .instance = n->server->instance,
        .worker = w->index,
    });
    return n->topics;
}

/* ---- from outside ---- */

struct cluster_node *cluster_node_new(struct worker *w)
{
    struct cluster_server *s = w->server->cluster;
    struct cluster_node *n = s ? log_needed(calloc(1, sizeof(*n))) : NULL;
    if (!n)
        return NULL;
    n->worker = w;
    n->server = s;
    list_init(&n->claims);
    ways_init(&n->ways, &(struct ways_spec){
                            .loop = w->loop,
                            .tls = s->ways,
                            .memory = &w->memory,
                            .tag = s->tag,
                            .owner = n,
                            .adopt = cluster_mail_passed,
                            .check = cluster_mail_check,
                        });
    session_table_use_tag(w->sessions, s->tag);
    if (!open_topics(n) || (is_first(n) && !open_links(n))) {
        cluster_node_free(n);
        return NULL;
    }
    return n;
}

void cluster_node_free(struct cluster_node *n)
{
    if (!n)
        return;
    ways_done(&n->ways);
    cluster_topics_free(n->topics);
    close_links(n);
    servers_view_unref(n->view);
    free(n);
}

const struct cluster_topics_counts *cluster_node_counts(const struct cluster_node *n)
{
    static const struct cluster_topics_counts none;
    return n ? cluster_topics_counts(n->topics) : &none;
}

struct broker_counts cluster_node_links(const struct cluster_node *n)
{
    return n ? cluster_topics_links(n->topics) : (struct broker_counts){0};
}

void cluster_node_use_config(struct cluster_node *n, const struct config *config)
{
    if (n)
        set_topics_config(n, config);
}

void cluster_node_pack(const struct cluster_node *n, struct pack *p)
{
    if (n)
        cluster_topics_pack(n->topics, p);
}

void cluster_node_unpack(struct cluster_node *n, struct slice in)
{
    if (n)
        cluster_topics_unpack(n->topics, in);
}

void cluster_node_take(struct cluster_node *n, struct stream *stream)
{
    ways_take(&n->ways, stream);
}

void cluster_node_listens(struct cluster_node *n, const struct net_address *bound)
{
    struct text why = {0};
    struct net_address address = {0};
    if (!n || !n->registry)
        return;
    if (bound->len && !cluster_settings_address(n->worker->server->config, bound, &address, &why))
        log_error("cluster.no_address", log_slice("why", text_slice(&why)));
    text_done(&why);
    servers_use_address(n->registry, &address);
}

void cluster_node_use_tag(struct cluster_node *n, uint32_t tag)
{
    if (tag == n->ways.spec.tag)
        return;
    n->former_tag = n->ways.spec.tag;
    session_table_use_tag(n->worker->sessions, tag);
    ways_use_tag(&n->ways, tag);
}

bool cluster_node_owns(const struct cluster_node *n, uint32_t tag)
{
    return tag == n->ways.spec.tag || (n->former_tag && tag == n->former_tag);
}

void cluster_node_drain(struct cluster_node *n)
{
    if (!n)
        return;
    ways_drain(&n->ways);
    if (n->registry)
        servers_drain(n->registry);
}

bool cluster_node_has_other(const struct cluster_node *n)
{
    return n && servers_view_has_other(n->view, n->ways.spec.tag);
}

bool cluster_node_empty(const struct cluster_node *n)
{
    return !n || (ways_empty(&n->ways) && cluster_topics_counts(n->topics)->waiting == 0);
}

void cluster_node_leave(struct cluster_node *n)
{
    if (!n || !n->registry)
        return;
    servers_leave(n->registry);
    policy_down(n->worker->server->tables.policy);
}

void cluster_node_part(struct cluster_node *n)
{
    if (n)
        ways_part(&n->ways);
}
