/* SPDX-License-Identifier: MIT */
#include "serve/claim.h"

#include "base/log.h"
#include "cluster/scripts.h"
#include "proto/close_code.h"
#include "serve/broker_settings.h"
#include "serve/cluster_wiring.h"
#include "serve/server.h"

#include <hiredis/hiredis.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CLAIM_MS = 1000,
    RETRY_S = 1,
    SLACK_MS = 10000,
    HASH_BYTES = 16
};

struct claim {
    struct mail mail;
    struct list node; /* cluster_node.claims, of worker 0, while the broker is asked */
    struct broker_call call;
    struct worker *worker; /* borrowed: outlives its requests */
    struct exchange *x;    /* NULL: nobody waits any more; freed when the mail is back */
    struct page_visitor visitor;
    void (*go_on)(struct worker *w, struct exchange *x, const struct page_visitor *visitor);
    struct timer timer;
    struct ways_wish wish;
    bool asks, wishes;
    uint32_t own, owner, gone;
    char ttl[24];
    char key[2 * HASH_BYTES + 1];
    char origin[ORIGIN_TEXT_SIZE];
};

static void ask(struct claim *c);
static void on_late(struct timer *timer);

/* ---- its end ---- */

/* The exchange is nobody's. */
static struct exchange *let_go(struct claim *c)
{
    struct exchange *x = c->x;
    c->x = NULL;
    timer_stop(&c->timer);
    if (c->wishes)
        ways_cancel(&c->wish);
    c->wishes = false;
    if (x)
        x->ops = NULL;
    if (!c->asks)
        free(c);
    return x;
}

static void end_grant(struct claim *c)
{
    struct page_grant *grant = c->visitor.grant;
    c->visitor.grant = NULL;
    if (!grant)
        return;
    grant->on_revoke = NULL;
    grant->on_over(grant);
}

/* Refused at once, such as for want of room: another server may have it. */
static void release(struct worker *w, const char *key_hash)
{
    struct claim *c = log_needed(calloc(1, sizeof(*c)));
    if (!c)
        return; /* it runs out by itself */
    c->worker = w;
    strcpy(c->key, key_hash);
    strcpy(c->ttl, "0");
    list_init(&c->node);
    timer_init(&c->timer, on_late);
    ask(c);
    timer_stop(&c->timer);
}

static void go_on_here(struct claim *c)
{
    struct worker *w = c->worker;
    char key[SESSION_KEY_MAX], hash[sizeof(c->key)];
    struct slice key_now = page_connect_key(c->x);
    memcpy(key, key_now.ptr, key_now.len);
    strcpy(hash, c->key);
    struct page_visitor visitor = c->visitor;
    char origin[ORIGIN_TEXT_SIZE];
    void (*go_on)(struct worker *, struct exchange *, const struct page_visitor *) = c->go_on;
    memcpy(origin, c->origin, sizeof(origin));
    if (visitor.origin.ptr)
        visitor.origin.ptr = origin;
    if (visitor.grant) {
        visitor.grant->on_revoke = NULL;
        visitor.grant->holder = NULL;
    }
    go_on(w, let_go(c), &visitor);
    if (!page_host_has_key(w->pages, slice_make(key, key_now.len)))
        release(w, hash);
}

static void refuse(struct claim *c, unsigned code, struct slice reason, uint32_t retry_s)
{
    struct worker *w = c->worker;
    bool same_origin = c->visitor.same_origin;
    end_grant(c);
    page_refuse(w->pages, let_go(c), code, reason, retry_s, same_origin);
}

static void on_abort(struct exchange *x)
{
    struct claim *c = x->owner;
    end_grant(c);
    let_go(c);
}

static void on_revoke(struct page_grant *grant, unsigned code, struct slice reason)
{
    refuse(grant->holder, code, reason, 0);
}

static void on_late(struct timer *timer)
{
    go_on_here(container_of(timer, struct claim, timer));
}

/* ---- the broker is asked, by worker 0 ---- */

static void deliver_owner(struct mail *mail);

static void answer(struct claim *c, uint32_t owner)
{
    list_remove(&c->node);
    c->owner = owner;
    loop_post(c->worker->loop, &c->mail, deliver_owner);
}

static void on_reply(struct broker_call *call, const struct redisReply *r)
{
    struct claim *c = container_of(call, struct claim, call);
    bool known = r && r->type == REDIS_REPLY_STRING && r->len == WAY_TAG_TEXT - 1;
    answer(c, known ? (uint32_t)strtoul(r->str, NULL, 16) : c->own);
}

void claims_end(struct worker *first, struct list *claims)
{
    for (struct list *node; (node = list_pop(claims));) {
        struct claim *c = container_of(node, struct claim, node);
        if (c->worker != first)
            answer(c, c->own); /* whose last mail is still read */
        else
            free(c); /* its request has ended with the connection */
    }
}

/* All servers take the same one: they have the same brokers in the same order. */
static struct broker *broker_for(const struct cluster_node *n, const struct claim *c)
{
    unsigned first = 0;
    sscanf(c->key, "%4x", &first);
    struct broker *broker = n->links[first % n->server->brokers->count].broker;
    return broker_is_up(broker) ? broker : NULL;
}

