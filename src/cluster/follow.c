/* SPDX-License-Identifier: MIT */
/* follow.c - topics that are followed at one broker, and when they are asked for. */
#include "base/hash.h"
#include "base/log.h"
#include "base/pack.h"
#include "cluster/outpost.h"
#include "cluster/scripts.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

/* No count of changes is ever that. */
#define CHANGES_UNKNOWN ((uint64_t)1 << 53)

enum {
    ASKED_MAX = 64,  /* topics at a time */
    AGAIN_MS = 1000, /* after an error */
    SOON_MS = 100,   /* while a fence stands */
    CATCH_UP_COUNT = 256,
    CATCH_UP_BYTES = 1 << 20
};

static struct followed *followed_of(struct name_entry *entry)
{
    return entry ? container_of(entry, struct followed, entry) : NULL;
}

struct followed *follow_find(struct outpost *o, struct hub_topic_key topic)
{
    return followed_of(name_table_find(&o->followed, topic.name, topic.hash));
}

struct hub_topic_key follow_key(const struct followed *f)
{
    return (struct hub_topic_key){f->entry.name, f->entry.hash};
}

void follow_each(struct outpost *o, void (*each)(struct followed *f))
{
    for (uint32_t i = 0; i < o->followed.bucket_count; i++)
        for (struct name_entry *e = o->followed.buckets[i]; e; e = e->next)
            each(followed_of(e));
}

static void set_state(struct followed *f, enum followed_state state)
{
    struct outpost *o = f->outpost;
    o->unheard += (state != FOLLOWED_HEARD) - (f->state != FOLLOWED_HEARD);
    f->state = state;
    list_remove(&f->node);
    if (state == FOLLOWED_QUEUED)
        list_append(&o->queued, &f->node);
}

/* ---- begun and ended ---- */

static struct slice channel_of(const struct followed *f, char room[KEY_MAX])
{
    return outpost_key(f->outpost, 'c', f->entry.name, room);
}

static void followed_free(struct followed *f)
{
    follow_drop_held(f);
    free(f);
}

static void end(struct followed *f)
{
    struct outpost *o = f->outpost;
    set_state(f, FOLLOWED_HEARD); /* nobody waits for it */
    name_table_remove(&o->followed, &f->entry);
    o->topics->counts.followed--;
    f->over = true;
    if (!f->calling && !f->entered)
        followed_free(f);
}

/* What the process before knew of the topic. */
static void unpack(struct followed *f, struct slice in);

void follow_begin(struct outpost *o, struct hub_topic_key topic, uint64_t follow,
                  struct slice packed, bool loaded)
{
    char channel[KEY_MAX];
    struct followed *f = log_needed(calloc(1, sizeof(*f) + topic.name.len));
    if (!f) {
        o->missed = true;
        return;
    }
    memcpy(f->name, topic.name.ptr, topic.name.len);
    f->entry = (struct name_entry){.hash = topic.hash, .name = slice_make(f->name, topic.name.len)};
    f->outpost = o;
    f->follow = follow;
    f->changes = CHANGES_UNKNOWN;
    f->loaded = loaded;
    f->says_who = f->showed = loaded;
    f->held_end = &f->held;
    list_init(&f->node);
    if (!name_table_add(&o->followed, &f->entry)) {
        o->missed = true;
        free(f);
        return;
    }
    unpack(f, packed);
    o->unheard++;
    o->topics->counts.followed++;
    if (!broker_subscribe(o->broker, channel_of(f, channel))) {
        end(f);
        o->missed = true;
    }
}

void follow_enter(struct followed *f)
{
    f->entered++;
}

void follow_exit(struct followed *f)
{
    f->entered--;
    if (f->over && !f->calling && !f->entered)
        followed_free(f);
}

void follow_end(struct outpost *o, struct hub_topic_key topic)
{
    char channel[KEY_MAX];
    struct followed *f = follow_find(o, topic);
    if (!f)
        return;
    broker_unsubscribe(o->broker, channel_of(f, channel));
    outpost_show_none(f);
    end(f);
    outpost_settle(o);
}

