/* SPDX-License-Identifier: MIT */
#include "cluster/subscriptions.h"

#include "base/hash.h"
#include "base/log.h"

#include <stdlib.h>

enum {
    AT_ONCE = 128,       /* channels of a command */
    UNDER_WAY_MAX = 1024 /* answers that are waited for */
};

enum subscription_state {
    SUBSCRIPTION_NONE,
    SUBSCRIPTION_ASKED,
    SUBSCRIPTION_ON,
    SUBSCRIPTION_LEAVING
};

struct subscription {
    struct name_entry entry;
    struct list node;
    enum subscription_state state;
    bool wanted;
    bool told; /* on_subscribed has come since it is wanted */
    char name[];
};

static struct subscription *subscription_of(struct list *node)
{
    return container_of(node, struct subscription, node);
}

static struct subscription *find(const struct subscriptions *s, struct slice channel)
{
    struct name_entry *e = name_table_find(&s->table, channel, hash_bytes(channel));
    return e ? container_of(e, struct subscription, entry) : NULL;
}

static struct subscription *make(struct subscriptions *s, struct slice channel)
{
    struct subscription *c = log_needed(calloc(1, sizeof(*c) + channel.len));
    if (!c)
        return NULL;
    memcpy(c->name, channel.ptr, channel.len);
    c->entry.name = slice_make(c->name, channel.len);
    c->entry.hash = hash_bytes(channel);
    list_init(&c->node);
    if (name_table_add(&s->table, &c->entry))
        return c;
    free(c);
    return NULL;
}

static void forget(struct subscriptions *s, struct subscription *c)
{
    list_remove(&c->node);
    name_table_remove(&s->table, &c->entry);
    free(c);
}

static void move(struct list *to, struct subscription *c)
{
    list_remove(&c->node);
    list_append(to, &c->node);
}

/* Something may be to be done about it. */
static void note_change(struct subscriptions *s, struct subscription *c)
{
    move(&s->changed, c);
    if (s->redis && !timer_active(&s->timer))
        timer_start(s->loop, &s->timer, 0);
}

/* ---- commands ---- */

static void send_channels(struct subscriptions *s, const char *verb, const struct slice *channels,
                          size_t count)
{
    struct slice word = slice_of(verb);
    struct redis_words parts[] = {{&word, 1}, {channels, count}};
    if (count > 0)
        redis_send(s->redis, NULL, parts, 2);
    s->under_way += (unsigned)count;
}

struct batch {
    struct slice join[AT_ONCE], leave[AT_ONCE];
    size_t joins, leaves;
};

static void flush(struct subscriptions *s, struct batch *b)
{
    send_channels(s, "SUBSCRIBE", b->join, b->joins);
    send_channels(s, "UNSUBSCRIBE", b->leave, b->leaves);
    b->joins = b->leaves = 0;
}

static void tell(struct subscriptions *s, struct subscription *c)
{
    c->told = true;
    s->ops->on_subscribed(s->owner, c->entry.name);
}

static void settle(struct subscriptions *s, struct subscription *c, struct batch *b)
{
    move(&s->settled, c);
    if (c->state == SUBSCRIPTION_NONE && !c->wanted)
        forget(s, c);
    else if (c->state == SUBSCRIPTION_NONE) {
        c->state = SUBSCRIPTION_ASKED;
        b->join[b->joins++] = c->entry.name;
    } else if (c->state == SUBSCRIPTION_ON && !c->wanted) {
        c->state = SUBSCRIPTION_LEAVING;
        b->leave[b->leaves++] = c->entry.name;
    } else if (c->state == SUBSCRIPTION_ON && !c->told) {
        flush(s, b); /* whose names the callback may free */
        tell(s, c);
    }
}

static void settle_changed(struct timer *timer)
{
    struct subscriptions *s = container_of(timer, struct subscriptions, timer);
    struct batch b = {.joins = 0};
    while (s->redis && !list_empty(&s->changed) && s->under_way < UNDER_WAY_MAX) {
        settle(s, subscription_of(s->changed.next), &b);
        if (s->redis && (b.joins == AT_ONCE || b.leaves == AT_ONCE))
            flush(s, &b);
    }
    if (s->redis)
        flush(s, &b);
}

