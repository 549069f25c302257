/* SPDX-License-Identifier: MIT */
/* policy_dns.c - questions for the DNS of all workers of this server, and the answers that the
 * broker keeps for all servers.
 *
 *   policy_ask ──> ask ──┬─known, to be asked here───────────────────────> back
 *                   ^    └─wait ──> waits, POLL_MS ──┬─ WAIT_MS passed ──> back: asked here
 *                   └────────────────────────────────┘
 */
#include "cluster/policy_parts.h"

#include "base/log.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CLAIM_MS = 1500, /* whoever asks has so long */
    POLL_MS = 50,
    WAIT_MS = 600,
    QUESTIONS_MAX = 1024,
    KEPT_LEAST_MS = 2000, /* so that all who wait for it find it */
    KEPT_MOST_MS = 300000,
    STORED_EACH_US = 20000, /* 50 answers a second; beyond, others ask themselves */
    STORED_BURST = 500
};

static struct slice key_of(const struct policy *p, const char *mark, const struct dns_question *q,
                           char room[DNS_KEY_MAX])
{
    int len =
        snprintf(room, DNS_KEY_MAX, "%s:policy:dns:%s:%d:%s", p->cluster, mark, q->type, q->name);
    return slice_make(room, (size_t)len);
}

static void give_back(struct policy *p, struct shared_question *q, enum shared_result result)
{
    list_remove(&q->node);
    p->questions_count--;
    q->result = result;
    p->counts.dns_known += result == SHARED_KNOWN;
    p->counts.dns_asked += result == SHARED_ASK;
    p->counts.left_out += result == SHARED_ALONE;
    loop_post(q->loop, &q->mail, q->deliver);
}

/* ---- asked ---- */

static void ask(struct policy *p, struct shared_question *q)
{
    char key[DNS_KEY_MAX], ms[16];
    const struct slice words[] = {
        SLICE_LITERAL("ask"),
        slice_make(ms, (size_t)snprintf(ms, sizeof(ms), "%d", CLAIM_MS)),
    };
    q->waits = false;
    policy_run(p, &q->call, key_of(p, q->mark, &q->below, key), words, 2);
}

static bool take_answer(struct shared_question *q, const struct redisReply *reply)
{
    if (reply->elements != 3 || reply->element[1]->type != REDIS_REPLY_STRING ||
        reply->element[2]->type != REDIS_REPLY_INTEGER)
        return false;
    long long ms = reply->element[2]->integer;
    q->ttl_s = ms > 0 ? (uint32_t)(ms / 1000) : 0;
    text_put(&q->answer, slice_make(reply->element[1]->str, reply->element[1]->len));
    return !q->answer.failed;
}

static void wait(struct policy *p, struct shared_question *q)
{
    if (policy_now_ms(p) >= q->until_ms) {
        give_back(p, q, SHARED_ASK);
        return;
    }
    p->counts.dns_waited += !q->waited;
    q->waits = q->waited = true;
    if (!timer_active(&p->dns_timer))
        timer_start(p->loop, &p->dns_timer, POLL_MS);
}

static void on_asked(struct broker_call *call, const struct redisReply *reply)
{
    struct shared_question *q = container_of(call, struct shared_question, call);
    struct policy *p = q->policy;
    if (policy_failed(p, reply, REDIS_REPLY_ARRAY) || reply->elements == 0 ||
        reply->element[0]->type != REDIS_REPLY_STRING) {
        give_back(p, q, SHARED_ALONE);
        return;
    }
    struct slice result = slice_make(reply->element[0]->str, reply->element[0]->len);
    if (slice_equal(result, SLICE_LITERAL("wait")))
        wait(p, q);
    else if (slice_equal(result, SLICE_LITERAL("known")) && take_answer(q, reply))
        give_back(p, q, SHARED_KNOWN);
    else
        give_back(p, q, SHARED_ASK);
}