/* The link is gone, and with it all calls. */
void follow_end_all(struct outpost *o)
{
    timer_stop(&o->ask_timer);
    for (struct name_entry *e; (e = name_table_any(&o->followed));) {
        followed_of(e)->calling = false;
        end(followed_of(e));
    }
    name_table_done(&o->followed);
}

static void find_missed(void *arg, const struct hub_topic_state *state)
{
    struct outpost *o = arg;
    if (topics_outpost_for(o->topics, state->topic.name) == o && !follow_find(o, state->topic))
        follow_begin(o, state->topic, state->follow, SLICE_NONE, !state->loading);
}

void follow_retry(struct outpost *o)
{
    if (!o->missed)
        return;
    o->missed = false;
    hub_home_each_topic(o->topics->home, find_missed, o);
}

/* ---- asked ---- */

void follow_queue(struct followed *f)
{
    if (f->state != FOLLOWED_SUBSCRIBING)
        set_state(f, FOLLOWED_QUEUED);
}

static void ask(struct followed *f);

/* ---- replies ---- */

static void hear(struct followed *f)
{
    set_state(f, FOLLOWED_HEARD);
    follow_take_held(f);
    if (f->state != FOLLOWED_HEARD || f->over)
        return;
    if (f->says_who)
        outpost_show_all(f);
    outpost_settle(f->outpost);
}

static void on_ask_timer(struct timer *timer)
{
    follow_run(container_of(timer, struct outpost, ask_timer));
}

void follow_init(struct outpost *o)
{
    list_init(&o->queued);
    timer_init(&o->ask_timer, on_ask_timer);
}

/* With it all others that wait. */
static void ask_later(struct followed *f, uint64_t ms)
{
    timer_start(f->outpost->loop, &f->outpost->ask_timer, ms);
    follow_queue(f);
}

static void on_mended(struct broker_call *call, const struct redisReply *reply);

static void take_reply(struct followed *f, const struct redisReply *reply)
{
    uint64_t known;
    enum caught caught = catch_up(f, reply, &known);
    if (f->over)
        return;
    switch (caught) {
    case CAUGHT_UP:
        hear(f);
        return;
    case CAUGHT_A_PART:
        ask(f);
        return;
    case CAUGHT_BEHIND:
        set_state(f, FOLLOWED_MENDING);
        if (!follow_mend(f, known, on_mended))
            ask_later(f, AGAIN_MS);
        return;
    case CAUGHT_LATER:
        ask_later(f, SOON_MS);
        return;
    case CAUGHT_NOTHING:
        ask_later(f, AGAIN_MS);
        return;
    }
}

static void take_mended(struct followed *f, const struct redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        outpost_complain(f->outpost, "mend", slice_make(reply->str, reply->len));
        ask_later(f, AGAIN_MS);
    } else {
        follow_queue(f); /* asked once more, it is as the others have it */
    }
}

/* NULL: the link broke, and what it was asked is asked again. */
static void answered(struct broker_call *call, const struct redisReply *reply,
                     void (*take)(struct followed *f, const struct redisReply *reply))
{
    struct followed *f = container_of(call, struct followed, call);
    struct outpost *o = f->outpost;
    o->asked--;
    follow_enter(f);
    f->calling = false;
    if (reply && !f->over)
        take(f, reply);
    follow_exit(f);
    follow_run(o);
}

static void on_followed(struct broker_call *call, const struct redisReply *reply)
{
    answered(call, reply, take_reply);
}

static void on_mended(struct broker_call *call, const struct redisReply *reply)
{
    answered(call, reply, take_mended);
}

