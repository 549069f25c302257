/* SPDX-License-Identifier: MIT */
/* worker_mail.c - the mail of other threads to a worker: one struct and one delivery for each kind.
 */
#include "daemon/worker.h"

#include "base/log.h"
#include "daemon/daemon.h"

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
    bool *posted = at_once ? &l->drain_at_once_posted : &l->drain_posted;
    if (*posted)
        return;
    *posted = true;
    if (at_once)
        loop_post(w->loop, &l->drain_at_once, deliver_drain_at_once);
    else
        loop_post(w->loop, &l->drain, deliver_drain);
}

/* ---- settings ---- */

static void deliver_config_done(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, letters.config);
    w->letters.config_done(w->daemon);
}

static void deliver_config(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, letters.config);
    worker_use_config(w, w->letters.new_config);
    int error = w->draining ? 0 : worker_use_listeners(w, w->letters.new_listeners);
    if (error)
        log_error("listen.failed", log_int("worker", w->index), log_errno("error", error));
    loop_post(w->daemon->loop, &w->letters.config, deliver_config_done);
}

void worker_post_config(struct worker *w, const struct config *config, struct listening_set *set,
                        void (*done)(struct daemon *daemon))
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
    loop_post(m->worker->daemon->loop, &m->mail, deliver_ping_done);
}

void worker_post_ping(struct worker *w, void (*done)(void *arg), void *arg)
{
    struct ping_mail *m = log_needed(malloc(sizeof(*m)));
    if (!m)
        return; /* a process without memory is not well */
    *m = (struct ping_mail){.worker = w, .done = done, .arg = arg};
    loop_post(w->loop, &m->mail, deliver_ping);
}

/* ---- requests of other workers ---- */

struct request_mail {
    struct mail mail;
    struct worker *worker;
    struct http_parcel parcel;
};

static void deliver_request(struct mail *mail)
{
    struct request_mail *m = container_of(mail, struct request_mail, mail);
    if (m->worker->killed || m->worker->ended)
        http_parcel_drop(&m->parcel);
    else
        http_adopt(&m->worker->http, &m->parcel);
    free(m);
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
    loop_post(w->loop, &m->mail, deliver_request);
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
    loop_post(m->worker->daemon->loop, &m->mail, deliver_description);
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
