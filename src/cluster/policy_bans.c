/* SPDX-License-Identifier: MIT */
/* policy_bans.c - bans of all servers: what is set here is told and kept in the broker, what others
 * set is put into the table. */
#include "cluster/policy_parts.h"

#include "base/log.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    READ_AT_ONCE = 4096,
    RETRY_MS = 5000,
    BAN_OCTETS = 12
};

/* ---- set here ---- */

/* In whatever thread. What does not fit is found in `own` later. */
static void on_ban(void *owner, const struct ban *ban)
{
    struct policy *p = owner;
    struct policy_bans *b = &p->bans;
    bans_put(b->own, ban, ban->until_ms - 1);
    pthread_mutex_lock(&b->lock);
    if (b->count < POLICY_BANS_WAITING)
        b->waiting[b->count++] = *ban;
    else
        b->again = true;
    pthread_mutex_unlock(&b->lock);
}

static size_t take_waiting(struct policy_bans *b, struct ban ret[POLICY_BANS_WAITING])
{
    pthread_mutex_lock(&b->lock);
    size_t count = b->count;
    memcpy(ret, b->waiting, count * sizeof(*ret));
    b->count = 0;
    pthread_mutex_unlock(&b->lock);
    return count;
}

static bool is_again(struct policy_bans *b)
{
    pthread_mutex_lock(&b->lock);
    bool again = b->again;
    pthread_mutex_unlock(&b->lock);
    return again;
}

static void set_again(struct policy_bans *b, bool again)
{
    pthread_mutex_lock(&b->lock);
    b->again = again;
    pthread_mutex_unlock(&b->lock);
}

static size_t take_own(struct policy *p, struct ban ret[BANS_LOOK])
{
    struct policy_bans *b = &p->bans;
    if (b->at == 0)
        set_again(b, false); /* what is set from now on may want another look */
    size_t count = bans_look(b->own, &b->at, policy_now_ms(p), ret);
    return count;
}

/* ---- told ---- */

static void on_told(struct broker_call *call, const struct redisReply *reply)
{
    struct policy_bans *b = container_of(call, struct policy_bans, tell_call);
    struct policy *p = container_of(b, struct policy, bans);
    b->telling = false;
    if (!policy_failed(p, reply, REDIS_REPLY_INTEGER)) {
        p->counts.bans_told += (uint64_t)reply->integer;
        return;
    }
    set_again(b, true); /* those of before are known, if they were done */
    b->at = 0;
    b->tell_ms = reply ? policy_now_ms(p) + RETRY_MS : 0;
}

/* The hash as octets, and how long it remains. */
static void put_words(const struct ban *ban, uint64_t now_ms, char hash[8], char ms[16],
                      struct slice ret[2])
{
    for (int i = 0; i < 8; i++)
        hash[i] = (char)(ban->hash >> (56 - 8 * i));
    int len = snprintf(ms, 16, "%u", (unsigned)(ban->until_ms - now_ms));
    ret[0] = slice_make(hash, 8);
    ret[1] = slice_make(ms, (size_t)len);
}

struct words {
    char max[24], hashes[POLICY_BANS_WAITING][8], times[POLICY_BANS_WAITING][16];
    struct slice list[2 + 2 * POLICY_BANS_WAITING];
};

static size_t write_words(struct policy *p, const struct ban *bans, size_t count, struct words *w)
{
    size_t n = 2;
    uint64_t now_ms = policy_now_ms(p);
    w->list[0] = SLICE_LITERAL("ban");
    w->list[1] =
        slice_make(w->max, (size_t)snprintf(w->max, sizeof(w->max), "%zu", p->spec.bans_max));
    for (size_t i = 0; i < count; i++) {
        if (bans[i].until_ms <= now_ms)
            continue;
        put_words(&bans[i], now_ms, w->hashes[i], w->times[i], &w->list[n]);
        n += 2;
    }
    return n;
}

static void tell(struct policy *p, const struct ban *bans, size_t count)
{
    struct words *w = count ? log_needed(malloc(sizeof(*w))) : NULL;
    size_t n = w ? write_words(p, bans, count, w) : 0;
    if (count && !w)
        set_again(&p->bans, true);
    if (n > 2) {
        p->bans.telling = true;
        policy_run(p, &p->bans.tell_call, SLICE_NONE, w->list, n);
    }
    free(w);
}

void policy_bans_tick(struct policy *p)
{
    struct policy_bans *b = &p->bans;
    struct ban bans[POLICY_BANS_WAITING];
    if (p->state == POLICY_READING && !b->reading && policy_now_ms(p) >= b->read_ms)
        policy_bans_read(p);
    if (p->state != POLICY_THERE || b->telling || policy_now_ms(p) < b->tell_ms)
        return;
    size_t count = take_waiting(b, bans);
    if (!count && (b->at || is_again(b)))
        count = take_own(p, bans);
    tell(p, bans, count);
}

