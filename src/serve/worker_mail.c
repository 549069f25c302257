/* SPDX-License-Identifier: MIT */
/* worker_mail.c - the mail of other threads to a worker: one struct and one delivery for each kind.
 */
#include "serve/worker.h"

#include "base/log.h"
#include "page/pack.h"
#include "serve/cluster_wiring.h"
#include "serve/server.h"

#include <stdlib.h>

/* ---- draining ---- */

static void deliver_drain(struct mail *mail)
{
    worker_drain(container_of(mail, struct worker, letters.drain), false);
}

static void deliver_drain_at_once(struct mail *mail)
{
    worker_drain(container_of(mail, struct worker, letters.drain_at_once), true);
}

void worker_post_drain(struct worker *w, bool at_once)
{
    struct worker_letters *l = &w->letters;
    atomic_bool *posted = at_once ? &l->drain_at_once_posted : &l->drain_posted;
    if (atomic_exchange(posted, true))
        return;
    if (at_once)
        loop_post(w->loop, &l->drain_at_once, deliver_drain_at_once);
    else
        loop_post(w->loop, &l->drain, deliver_drain);
}

/* ---- settings ---- */

static void deliver_config_done(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, letters.config);
    w->letters.config_done(w->server);
}

static void deliver_config(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, letters.config);
    worker_use_config(w, w->letters.new_config);
    int error = w->draining ? 0 : worker_use_listeners(w, w->letters.new_listeners);
    if (error)
        log_error("listen.failed", log_int("worker", w->index), log_errno("error", error));
    loop_post(w->server->loop, &w->letters.config, deliver_config_done);
}

void worker_post_config(struct worker *w, const struct config *config, struct listening_set *set,
                        void (*done)(struct server *server))
{
    w->letters.new_config = config;
    w->letters.new_listeners = set;
    w->letters.config_done = done;
    loop_post(w->loop, &w->letters.config, deliver_config);
}

/* ---- the watchdog ---- */

struct ping_mail {
    struct mail mail;
    struct worker *worker;
    void (*done)(void *arg);
    void *arg;
};

static void deliver_ping_done(struct mail *mail)
{
    struct ping_mail *m = container_of(mail, struct ping_mail, mail);
    m->done(m->arg);
    free(m);
}

static void deliver_ping(struct mail *mail)
{
    struct ping_mail *m = container_of(mail, struct ping_mail, mail);
    loop_post(m->worker->server->loop, &m->mail, deliver_ping_done);
}

void worker_post_ping(struct worker *w, void (*done)(void *arg), void *arg)
{
    struct ping_mail *m = log_needed(malloc(sizeof(*m)));
    if (!m)
        return; /* a process without memory is not well */
    *m = (struct ping_mail){.worker = w, .done = done, .arg = arg};
    loop_post(w->loop, &m->mail, deliver_ping);
}

/* ---- rest ---- */

enum {
    REST_LOOK_MS = 10
};

static void deliver_rested(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, letters.rested);
    w->letters.rest_done(w->server);
}

static void look_whether_at_rest(struct timer *timer)
{
    struct worker *w = container_of(timer, struct worker, rest_timer);
    if (!w->resting)
        return;
    bool busy = http_server_busy(&w->http), late = loop_now_ms(w->loop) >= w->rest_deadline_ms;
    if (busy && late)
        http_server_cut(&w->http);
    if (busy && !late)
        timer_start(w->loop, timer, REST_LOOK_MS);
    else
        loop_post(w->server->loop, &w->letters.rested, deliver_rested);
}

static void deliver_rest(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, letters.rest);
    timer_init(&w->rest_timer, look_whether_at_rest);
    w->rest_deadline_ms = loop_now_ms(w->loop) + w->letters.rest_ms;
    worker_rest(w, true);
    look_whether_at_rest(&w->rest_timer);
}

void worker_post_rest(struct worker *w, uint32_t timeout_ms, void (*done)(struct server *server))
{
    w->letters.rest_ms = timeout_ms;
    w->letters.rest_done = done;
    loop_post(w->loop, &w->letters.rest, deliver_rest);
}

static void deliver_rest_end(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, letters.rest_end);
    if (!w->draining)
        worker_rest(w, false);
}

void worker_post_rest_end(struct worker *w)
{
    loop_post(w->loop, &w->letters.rest_end, deliver_rest_end);
}

/* The turn is finished first: what is said to those that stay behind leaves. */
static void deliver_halt(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, letters.halt);
    cluster_node_part(w->cluster);
    http_server_part(&w->http);
    page_host_part(w->pages);
    w->halt = w->letters.halt_at;
    loop_stop(w->loop);
}