/* ---- what comes ---- */

static void answered(struct subscriptions *s, struct slice channel, bool joined)
{
    struct subscription *c = find(s, channel);
    enum subscription_state due = joined ? SUBSCRIPTION_ASKED : SUBSCRIPTION_LEAVING;
    if (!c || c->state != due) {
        redis_lose(s->redis, "an answer to no subscription");
        return;
    }
    s->under_way--;
    if (!list_empty(&s->changed) && !timer_active(&s->timer))
        timer_start(s->loop, &s->timer, 0);
    c->state = joined ? SUBSCRIPTION_ON : SUBSCRIPTION_NONE;
    if (joined && c->wanted)
        tell(s, c);
    else
        note_change(s, c);
}

static void announced(struct subscriptions *s, struct slice channel, struct slice payload)
{
    struct subscription *c = find(s, channel);
    if (!c || c->state != SUBSCRIPTION_ON || !c->wanted || !c->told)
        return;
    s->redis->counts->messages++;
    s->ops->on_message(s->owner, channel, payload);
}

bool subscriptions_hear(struct subscriptions *s, const redisReply *reply)
{
    if (!s->redis)
        return false;
    if (reply->type == REDIS_REPLY_ERROR && s->under_way > 0) {
        redis_lose(s->redis, reply->str);
        return true;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        !redis_is_text(reply->element[0]) || !redis_is_text(reply->element[1]))
        return false;
    struct slice kind = redis_text(reply->element[0]), channel = redis_text(reply->element[1]);
    if (slice_equal(kind, SLICE_LITERAL("message")) && redis_is_text(reply->element[2]))
        announced(s, channel, redis_text(reply->element[2]));
    else if (slice_equal(kind, SLICE_LITERAL("subscribe")))
        answered(s, channel, true);
    else if (slice_equal(kind, SLICE_LITERAL("unsubscribe")))
        answered(s, channel, false);
    else
        return false;
    return true;
}

/* ---- from outside ---- */

bool subscriptions_add(struct subscriptions *s, struct slice channel)
{
    struct subscription *c = find(s, channel);
    if (!c)
        c = make(s, channel);
    if (!c || c->wanted)
        return c;
    c->wanted = true;
    c->told = false;
    note_change(s, c);
    return true;
}

void subscriptions_remove(struct subscriptions *s, struct slice channel)
{
    struct subscription *c = find(s, channel);
    if (!c)
        return;
    c->wanted = false;
    if (s->redis)
        note_change(s, c);
    else
        forget(s, c);
}

void subscriptions_begin(struct subscriptions *s, struct redis *redis)
{
    s->redis = redis;
    if (!list_empty(&s->changed))
        timer_start(s->loop, &s->timer, 0);
}

void subscriptions_end(struct subscriptions *s)
{
    struct list all;
    list_init(&all);
    list_splice(&all, &s->settled);
    list_splice(&all, &s->changed);
    while (!list_empty(&all)) {
        struct subscription *c = subscription_of(all.next);
        move(&s->changed, c);
        c->state = SUBSCRIPTION_NONE;
        c->told = false;
        if (!c->wanted)
            forget(s, c);
    }
    s->redis = NULL;
    s->under_way = 0;
    timer_stop(&s->timer);
}

void subscriptions_init(struct subscriptions *s, struct loop *loop, const struct broker_ops *ops,
                        void *owner)
{
    *s = (struct subscriptions){.loop = loop, .ops = ops, .owner = owner};
    list_init(&s->settled);
    list_init(&s->changed);
    timer_init(&s->timer, settle_changed);
}

void subscriptions_stop(struct subscriptions *s)
{
    s->redis = NULL;
    timer_stop(&s->timer);
}

void subscriptions_done(struct subscriptions *s)
{
    subscriptions_end(s);
    while (!list_empty(&s->changed))
        forget(s, subscription_of(s->changed.next));
    name_table_done(&s->table);
}
