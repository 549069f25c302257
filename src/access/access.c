/* SPDX-License-Identifier: MIT */
#include "access/access_steps.h"

#include <assert.h>

void access_check_set_state(struct access_check *c, enum access_check_state state)
{
    assert(c->state != CHECK_READY || state == CHECK_IDLE);
    c->state = state;
}

static void tell_owner(struct access *a)
{
    if (a->wake)
        a->wake(a);
}

static void make_ready(struct access *a, struct access_check *c)
{
    access_check_set_state(c, CHECK_READY);
    list_append(&a->ready, &c->node);
    tell_owner(a);
}

static void go_on(struct access *a, struct access_check *c)
{
    step_fn *const *table = access_steps[c->request.path];
    access_check_set_state(c, CHECK_STEPS);
    while (table[c->step]) {
        enum step step = table[c->step](a, c);
        if (step == STEP_WAIT) {
            tell_owner(a);
            return;
        }
        if (step == STEP_DECIDED)
            break;
        c->step++;
    }
    make_ready(a, c);
}

static void on_known(struct verdict_wait *wait, const struct lookup_outcome *outcome)
{
    struct access_check *c = container_of(wait, struct access_check, wait);
    if (step_take_outcome(c, outcome) == STEP_DECIDED) {
        make_ready(c->access, c);
        return;
    }
    c->step++;
    go_on(c->access, c);
}

void access_program_answer(struct access *a, struct access_check *c, bool allowed,
                           uint32_t max_age_s, struct slice policy_path)
{
    assert(c->state == CHECK_PROGRAM);
    if (!allowed) {
        access_ban(a, &c->request, max_age_s, policy_path, a->now_ms);
        step_refuse(c, ACCESS_SCRIPT_DENIED,
                    max_age_s < BAN_SECONDS_MAX ? max_age_s : BAN_SECONDS_MAX);
    }
    access_check_set_state(c, CHECK_STEPS);
    if (c->asking)
        return;
    if (!allowed) {
        make_ready(a, c);
        return;
    }
    c->step++;
    go_on(a, c);
}

/* ---- from outside ---- */

void access_init(struct access *a, const struct access_config *config, struct resolver *resolver,
                 struct bans *bans, struct rates *rates, void (*wake)(struct access *))
{
    *a = (struct access){.config = config, .bans = bans, .rates = rates, .wake = wake};
    a->counts = &a->own_counts;
    list_init(&a->ready);
    questions_init(&a->questions, resolver);
    verdicts_init(&a->verdicts, config, &a->questions.resolver);
    a->verdicts.rates = rates;
}

void access_set_counts(struct access *a, struct access_counts *counts)
{
    a->counts = counts;
    a->verdicts.counts = &counts->known;
}

void access_set_trace(struct access *a, struct access_trace *trace)
{
    a->trace = trace;
    a->verdicts.trace = trace;
}

void access_set_refuses(struct access *a,
                        void (*refuses)(void *owner, const struct verdict_question *q), void *owner)
{
    a->verdicts.refuses = refuses;
    a->verdicts.refuses_owner = owner;
}

void access_doubt(struct access *a, const struct verdict_question *q, uint64_t now_ms)
{
    access_set_now(a, now_ms);
    verdicts_doubt(&a->verdicts, q);
    tell_owner(a);
}

void access_done(struct access *a)
{
    assert(list_empty(&a->ready));
    verdicts_done(&a->verdicts);
    questions_done(&a->questions);
}

void access_check(struct access *a, struct access_check *c, uint64_t now_ms)
{
    *c = (struct access_check){
        .request = c->request,
        .ask_program = c->ask_program,
        .on_verdict = c->on_verdict,
        .access = a,
        .wait = {.known = on_known},
        .result = {.reason = ACCESS_NO_RECORD},
    };
    access_set_now(a, now_ms);
    list_init(&c->node);
    if (c->request.path != ACCESS_PATH_WEB && c->request.path != ACCESS_PATH_PLAIN)
        c->target_known = target_parse(c->request.target, &c->result.target, &c->target_fault);
    go_on(a, c);
}

void access_cancel(struct access *a, struct access_check *c)
{
    verdict_wait_cancel(&a->verdicts, &c->wait);
    list_remove(&c->node);
    c->state = CHECK_IDLE;
}

void access_set_now(struct access *a, uint64_t now_ms)
{
    a->now_ms = a->verdicts.now_ms = now_ms;
}

void access_run(struct access *a, uint64_t now_ms)
{
    access_set_now(a, now_ms);
    verdicts_tick(&a->verdicts);
    struct list ready;
    list_init(&ready);
    list_splice(&ready, &a->ready);
    for (struct list *node; (node = list_pop(&ready));) {
        struct access_check *c = container_of(node, struct access_check, node);
        struct access_result result = c->result;
        a->counts->verdicts[result.reason]++;
        access_check_set_state(c, CHECK_IDLE);
        c->on_verdict(c, &result);
    }
}

uint64_t access_due_ms(const struct access *a)
{
    return list_empty(&a->ready) ? verdicts_due_ms(&a->verdicts) : a->now_ms;
}

void access_lease_start(struct access *a, const struct access_check *c, struct verdict_lease *lease)
{
    struct target web;
    lease->verdict = NULL;
    list_init(&lease->node);
    if (c->settled || access_reason_row(c->result.reason)->verdict == ACCESS_DENY)
        return;
    struct verdict_question q = step_question(c, &web);
    verdict_lease_start(&a->verdicts, &q, lease);
    tell_owner(a);
}

void access_lease_end(struct access *a, struct verdict_lease *lease)
{
    verdict_lease_end(&a->verdicts, lease);
}