void worker_post_halt(struct worker *w, struct halt *halt)
{
    w->letters.halt_at = halt;
    loop_post(w->loop, &w->letters.halt, deliver_halt);
}

/* ---- requests of other workers ---- */

struct request_mail {
    struct mail mail;
    struct list node; /* worker.parcels */
    struct worker *worker;
    struct http_parcel parcel;
};

static void deliver_request(struct mail *mail)
{
    struct request_mail *m = container_of(mail, struct request_mail, mail);
    if (m->worker->resting) {
        list_append(&m->worker->parcels, &m->node);
        return;
    }
    if (m->worker->killed || m->worker->ended)
        http_parcel_drop(&m->parcel);
    else
        http_adopt(&m->worker->http, &m->parcel);
    free(m);
}

void worker_rest(struct worker *w, bool rests)
{
    w->resting = rests;
    for (struct list *node = w->listeners.next; node != &w->listeners; node = node->next)
        worker_pause_listener(node, rests);
    http_server_rest(&w->http, rests);
    for (struct list *node; !rests && (node = list_pop(&w->parcels));)
        deliver_request(&container_of(node, struct request_mail, node)->mail);
}

void worker_each_parcel(const struct worker *w, void (*each)(void *arg, const struct http_parcel *),
                        void *arg)
{
    for (const struct list *node = w->parcels.next; node != &w->parcels; node = node->next)
        each(arg, &container_of(node, const struct request_mail, node)->parcel);
}

void worker_post_request(struct worker *w, const struct http_parcel *parcel)
{
    struct request_mail *m = log_needed(malloc(sizeof(*m)));
    if (!m) {
        struct http_parcel lost = *parcel;
        log_error("out_of_memory", log_text("for", "a request of another worker"));
        http_parcel_drop(&lost);
        return;
    }
    *m = (struct request_mail){.worker = w, .parcel = *parcel};
    list_init(&m->node);
    loop_post(w->loop, &m->mail, deliver_request);
}

/* ---- restarts ---- */

struct restart_mail {
    struct mail mail;
    struct worker *worker;
    void (*done)(void *arg, size_t pages);
    void *arg;
    size_t pages, path_len;
    char path[];
};

static void deliver_restarted(struct mail *mail)
{
    struct restart_mail *m = container_of(mail, struct restart_mail, mail);
    m->done(m->arg, m->pages);
    free(m);
}

static void deliver_restart(struct mail *mail)
{
    struct restart_mail *m = container_of(mail, struct restart_mail, mail);
    if (!m->worker->ended)
        m->pages = page_host_restart(m->worker->pages, slice_make(m->path, m->path_len));
    loop_post(m->worker->server->loop, &m->mail, deliver_restarted);
}

void worker_post_restart(struct worker *w, struct slice path, void (*done)(void *arg, size_t pages),
                         void *arg)
{
    struct restart_mail *m = log_needed(malloc(sizeof(*m) + path.len));
    if (!m) {
        done(arg, 0);
        return;
    }
    *m = (struct restart_mail){.worker = w, .done = done, .arg = arg, .path_len = path.len};
    memcpy(m->path, path.ptr, path.len);
    loop_post(w->loop, &m->mail, deliver_restart);
}

/* ---- descriptions ---- */

struct describe_mail {
    struct mail mail;
    struct worker *worker;
    struct text text;
    void (*done)(void *arg, struct text *text);
    void *arg;
};

static void describe(struct session *s, void *arg)
{
    struct text *text = arg;
    session_describe(s, text);
    text_put(text, SLICE_LITERAL(","));
}

static void deliver_description(struct mail *mail)
{
    struct describe_mail *m = container_of(mail, struct describe_mail, mail);
    m->done(m->arg, &m->text);
    text_done(&m->text);
    free(m);
}

static void deliver_describe(struct mail *mail)
{
    struct describe_mail *m = container_of(mail, struct describe_mail, mail);
    session_table_each(m->worker->sessions, describe, &m->text);
    loop_post(m->worker->server->loop, &m->mail, deliver_description);
}

void worker_post_describe(struct worker *w, void (*done)(void *arg, struct text *text), void *arg)
{
    struct describe_mail *m = log_needed(malloc(sizeof(*m)));
    if (!m) {
        struct text nothing = {.failed = true};
        done(arg, &nothing);
        return;
    }
    *m = (struct describe_mail){.worker = w, .done = done, .arg = arg};
    loop_post(w->loop, &m->mail, deliver_describe);
}