static void deliver_claim(struct mail *mail)
{
    struct claim *c = container_of(mail, struct claim, mail);
    struct cluster_node *first = c->worker->server->workers[0].cluster;
    struct broker *broker = c->worker->server->workers[0].ended ? NULL : broker_for(first, c);
    char name[128], own[WAY_TAG_TEXT], gone[WAY_TAG_TEXT];
    list_append(&first->claims, &c->node);
    if (!broker) {
        answer(c, c->own);
        return;
    }
    int len = snprintf(name, sizeof(name), "%.64s:k:%s", first->server->name, c->key);
    struct slice key = slice_make(name, (size_t)len);
    struct slice args[] = {
        slice_of(way_tag_print(c->own, own)),
        slice_of(c->ttl),
        c->gone ? slice_of(way_tag_print(c->gone, gone)) : SLICE_LITERAL(""),
    };
    c->call.on_reply = on_reply;
    broker_run(broker, &c->call, &broker_script_claim, &key, 1, args, 3);
}

static void ask(struct claim *c)
{
    c->asks = true;
    c->own = c->worker->cluster->ways.spec.tag;
    timer_start(c->worker->loop, &c->timer, CLAIM_MS);
    loop_post(c->worker->server->workers[0].loop, &c->mail, deliver_claim);
}

/* ---- and its answer ---- */

static void claim_anew(struct claim *c)
{
    if (c->gone == c->owner) { /* once is enough */
        go_on_here(c);
        return;
    }
    c->gone = c->owner;
    ask(c);
}

static void pass_on(struct claim *c, struct way *way)
{
    struct worker *w = c->worker;
    bool same_origin = c->visitor.same_origin;
    end_grant(c);
    struct exchange *x = let_go(c);
    if (!ways_forward(&w->cluster->ways, way, x, WAY_NO_WORKER))
        page_refuse(w->pages, x, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"), RETRY_S,
                    same_origin);
}

static void act(struct claim *c, enum ways_answer answer, struct way *way)
{
    if (answer == WAYS_READY)
        pass_on(c, way);
    else if (answer == WAYS_GONE)
        claim_anew(c);
    else
        refuse(c, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("server-away"), RETRY_S);
}

static void on_way(struct ways_wish *wish, enum ways_answer answer, struct way *way)
{
    struct claim *c = container_of(wish, struct claim, wish);
    c->wishes = false;
    act(c, answer, way);
}

static void deliver_owner(struct mail *mail)
{
    struct claim *c = container_of(mail, struct claim, mail);
    struct way *way = NULL;
    c->asks = false;
    timer_stop(&c->timer);
    if (!c->x) {
        free(c);
        return;
    }
    if (c->owner == c->own) {
        go_on_here(c);
        return;
    }
    c->wish.on_answer = on_way;
    enum ways_answer answer = ways_ask(&c->worker->cluster->ways, c->owner, &c->wish, &way);
    c->wishes = answer == WAYS_WAIT;
    if (!c->wishes)
        act(c, answer, way);
}

/* ---- the beginning ---- */

static void on_body(struct exchange *x, struct slice data)
{
    (void)x, (void)data; /* a handshake has none */
}

static void ignore(struct exchange *x)
{
    (void)x;
}

static const struct exchange_ops waiting_ops = {
    .on_body = on_body,
    .on_body_end = ignore,
    .on_writable = ignore,
    .on_abort = on_abort,
};

static bool hash_key(struct slice key, char ret[2 * HASH_BYTES + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (!EVP_Digest(key.ptr, key.len, digest, NULL, EVP_sha256(), NULL))
        return false;
    for (int i = 0; i < HASH_BYTES; i++)
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
    return true;
}

static void hold(struct claim *c, const struct page_visitor *visitor)
{
    c->visitor = *visitor;
    if (visitor->origin.ptr) {
        memcpy(c->origin, visitor->origin.ptr, visitor->origin.len);
        c->visitor.origin.ptr = c->origin;
    }
    if (visitor->grant) {
        visitor->grant->holder = c;
        visitor->grant->on_revoke = on_revoke;
    }
}

bool claim_begin(struct worker *w, struct exchange *x, const struct page_visitor *visitor,
                 void (*go_on)(struct worker *w, struct exchange *x,
                               const struct page_visitor *visitor))
{
    struct slice key = w->cluster && !exchange_was_passed(x) ? page_connect_key(x) : SLICE_NONE;
    if (!key.ptr || session_table_find_key(w->sessions, key))
        return false;
    struct claim *c = log_needed(calloc(1, sizeof(*c)));
    if (!c || !hash_key(key, c->key)) {
        free(c);
        return false;
    }
    list_init(&c->node);
    c->worker = w;
    c->x = x;
    c->go_on = go_on;
    timer_init(&c->timer, on_late);
    snprintf(
        c->ttl, sizeof(c->ttl), "%llu",
        (unsigned long long)(w->config->answer_timeout + w->config->goodbye_timeout + SLACK_MS));
    hold(c, visitor);
    x->ops = &waiting_ops;
    x->owner = c;
    ask(c);
    return true;
}
