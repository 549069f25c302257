/* SPDX-License-Identifier: MIT */
#include "cluster/shared_dns.h"

#include "base/hash.h"
#include "base/log.h"
#include "cluster/policy_parts.h"
#include "cluster/shared_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    AWAY_MAX = 256,
    AWAY_MS = 800 /* for the broker, and another server, to answer */
};

struct shared_dns {
    struct resolver resolver;
    struct resolver *below; /* borrowed */
    struct policy *policy;  /* borrowed */
    struct loop *loop;      /* borrowed */
    size_t away;
    char mark[17];
};

static void drop(struct shared_question *sq)
{
    text_done(&sq->answer);
    free(sq);
}

/* The question is not with us any more. */
static struct dns_question *release(struct shared_question *sq)
{
    struct dns_question *q = sq->question;
    sq->question = NULL;
    timer_stop(&sq->timer);
    q->handle = NULL;
    return q;
}

/* ---- asked below ---- */

static void on_below(struct dns_question *below, const struct dns_answer *answer)
{
    struct shared_question *sq = container_of(below, struct shared_question, below);
    struct text written = {0};
    if (sq->result == SHARED_ASK && shared_answer_write(answer, &written))
        policy_store(sq->shared->policy, sq, &written, answer->ttl);
    text_done(&written);
    struct dns_question *q = release(sq);
    q->answered(q, answer);
    drop(sq);
}

static int ask_below(struct shared_question *sq)
{
    struct shared_dns *s = sq->shared;
    sq->below.answered = on_below;
    sq->is_below = true;
    return s->below->ask(s->below, &sq->below);
}

/* When ask() has returned already. */
static void ask_below_late(struct shared_question *sq)
{
    if (ask_below(sq) == 0)
        return;
    struct dns_question *q = release(sq);
    drop(sq);
    q->answered(q, &(struct dns_answer){.status = DNS_FAILED, .why = "out of memory"});
}

/* ---- asked of the policy ---- */

static struct shared_question *new_question(struct shared_dns *s, struct dns_question *question);

static bool tell_known(struct shared_question *sq)
{
    struct slice data[DNS_DATA_MAX];
    struct dns_answer answer;
    if (sq->result != SHARED_KNOWN ||
        !shared_answer_read(text_slice(&sq->answer), sq->ttl_s, data, &answer))
        return false;
    struct dns_question *q = release(sq);
    q->answered(q, &answer);
    drop(sq);
    return true;
}

/* `shared` is there only while there is a question. */
static void deliver_result(struct mail *mail)
{
    struct shared_question *sq = container_of(mail, struct shared_question, mail);
    if (!sq->question) {
        drop(sq);
        return;
    }
    timer_stop(&sq->timer);
    sq->shared->away--;
    if (!tell_known(sq))
        ask_below_late(sq);
}

/* The one that is away finds no question when it comes back. */
static void on_late(struct timer *timer)
{
    struct shared_question *sq = container_of(timer, struct shared_question, timer);
    struct shared_dns *s = sq->shared;
    struct dns_question *q = release(sq);
    s->away--;
    struct shared_question *again = new_question(s, q);
    if (!again) {
        q->answered(q, &(struct dns_answer){.status = DNS_FAILED, .why = "out of memory"});
        return;
    }
    again->result = SHARED_ASK;
    ask_below_late(again);
}

static struct shared_question *new_question(struct shared_dns *s, struct dns_question *question)
{
    struct shared_question *sq = log_needed(calloc(1, sizeof(*sq)));
    if (!sq)
        return NULL;
    sq->loop = s->loop;
    sq->shared = s;
    sq->deliver = deliver_result;
    sq->result = SHARED_ALONE;
    sq->question = question;
    sq->below.type = question->type;
    strcpy(sq->below.name, question->name);
    memcpy(sq->mark, s->mark, sizeof(sq->mark));
    timer_init(&sq->timer, on_late);
    list_init(&sq->node);
    question->handle = sq;
    return sq;
}

static int ask(struct resolver *resolver, struct dns_question *question)
{
    struct shared_dns *s = container_of(resolver, struct shared_dns, resolver);
    struct shared_question *sq = new_question(s, question);
    if (!sq)
        return -ENOMEM;
    timer_start(s->loop, &sq->timer, AWAY_MS);
    if (s->away < AWAY_MAX && policy_ask(s->policy, sq)) {
        s->away++;
        return 0;
    }
    timer_stop(&sq->timer);
    int error = ask_below(sq);
    if (error) {
        release(sq);
        drop(sq);
    }
    return error;
}

static void cancel(struct resolver *resolver, struct dns_question *question)
{
    struct shared_dns *s = container_of(resolver, struct shared_dns, resolver);
    struct shared_question *sq = question->handle;
    if (!sq)
        return;
    release(sq);
    if (!sq->is_below) {
        s->away--;
        return; /* it comes back, and is freed */
    }
    s->below->cancel(s->below, &sq->below);
    drop(sq);
}

/* ---- from outside ---- */

struct shared_dns *shared_dns_new(struct policy *policy, struct loop *loop, struct resolver *below,
                                  struct slice settings)
{
    static const uint64_t key[2] = {0x73686172656420, 0x646e73};
    struct shared_dns *s = log_needed(calloc(1, sizeof(*s)));
    if (!s)
        return NULL;
    s->resolver = (struct resolver){.ask = ask, .cancel = cancel};
    s->below = below;
    s->policy = policy;
    s->loop = loop;
    snprintf(s->mark, sizeof(s->mark), "%016llx",
             (unsigned long long)hash_siphash13(key, settings));
    return s;
}

void shared_dns_free(struct shared_dns *s)
{
    free(s);
}

struct resolver *shared_dns_resolver(struct shared_dns *s)
{
    return &s->resolver;
}
