/* SPDX-License-Identifier: MIT */
#include "cluster/outpost.h"

#include "base/base64url.h"
#include "base/log.h"
#include "base/pack.h"
#include "cluster/scripts.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BURIED_AT_ONCE = 50, /* topics */
    LINGER_LEAST_MS = 60000
};

/* ---- words ---- */

void words_add_number(struct words *w, uint64_t number)
{
    words_add(w, digits_of(number, w->text[w->texts++]));
}

static struct slice cluster_name(const struct outpost *o)
{
    return slice_of(o->topics->config->name);
}

struct slice outpost_key(const struct outpost *o, char kind, struct slice rest, char room[KEY_MAX])
{
    char *at = room, mark[] = {':', kind, ':'};
    assert(cluster_name(o).len + sizeof(mark) + rest.len <= KEY_MAX);
    slice_copy(&at, cluster_name(o));
    slice_copy(&at, slice_make(mark, sizeof(mark)));
    slice_copy(&at, rest);
    return slice_make(room, (size_t)(at - room));
}

struct slice outpost_id(const struct outpost *o)
{
    return slice_of(o->id);
}

const char *outpost_draw_epoch(struct outpost *o)
{
    if (!o->epochs_left) {
        if (base64url_draw(o->epochs, sizeof(o->epochs)) < 0)
            return NULL;
        o->epochs_left = EPOCHS_DRAWN;
    }
    return o->epochs + --o->epochs_left * EPOCH_LEN;
}

uint64_t outpost_ttl_ms(const struct outpost *o)
{
    uint32_t linger = o->topics->config->linger_ms;
    return linger > LINGER_LEAST_MS ? linger : LINGER_LEAST_MS;
}

struct slice outpost_topic_of(const struct outpost *o, struct slice channel)
{
    struct slice name = cluster_name(o);
    if (!slice_starts_with(channel, name) || channel.len < name.len + 3)
        return SLICE_NONE;
    struct slice rest = slice_skip(channel, name.len);
    return slice_starts_with(rest, SLICE_LITERAL(":c:")) ? slice_skip(rest, 3) : SLICE_NONE;
}

void outpost_complain(struct outpost *o, const char *what, struct slice error)
{
    char text[256];
    int len = snprintf(text, sizeof(text), "%s: %.*s", what, SLICE_ARG(slice_first(error, 200)));
    o->topics->counts.refused++;
    sends_complain(&o->complaints, o->broker, slice_make(text, (size_t)len));
}

static void run(struct outpost *o, struct broker_call *call, const struct words *w)
{
    broker_run(o->broker, call, &broker_script_topics, NULL, 0, w->list, w->count);
}

static struct words words_begin(const struct outpost *o, struct slice operation)
{
    struct words w = {0};
    words_add(&w, operation);
    words_add(&w, cluster_name(o));
    return w;
}

/* NULL: the link broke. */
static bool is_good(struct outpost *o, const char *what, const struct redisReply *reply, int type)
{
    if (!reply || reply->type == type)
        return reply;
    outpost_complain(o, what,
                     reply->type == REDIS_REPLY_ERROR ? slice_make(reply->str, reply->len)
                                                      : SLICE_LITERAL("an answer of another form"));
    return false;
}

/* ---- the fence ---- */

static void on_synced(struct broker_call *call, const struct redisReply *reply)
{
    struct outpost *o = container_of(call, struct outpost, sync);
    o->synced = is_good(o, "synced", reply, REDIS_REPLY_INTEGER);
}

void outpost_settle(struct outpost *o)
{
    if (o->synced || o->unheard || o->state != OUTPOST_THERE)
        return;
    struct words w = words_begin(o, SLICE_LITERAL("synced"));
    words_add(&w, outpost_id(o));
    o->synced = true;
    run(o, &o->sync, &w);
}

static void arrive(struct outpost *o)
{
    o->state = OUTPOST_THERE;
    publications_run(o);
    outpost_settle(o);
}

static void on_hello(struct broker_call *call, const struct redisReply *reply)
{
    struct outpost *o = container_of(call, struct outpost, hello);
    if (!is_good(o, "hello", reply, REDIS_REPLY_ARRAY) || reply->elements != 2 ||
        reply->element[1]->len != EPOCH_LEN)
        return;
    memcpy(o->memory, reply->element[1]->str, EPOCH_LEN);
    arrive(o);
}

static void greet(struct outpost *o)
{
    struct words w = words_begin(o, SLICE_LITERAL("hello"));
    char memory[EPOCH_LEN];
    if (base64url_draw(memory, sizeof(memory)) < 0)
        memcpy(memory, o->id, sizeof(memory)); /* it need only be another one than before */
    words_add(&w, outpost_id(o));
    words_add(&w, broker_run_id(o->broker));
    words_add_number(&w, FENCE_MS);
    words_add(&w, slice_make(memory, sizeof(memory)));
    o->state = OUTPOST_GREETING;
    run(o, &o->hello, &w);
}

void outpost_emptied(struct outpost *o)
{
    if (o->state != OUTPOST_THERE)
        return;
    log_warn("broker.emptied", log_slice("broker", broker_name(o->broker)));
    o->synced = false;
    greet(o);
    follow_doubt(o);
}

/* ---- signs of life ---- */

static void bury(struct outpost *o, struct slice dead);

