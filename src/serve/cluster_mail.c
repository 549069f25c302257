/* SPDX-License-Identifier: MIT */
#include "serve/cluster_mail.h"

#include "base/log.h"
#include "serve/cluster_wiring.h"
#include "serve/server.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- connections that other servers pass on ---- */

struct passed_mail {
    struct mail mail;
    struct worker *worker;
    int fd;
    struct http_passed passed;
};

static void accept_passed(struct worker *w, int fd, const struct http_passed *passed)
{
    struct stream *stream = w->killed || w->ended ? NULL : stream_new_known(w->loop, fd, NULL);
    if (stream)
        http_accept_passed(&w->http, stream, passed);
    else if (w->killed || w->ended)
        close(fd);
}

static void deliver_passed(struct mail *mail)
{
    struct passed_mail *m = container_of(mail, struct passed_mail, mail);
    accept_passed(m->worker, m->fd, &m->passed);
    free(m);
}

void cluster_mail_passed(void *owner, int fd, uint16_t worker, const struct http_passed *passed)
{
    struct cluster_node *n = owner;
    const struct server *server = n->worker->server;
    struct worker *w = worker < server->worker_count ? &server->workers[worker] : n->worker;
    if (w == n->worker) {
        accept_passed(w, fd, passed);
        return;
    }
    struct passed_mail *m = log_needed(malloc(sizeof(*m)));
    if (!m) {
        close(fd);
        return;
    }
    *m = (struct passed_mail){.worker = w, .fd = fd, .passed = *passed};
    loop_post(w->loop, &m->mail, deliver_passed);
}

/* ---- what the registry tells, to all workers ---- */

struct view_mail {
    struct mail mail;
    struct worker *worker;
    uint32_t tag;
    struct servers_view *view; /* a reference */
};

static void deliver_view(struct mail *mail)
{
    struct view_mail *m = container_of(mail, struct view_mail, mail);
    cluster_node_use_view(m->worker->cluster, m->tag, m->view);
    servers_view_unref(m->view);
    free(m);
}

void cluster_mail_view(struct worker *w, uint32_t tag, struct servers_view *view)
{
    struct view_mail *m = log_needed(malloc(sizeof(*m)));
    if (!m)
        return; /* the next change tells this one too */
    *m = (struct view_mail){.worker = w, .tag = tag, .view = servers_view_ref(view)};
    loop_post(w->loop, &m->mail, deliver_view);
}

/* ---- whether a server has come that is not in the view ---- */

struct check_mail {
    struct mail mail;
    struct servers_question question;
    struct worker *worker; /* that asks */
    uint32_t tag;
};

static void deliver_checked(struct mail *mail)
{
    struct check_mail *m = container_of(mail, struct check_mail, mail);
    ways_checked(&m->worker->cluster->ways, m->tag);
    free(m);
}

static void on_known(struct servers_question *question)
{
    struct check_mail *m = container_of(question, struct check_mail, question);
    loop_post(m->worker->loop, &m->mail, deliver_checked);
}

static void deliver_check(struct mail *mail)
{
    struct check_mail *m = container_of(mail, struct check_mail, mail);
    m->question.on_known = on_known;
    servers_ask(m->worker->server->workers[0].cluster->registry, &m->question);
}

void cluster_mail_check(void *owner, uint32_t tag)
{
    struct cluster_node *n = owner;
    struct check_mail *m = log_needed(malloc(sizeof(*m)));
    if (!m)
        return; /* whoever asks is told after a while that the server is away */
    *m = (struct check_mail){.worker = n->worker, .tag = tag};
    loop_post(n->worker->server->workers[0].loop, &m->mail, deliver_check);
}
