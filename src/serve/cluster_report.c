/* SPDX-License-Identifier: MIT */
#include "serve/cluster_report.h"

#include "base/log.h"
#include "cluster/abouts.h"
#include "proto/json.h"
#include "proto/json_text.h"
#include "serve/cluster_wiring.h"
#include "serve/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ABOUT_MS = 1000,
    DEPTH_MAX = 32 /* of a session's description */
};

struct cluster_report {
    struct worker *worker;    /* borrowed: it owns us */
    struct servers *registry; /* borrowed */
    struct broker *broker;    /* borrowed; NULL: it is away */
    struct inquiries *inquiries;
    struct timer timer;
    uint64_t timed, latency_us; /* when they were looked at last */
    uint64_t round_trip_us;
    uint64_t began_ms;
    struct list wishes; /* wish.node */
};

/* What somebody asks this server; in the control thread, and here. */
struct wish {
    struct mail mail;
    struct list node;
    struct worker *worker;
    enum cluster_wish what;
    void (*done)(void *arg, const struct text *json);
    void *arg;
    struct cluster_report *report; /* borrowed: it holds us, while it has us */
    struct abouts_call call;
    bool answered;
    struct text json;
};

/* ---- about this server ---- */

/* Counters of other threads, read without a lock, as the metrics are. */
static void count_workers(const struct server *s, struct text *out)
{
    uint64_t sessions = 0, connections = 0, programs = 0, pages = 0, topics = 0;
    for (uint16_t i = 0; i < s->worker_count; i++) {
        const struct worker *w = &s->workers[i];
        const struct program_counts *p = program_host_counts(w->programs);
        sessions += page_host_counts(w->pages)->sessions.now;
        connections += w->http.counts.connections_now;
        programs += p->now;
        pages += p->now - p->shared_now + p->shared_pages_now;
        topics += w->hub.counts.topics;
    }
    json_text_number(out, "sessions", (int64_t)sessions);
    json_text_number(out, "connections", (int64_t)connections);
    json_text_number(out, "pages", (int64_t)pages);
    json_text_number(out, "programs", (int64_t)programs);
    json_text_number(out, "topics", (int64_t)topics);
}

static void look_at_broker(struct cluster_report *r)
{
    const struct broker_counts *c = r->broker ? broker_counts(r->broker) : NULL;
    if (!c || c->timed == r->timed)
        return;
    if (c->timed > r->timed)
        r->round_trip_us = (c->latency_us - r->latency_us) / (c->timed - r->timed);
    r->timed = c->timed;
    r->latency_us = c->latency_us;
}

static void tell_about(struct timer *timer)
{
    struct cluster_report *r = container_of(timer, struct cluster_report, timer);
    struct text about = {0};
    uint64_t now_ms = loop_now_ms(r->worker->loop);
    look_at_broker(r);
    json_text_begin(&about);
    json_text_number(&about, "uptime", (int64_t)((now_ms - r->began_ms) / 1000));
    count_workers(r->worker->server, &about);
    json_text_number(&about, "memory", (int64_t)memory_bytes(r->worker->server->memory));
    json_text_number(&about, "brokerMicroseconds", (int64_t)r->round_trip_us);
    json_text_end(&about);
    if (!about.failed)
        servers_set_about(r->registry, text_slice(&about));
    text_done(&about);
    timer_start(r->worker->loop, timer, ABOUT_MS);
}

/* ---- an answer for whoever asked ---- */

static void deliver_answer(struct mail *mail)
{
    struct wish *wish = container_of(mail, struct wish, mail);
    wish->done(wish->arg, wish->answered && !wish->json.failed ? &wish->json : NULL);
    text_done(&wish->json);
    free(wish);
}

static void give_back(struct wish *wish, bool answered)
{
    list_remove(&wish->node);
    wish->answered = answered;
    loop_post(wish->worker->server->loop, &wish->mail, deliver_answer);
}

