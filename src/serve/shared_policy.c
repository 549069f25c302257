/* SPDX-License-Identifier: MIT */
#include "serve/shared_policy.h"

#include "base/log.h"
#include "serve/cluster_server.h"
#include "serve/server.h"

#include <stdlib.h>

struct doubt_mail {
    struct mail mail;
    struct worker *worker;
    struct origin origin;
    struct target target;
    enum access_via via;
};

static void deliver_doubt(struct mail *mail)
{
    struct doubt_mail *m = container_of(mail, struct doubt_mail, mail);
    struct verdict_question q = {.origin = &m->origin, .via = m->via, .target = &m->target};
    struct worker *w = m->worker;
    access_doubt(script_access_get(w->script_access), &q, loop_now_ms(w->loop));
    free(m);
}

static void doubt(void *owner, const struct verdict_question *q)
{
    struct server *s = owner;
    for (uint16_t i = 0; i < s->worker_count; i++) {
        struct doubt_mail *m = log_needed(malloc(sizeof(*m)));
        if (!m)
            return;
        *m = (struct doubt_mail){
            .worker = &s->workers[i], .origin = *q->origin, .target = *q->target, .via = q->via};
        loop_post(s->workers[i].loop, &m->mail, deliver_doubt);
    }
}

bool shared_policy_open(struct server *s, struct loop *loop)
{
    if (!s->cluster)
        return true;
    s->tables.policy = policy_new(&(struct policy_spec){
        .loop = loop,
        .cluster = s->cluster->name,
        .bans = s->tables.bans,
        .rates = s->tables.rates,
        .bans_max = s->config->bans_max,
        .doubt = doubt,
        .owner = s,
    });
    return s->tables.policy;
}