static void on_buried(struct broker_call *call, const struct redisReply *reply)
{
    struct outpost *o = container_of(call, struct outpost, bury);
    o->burying = false;
    is_good(o, "bury", reply, REDIS_REPLY_INTEGER); /* what is left follows with the next beat */
}

static void bury(struct outpost *o, struct slice dead)
{
    struct words w = words_begin(o, SLICE_LITERAL("bury"));
    words_add(&w, dead);
    words_add_number(&w, BURIED_AT_ONCE);
    words_add_number(&w, OUTPOST_TTL_MS);
    o->burying = true;
    run(o, &o->bury, &w);
}

/* Of all who see the dead one, each takes a part. */
static void bury_one_of(struct outpost *o, const struct redisReply *dead)
{
    if (o->burying || dead->type != REDIS_REPLY_ARRAY || dead->elements == 0)
        return;
    const struct redisReply *one = dead->element[(size_t)loop_now_ms(o->loop) % dead->elements];
    if (one->type == REDIS_REPLY_STRING && one->len <= OUTPOST_MAX)
        bury(o, slice_make(one->str, one->len));
}

static void on_beat(struct broker_call *call, const struct redisReply *reply)
{
    struct outpost *o = container_of(call, struct outpost, beat);
    o->beating = false;
    if (!is_good(o, "beat", reply, REDIS_REPLY_ARRAY) || reply->elements != 3)
        return;
    if (reply->element[0]->integer == 1)
        outpost_say_who(o);
    bury_one_of(o, reply->element[1]);
    const struct redisReply *memory = reply->element[2];
    if (memory->type == REDIS_REPLY_STRING &&
        !slice_equal(slice_make(memory->str, memory->len), slice_make(o->memory, EPOCH_LEN)))
        outpost_emptied(o);
}

static void beat(struct outpost *o)
{
    if (o->state == OUTPOST_AWAY || o->beating)
        return;
    struct words w = words_begin(o, SLICE_LITERAL("beat"));
    words_add(&w, outpost_id(o));
    words_add_number(&w, OUTPOST_TTL_MS);
    o->beating = true;
    run(o, &o->beat, &w);
}

static void on_beat_timer(struct timer *timer)
{
    struct outpost *o = container_of(timer, struct outpost, beat_timer);
    uint64_t now = loop_now_ms(o->loop);
    timer_start(o->loop, timer, OUTPOST_BEAT_MS);
    beat(o);
    follow_retry(o);
    follow_run(o);
    if (o->says_who)
        outpost_say_who(o);
    if (o->who_later && o->state == OUTPOST_THERE) {
        o->who_later = false;
        follow_ask_who(o);
    }
    if (o->state != OUTPOST_THERE || now - o->touched_ms < outpost_ttl_ms(o) / 3)
        return;
    o->touched_ms = now;
    outpost_touch(o);
}

/* ---- from the link ---- */

static void on_up(void *owner)
{
    struct outpost *o = owner;
    o->synced = false;
    o->topics->counts.links++;
    greet(o);
    beat(o);
}

static void on_down(void *owner)
{
    struct outpost *o = owner;
    o->state = OUTPOST_AWAY;
    o->synced = false;
    o->topics->counts.links--;
    o->topics->counts.links_broken++;
    publications_hold(o);
    follow_forget(o);
}

static void on_message(void *owner, struct slice channel, struct slice payload)
{
    struct outpost *o = owner;
    struct slice topic = outpost_topic_of(o, channel);
    o->topics->counts.announced++;
    if (topic.len)
        follow_announced(o, topic, payload);
}

static void on_subscribed(void *owner, struct slice channel)
{
    struct outpost *o = owner;
    struct slice topic = outpost_topic_of(o, channel);
    if (topic.len)
        follow_subscribed(o, topic);
}

static const struct broker_ops broker_ops = {on_up, on_down, on_message, on_subscribed};

bool outpost_init(struct outpost *o, struct cluster_topics *topics,
                  const struct broker_config *broker, const char *id)
{
    *o = (struct outpost){.topics = topics, .loop = topics->loop};
    snprintf(o->id, sizeof(o->id), "%s", id);
    follow_init(o);
    list_init(&o->errands);
    sends_init(&o->complaints, o->loop);
    publications_init(o);
    timer_init(&o->beat_timer, on_beat_timer);
    o->hello.on_reply = on_hello;
    o->beat.on_reply = on_beat;
    o->bury.on_reply = on_buried;
    o->sync.on_reply = on_synced;
    o->touched_ms = loop_now_ms(o->loop);
    o->broker = broker_new(o->loop, broker, &broker_ops, o);
    if (!o->broker)
        return false;
    timer_start(o->loop, &o->beat_timer, OUTPOST_BEAT_MS);
    return true;
}

void outpost_done(struct outpost *o)
{
    timer_stop(&o->beat_timer);
    broker_free(o->broker);
    outpost_drop_errands(o);
    publications_drop(o);
    follow_end_all(o);
}

/* ---- for the process that takes over ---- */

enum {
    PUBLICATIONS = 1,
};

void outpost_pack(const struct outpost *o, struct pack *p)
{
    size_t field = pack_begin(p, PUBLICATIONS);
    publications_pack(o, p);
    pack_end(p, field);
}

void outpost_unpack(struct outpost *o, struct slice in)
{
    publications_unpack(o, packed_slice(in, PUBLICATIONS));
}