static void put_tag(struct text *out, const char *name, uint32_t tag)
{
    char text[9];
    snprintf(text, sizeof(text), "%08" PRIx32, tag);
    json_text_string(out, name, slice_of(text));
}

/* ---- all servers ---- */

static void put_server(struct text *out, const struct server_info *s, struct slice about)
{
    char address[NET_ADDRESS_TEXT_MAX];
    json_text_begin(out);
    put_tag(out, "tag", s->tag);
    json_text_string(out, "name", slice_of(s->name));
    json_text_string(out, "version", slice_of(s->version));
    if (s->address.len)
        json_text_string(out, "address",
                         slice_make(address, net_address_print(&s->address, address)));
    json_text_number(out, "since", (int64_t)(s->since_ms / 1000));
    json_text_flag(out, "draining", s->draining);
    json_text_flag(out, "late", s->late);
    if (about.len)
        json_text_value(out, "about", about);
    json_text_end(out);
}

static void on_abouts(struct abouts_call *call, const struct abouts *all)
{
    struct wish *wish = container_of(call, struct wish, call);
    const struct servers_view *view = servers_now(wish->report->registry);
    struct text list = {0};
    for (size_t i = 0; all && view && i < view->count; i++) {
        text_put(&list, i ? SLICE_LITERAL(",") : SLICE_NONE);
        put_server(&list, &view->servers[i], abouts_find(all, view->servers[i].tag));
    }
    json_text_begin(&wish->json);
    put_tag(&wish->json, "self", wish->worker->server->cluster->tag);
    text_put(&wish->json, SLICE_LITERAL(",\"servers\":["));
    text_put(&wish->json, text_slice(&list));
    text_put(&wish->json, SLICE_LITERAL("]"));
    json_text_end(&wish->json);
    wish->json.failed |= list.failed;
    text_done(&list);
    give_back(wish, all && view);
}

/* ---- what each of them says ---- */

static void put_answer(struct text *out, enum cluster_wish what, const struct inquiry_target *t,
                       const struct server_info *info)
{
    struct slice text = text_slice(&t->answer);
    text.len -= slice_ends_with(text, SLICE_LITERAL("\n")) && what == CLUSTER_SESSIONS;
    json_text_begin(out);
    put_tag(out, "tag", t->tag);
    json_text_string(out, "name", info ? slice_of(info->name) : SLICE_LITERAL("?"));
    if (t->why)
        json_text_string(out, "why", strcmp(t->why, "refused") == 0 ? text : slice_of(t->why));
    else if (what == CLUSTER_METRICS)
        json_text_string(out, "metrics", text);
    else if (json_valid(text, DEPTH_MAX))
        json_text_value(out, "sessions", text);
    else
        json_text_string(out, "why", SLICE_LITERAL("no-sense"));
    json_text_end(out);
}

static void on_inquired(void *arg, const struct inquiry_target *targets, size_t count)
{
    struct wish *wish = arg;
    const struct servers_view *view = servers_now(wish->report->registry);
    text_printf(&wish->json, "{\"answers\":[");
    for (size_t i = 0; i < count; i++) {
        text_put(&wish->json, i ? SLICE_LITERAL(",") : SLICE_NONE);
        put_answer(&wish->json, wish->what, &targets[i], servers_view_find(view, targets[i].tag));
    }
    text_printf(&wish->json, "]}");
    give_back(wish, true);
}

static bool ask_each(struct cluster_report *r, struct wish *wish)
{
    const struct servers_view *view = servers_now(r->registry);
    enum inquiry_what what = wish->what == CLUSTER_METRICS ? INQUIRY_METRICS : INQUIRY_SESSIONS;
    uint32_t *tags = view ? log_needed(calloc(view->count + 1, sizeof(*tags))) : NULL;
    for (size_t i = 0; tags && i < view->count; i++)
        tags[i] = view->servers[i].tag;
    bool asked = tags && inquiries_ask(r->inquiries, what, tags, view->count, on_inquired, wish);
    free(tags);
    return asked;
}

/* ---- the wish ---- */