static void ask(struct followed *f)
{
    struct outpost *o = f->outpost;
    const struct cluster_topics_config *config = o->topics->config;
    char keys[3][KEY_MAX];
    const char *epoch = outpost_draw_epoch(o);
    if (!epoch) {
        ask_later(f, AGAIN_MS);
        return;
    }
    struct slice topic = f->entry.name;
    struct slice key[] = {outpost_key(o, 't', topic, keys[0]), outpost_key(o, 's', topic, keys[1]),
                          outpost_key(o, 'p', topic, keys[2])};
    bool known = f->epoch_len;
    struct words w = {0};
    words_add(&w, SLICE_LITERAL("follow"));
    words_add(&w, slice_of(config->name));
    words_add(&w, topic);
    words_add(&w, slice_make(f->epoch, f->epoch_len));
    words_add_number(&w, f->seq);
    words_add(&w, slice_make(f->ident, f->ident_len));
    words_add_number(&w, f->changes);
    words_add(&w, slice_make(epoch, EPOCH_LEN));
    words_add_number(&w, known ? CATCH_UP_COUNT : config->history_max ? config->history_max : 1);
    words_add_number(&w, known ? CATCH_UP_BYTES : config->history_bytes_max);
    words_add_number(&w, outpost_ttl_ms(o));
    set_state(f, FOLLOWED_ASKED);
    f->calling = true;
    f->call.on_reply = on_followed;
    o->asked++;
    broker_run(o->broker, &f->call, &broker_script_topics, key, 3, w.list, w.count);
}

void follow_run(struct outpost *o)
{
    if (!broker_is_up(o->broker) || timer_active(&o->ask_timer))
        return;
    while (o->asked < ASKED_MAX && !list_empty(&o->queued))
        ask(container_of(o->queued.next, struct followed, node));
}

/* ---- the link ---- */

static void doubt(struct followed *f)
{
    f->says_who = f->loaded;
    f->changes = CHANGES_UNKNOWN;
    if (f->state == FOLLOWED_HEARD)
        set_state(f, FOLLOWED_QUEUED);
    else
        follow_miss(f);
}

void follow_doubt(struct outpost *o)
{
    follow_each(o, doubt);
    follow_run(o);
}

static void ask_who(struct followed *f)
{
    if (f->state == FOLLOWED_HEARD && f->changes == CHANGES_UNKNOWN)
        set_state(f, FOLLOWED_QUEUED);
}

void follow_ask_who(struct outpost *o)
{
    follow_each(o, ask_who);
    follow_run(o);
}

static void forget(struct followed *f)
{
    set_state(f, FOLLOWED_SUBSCRIBING);
    f->says_who = f->loaded;
    f->changes = CHANGES_UNKNOWN; /* another instance counts others */
    follow_drop_held(f);
}

void follow_forget(struct outpost *o)
{
    timer_stop(&o->ask_timer);
    follow_each(o, forget);
}

void follow_subscribed(struct outpost *o, struct slice topic)
{
    struct followed *f = follow_find(o, (struct hub_topic_key){topic, hash_bytes(topic)});
    if (!f || f->state != FOLLOWED_SUBSCRIBING)
        return;
    set_state(f, FOLLOWED_QUEUED);
    follow_run(o);
}

/* ---- for the process that takes over ---- */

enum {
    EPOCH = 1,
    IDENT,
    SEQ,
};

void follow_pack(struct outpost *o, struct hub_topic_key topic, struct pack *p)
{
    const struct followed *f = follow_find(o, topic);
    if (!f)
        return;
    pack_slice(p, EPOCH, slice_make(f->epoch, f->epoch_len));
    pack_slice(p, IDENT, slice_make(f->ident, f->ident_len));
    pack_number(p, SEQ, f->seq);
}

static void unpack(struct followed *f, struct slice in)
{
    struct slice epoch = packed_slice(in, EPOCH), ident = packed_slice(in, IDENT);
    f->seq = packed_number(in, SEQ);
    if (epoch.len == EPOCH_LEN) {
        f->epoch_len = EPOCH_LEN;
        memcpy(f->epoch, epoch.ptr, EPOCH_LEN);
    }
    if (ident.len && ident.len <= IDENT_MAX) {
        f->ident_len = (uint8_t)ident.len;
        memcpy(f->ident, ident.ptr, ident.len);
    }
}
