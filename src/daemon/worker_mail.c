/* SPDX-License-Identifier: MIT */
/* worker_mail.c - the mail of other threads to a worker: one struct and one delivery for each kind.
 */
#include "daemon/worker.h"

#include "base/log.h"
#include "daemon/daemon.h"

#include <stdlib.h>

/* ---- draining ---- */

struct drain_mail {
    struct mail mail;
    struct worker *worker;
    bool at_once;
};

static void deliver_drain(struct mail *mail)
{
    struct drain_mail *m = container_of(mail, struct drain_mail, mail);
    worker_drain(m->worker, m->at_once);
    free(m);
}

void worker_post_drain(struct worker *w, bool at_once)
{
    struct drain_mail *m = malloc(sizeof(*m));
    if (!m) {
        log_error("out_of_memory", log_text("for", "drain"));
        return;
    }
    *m = (struct drain_mail){.worker = w, .at_once = at_once};
    loop_post(w->loop, &m->mail, deliver_drain);
}

/* ---- settings ---- */

struct config_mail {
    struct mail mail;
    struct worker *worker;
    const struct config *config;
    struct listening_set *set;
    void (*done)(struct daemon *daemon);
};

static void deliver_config_done(struct mail *mail)
{
    struct config_mail *m = container_of(mail, struct config_mail, mail);
    m->done(m->worker->daemon);
    free(m);
}

static void deliver_config(struct mail *mail)
{
    struct config_mail *m = container_of(mail, struct config_mail, mail);
    worker_use_config(m->worker, m->config);
    int error = m->worker->draining ? 0 : worker_use_listeners(m->worker, m->set);
    if (error)
        log_error("listen.failed", log_int("worker", m->worker->index), log_errno("error", error));
    loop_post(m->worker->daemon->loop, &m->mail, deliver_config_done);
}

void worker_post_config(struct worker *w, const struct config *config, struct listening_set *set,
                        void (*done)(struct daemon *daemon))
{
    struct config_mail *m = malloc(sizeof(*m));
    if (!m) {
        log_error("out_of_memory", log_text("for", "reload"));
        return;
    }
    *m = (struct config_mail){.worker = w, .config = config, .set = set, .done = done};
    loop_post(w->loop, &m->mail, deliver_config);
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
    struct ping_mail *m = malloc(sizeof(*m));
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
    if (m->worker->draining)
        http_parcel_drop(&m->parcel);
    else
        http_adopt(&m->worker->http, &m->parcel);
    free(m);
}

void worker_post_request(struct worker *w, const struct http_parcel *parcel)
{
    struct request_mail *m = malloc(sizeof(*m));
    if (!m) {
        struct http_parcel lost = *parcel;
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
    struct describe_mail *m = malloc(sizeof(*m));
    if (!m) {
        struct text nothing = {.failed = true};
        done(arg, &nothing);
        return;
    }
    *m = (struct describe_mail){.worker = w, .done = done, .arg = arg};
    loop_post(w->loop, &m->mail, deliver_describe);
}