static void deliver_wish(struct mail *mail)
{
    struct wish *wish = container_of(mail, struct wish, mail);
    struct cluster_report *r = wish->worker->cluster->report;
    list_init(&wish->node);
    if (!r || !r->broker) {
        give_back(wish, false);
        return;
    }
    wish->report = r;
    wish->call.done = on_abouts;
    list_append(&r->wishes, &wish->node);
    if (wish->what == CLUSTER_SERVERS)
        abouts_ask(&wish->call, r->broker, wish->worker->server->cluster->name);
    else if (!ask_each(r, wish))
        give_back(wish, false);
}

void worker_post_cluster(struct worker *w, enum cluster_wish what,
                         void (*done)(void *arg, const struct text *json), void *arg)
{
    struct wish *wish = w->cluster && !w->ended ? log_needed(calloc(1, sizeof(*wish))) : NULL;
    if (!wish) {
        done(arg, NULL);
        return;
    }
    *wish = (struct wish){.worker = w, .what = what, .done = done, .arg = arg};
    loop_post(w->loop, &wish->mail, deliver_wish);
}

/* ---- this server is asked ---- */

static void deliver_given(struct mail *mail)
{
    struct report_order *order = container_of(mail, struct report_order, mail);
    inquiries_answer(order->asked, text_slice(&order->text),
                     order->text.failed ? "no-memory" : NULL);
    text_done(&order->text);
    free(order);
}

void cluster_report_give(struct report_order *order)
{
    if (!order->worker->server->stopped) {
        loop_post(order->worker->loop, &order->mail, deliver_given);
        return;
    }
    text_done(&order->text); /* whoever asked is told by our silence */
    free(order);
}

static void on_asked(void *owner, enum inquiry_what what, struct inquiry_asked *asked)
{
    struct cluster_report *r = owner;
    struct server *s = r->worker->server;
    bool can = s->report && (what == INQUIRY_SESSIONS || what == INQUIRY_METRICS);
    struct report_order *order = can ? log_needed(calloc(1, sizeof(*order))) : NULL;
    if (!order) {
        inquiries_answer(asked, SLICE_NONE, can ? "no-memory" : "not-here");
        return;
    }
    *order = (struct report_order){.worker = r->worker, .what = what, .asked = asked};
    s->report(s, order);
}

/* ---- from outside ---- */

struct cluster_report *cluster_report_new(struct worker *w, struct servers *registry)
{
    const struct cluster_server *cluster = w->server->cluster;
    struct cluster_report *r = log_needed(calloc(1, sizeof(*r)));
    if (!r)
        return NULL;
    *r = (struct cluster_report){
        .worker = w,
        .registry = registry,
        .began_ms = loop_now_ms(w->loop),
    };
    list_init(&r->wishes);
    timer_init(&r->timer, tell_about);
    r->inquiries = inquiries_new(&(struct inquiries_spec){
        .loop = w->loop,
        .cluster = cluster->name,
        .tag = &cluster->tag,
        .owner = r,
        .asked = on_asked,
    });
    if (!r->inquiries) {
        free(r);
        return NULL;
    }
    timer_start(w->loop, &r->timer, ABOUT_MS / 4); /* soon, once all workers are there */
    return r;
}

void cluster_report_free(struct cluster_report *r)
{
    if (!r)
        return;
    timer_stop(&r->timer);
    inquiries_free(r->inquiries);
    while (!list_empty(&r->wishes)) /* what the link has not answered */
        give_back(container_of(r->wishes.next, struct wish, node), false);
    free(r);
}

void cluster_report_up(struct cluster_report *r, struct broker *b)
{
    r->broker = b;
    inquiries_up(r->inquiries, b);
}

void cluster_report_down(struct cluster_report *r)
{
    r->broker = NULL;
    inquiries_down(r->inquiries);
}

bool cluster_report_message(struct cluster_report *r, struct slice channel, struct slice payload)
{
    return inquiries_message(r->inquiries, channel, payload);
}
