/* SPDX-License-Identifier: MIT */
#include "daemon/report.h"

#include "base/log.h"
#include "daemon/metrics.h"
#include "serve/cluster_report.h"

#include <stdlib.h>

/* ---- sessions, of all workers ---- */

struct gathering {
    void (*done)(void *arg, const struct text *json);
    void *arg;
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
    g->done(g->arg, &g->text);
    text_done(&g->text);
    free(g);
}

static void on_description(void *arg, struct text *text)
{
    struct gathering *g = arg;
    text_put(&g->text, text_slice(text));
    g->text.failed |= text->failed;
    gathered(g);
}

void report_sessions(struct daemon *d, void (*done)(void *arg, const struct text *json), void *arg)
{
    struct gathering *g = log_needed(calloc(1, sizeof(*g)));
    if (!g) {
        done(arg, &(struct text){.failed = true});
        return;
    }
    g->done = done;
    g->arg = arg;
    g->waits = (uint16_t)(d->server.worker_count + 1);
    text_put(&g->text, SLICE_LITERAL("["));
    for (uint16_t i = 0; i < d->server.worker_count; i++)
        worker_post_describe(&d->server.workers[i], on_description, g);
    gathered(g);
}

/* ---- what another server asks ---- */

static void on_sessions(void *arg, const struct text *json)
{
    struct report_order *order = arg;
    text_put(&order->text, text_slice(json));
    order->text.failed |= json->failed;
    cluster_report_give(order);
}

static void deliver_order(struct mail *mail)
{
    struct report_order *order = container_of(mail, struct report_order, mail);
    struct daemon *d = daemon_of(order->worker->server);
    switch (order->what) {
    case INQUIRY_SESSIONS:
        report_sessions(d, on_sessions, order);
        return;
    case INQUIRY_METRICS:
        metrics_write(d, daemon_admin(d), &order->text);
        break;
    }
    cluster_report_give(order);
}

void report_take(struct server *server, struct report_order *order)
{
    loop_post(server->loop, &order->mail, deliver_order);
}