/* ---- heard ---- */

static size_t put_all(struct policy *p, struct slice bans)
{
    uint64_t hash, remains_ms, now_ms = policy_now_ms(p);
    size_t count = 0;
    while (octets_get(&bans, 8, &hash) && octets_get(&bans, 4, &remains_ms)) {
        bans_put(p->spec.bans, &(struct ban){hash, now_ms + remains_ms}, now_ms);
        count++;
    }
    return count;
}

void policy_bans_heard(struct policy *p, struct slice bans)
{
    p->counts.bans_heard += put_all(p, bans);
}

static void ask_for_more(struct policy *p)
{
    struct policy_bans *b = &p->bans;
    char from[24], count[24];
    const struct slice words[] = {
        SLICE_LITERAL("read"),
        slice_make(from, (size_t)snprintf(from, sizeof(from), "%zu", b->read)),
        slice_make(count, (size_t)snprintf(count, sizeof(count), "%d", READ_AT_ONCE)),
    };
    b->reading = true;
    policy_run(p, &b->read_call, SLICE_NONE, words, 3);
}

static void on_read(struct broker_call *call, const struct redisReply *reply)
{
    struct policy_bans *b = container_of(call, struct policy_bans, read_call);
    struct policy *p = container_of(b, struct policy, bans);
    b->reading = false;
    if (policy_failed(p, reply, REDIS_REPLY_STRING)) {
        b->read_ms = reply ? policy_now_ms(p) + RETRY_MS : 0;
        return;
    }
    if (p->state != POLICY_READING)
        return;
    size_t count = put_all(p, slice_make(reply->str, reply->len));
    p->counts.bans_heard += count;
    b->read += count;
    if (count == READ_AT_ONCE) {
        ask_for_more(p);
        return;
    }
    policy_set_state(p, POLICY_THERE);
    set_again(b, true);
    b->at = 0;
    log_info("policy.shared", log_slice("broker", broker_name(p->broker)),
             log_int("bans", b->read));
}

void policy_bans_read(struct policy *p)
{
    policy_set_state(p, POLICY_READING);
    p->bans.read = 0;
    if (!p->bans.reading)
        ask_for_more(p);
}

/* ---- lifted ---- */

void policy_bans_forget(struct policy *p)
{
    struct policy_bans *b = &p->bans;
    pthread_mutex_lock(&b->lock);
    b->count = 0;
    pthread_mutex_unlock(&b->lock);
    bans_lift(b->own);
    bans_lift(p->spec.bans);
}

void policy_bans_lifts(struct policy *p, uint64_t lifts)
{
    struct policy_bans *b = &p->bans;
    bool news = b->knows_lifts && lifts > b->lifts;
    b->knows_lifts = true;
    b->lifts = lifts > b->lifts ? lifts : b->lifts;
    if (!news)
        return;
    policy_bans_forget(p);
    p->counts.bans_lifted++;
    log_info("bans.lifted", log_text("by", "cluster"));
}

struct lift {
    struct mail mail;
    struct policy *policy;
};

static void deliver_lift(struct mail *mail)
{
    static const struct slice words[] = {SLICE_LITERAL("lift")};
    struct lift *l = container_of(mail, struct lift, mail);
    struct policy *p = l->policy;
    free(l);
    struct broker_call *call = p->state == POLICY_THERE ? sends_call(&p->sends, p->broker) : NULL;
    if (call)
        policy_run(p, call, SLICE_NONE, words, 1);
}

bool policy_lift_bans(struct policy *p)
{
    policy_bans_forget(p);
    struct lift *l = atomic_load(&p->there) ? log_needed(malloc(sizeof(*l))) : NULL;
    if (!l)
        return false;
    l->policy = p;
    loop_post(p->loop, &l->mail, deliver_lift);
    return true;
}

/* ---- from outside ---- */

bool policy_bans_init(struct policy *p)
{
    struct policy_bans *b = &p->bans;
    pthread_mutex_init(&b->lock, NULL);
    b->read_call.on_reply = on_read;
    b->tell_call.on_reply = on_told;
    b->own = bans_new(POLICY_BANS_OWN);
    if (!b->own)
        return false;
    bans_told(p->spec.bans, on_ban, p);
    return true;
}

void policy_bans_done(struct policy *p)
{
    bans_told(p->spec.bans, NULL, NULL);
    bans_free(p->bans.own);
    pthread_mutex_destroy(&p->bans.lock);
}