static void on_poll(struct timer *timer)
{
    struct policy *p = container_of(timer, struct policy, dns_timer);
    for (struct list *next, *node = p->questions.next; node != &p->questions; node = next) {
        struct shared_question *q = container_of(node, struct shared_question, node);
        next = node->next;
        if (!q->waits)
            continue;
        if (p->state == POLICY_THERE)
            ask(p, q);
        else
            give_back(p, q, SHARED_ALONE);
    }
}

static void deliver_question(struct mail *mail)
{
    struct shared_question *q = container_of(mail, struct shared_question, mail);
    struct policy *p = q->policy;
    list_append(&p->questions, &q->node);
    p->questions_count++;
    if (atomic_load(&p->stopped))
        return; /* policy_dns_done() frees it */
    q->until_ms = policy_now_ms(p) + WAIT_MS;
    if (p->state == POLICY_THERE && p->questions_count <= QUESTIONS_MAX)
        ask(p, q);
    else
        give_back(p, q, SHARED_ALONE);
}

bool policy_ask(struct policy *p, struct shared_question *q)
{
    if (!atomic_load(&p->there) || atomic_load(&p->stopped))
        return false;
    q->policy = p;
    q->call.on_reply = on_asked;
    list_init(&q->node);
    loop_post(p->loop, &q->mail, deliver_question);
    return true;
}

/* ---- stored ---- */

struct store {
    struct mail mail;
    struct policy *policy;
    struct text answer; /* owned */
    uint32_t ttl_s;
    char mark[17];
    struct dns_question question; /* its name and type */
};

static void send_answer(struct policy *p, const struct store *s)
{
    char key[DNS_KEY_MAX], text[16];
    uint64_t ms = s->ttl_s * UINT64_C(1000);
    ms = ms < KEPT_LEAST_MS ? KEPT_LEAST_MS : ms > KEPT_MOST_MS ? KEPT_MOST_MS : ms;
    int len = snprintf(text, sizeof(text), "%u", (unsigned)ms);
    const struct slice words[] = {SLICE_LITERAL("SET"), key_of(p, s->mark, &s->question, key),
                                  text_slice(&s->answer), SLICE_LITERAL("PX"),
                                  slice_make(text, (size_t)len)};
    sends_command(&p->sends, p->broker, words, 5);
}

static void deliver_store(struct mail *mail)
{
    struct store *s = container_of(mail, struct store, mail);
    struct policy *p = s->policy;
    if (p->state == POLICY_THERE &&
        bucket_take(&p->store_full_us, STORED_EACH_US, STORED_BURST, policy_now_ms(p) * 1000) == 0)
        send_answer(p, s);
    else
        p->counts.left_out++;
    text_done(&s->answer);
    free(s);
}

void policy_store(struct policy *p, const struct shared_question *q, const struct text *answer,
                  uint32_t ttl_s)
{
    bool there = atomic_load(&p->there) && !atomic_load(&p->stopped);
    struct store *s = there ? log_needed(calloc(1, sizeof(*s))) : NULL;
    if (!s)
        return;
    s->policy = p;
    s->ttl_s = ttl_s;
    text_put(&s->answer, text_slice(answer));
    memcpy(s->mark, q->mark, sizeof(s->mark));
    s->question.type = q->below.type;
    strcpy(s->question.name, q->below.name);
    if (s->answer.failed) {
        text_done(&s->answer);
        free(s);
        return;
    }
    loop_post(p->loop, &s->mail, deliver_store);
}

/* ---- from outside ---- */

void policy_dns_init(struct policy *p)
{
    list_init(&p->questions);
    timer_init(&p->dns_timer, on_poll);
}

void policy_dns_done(struct policy *p)
{
    for (struct list *node; (node = list_pop(&p->questions));) {
        struct shared_question *q = container_of(node, struct shared_question, node);
        text_done(&q->answer);
        free(q);
    }
}
