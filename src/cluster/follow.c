/* SPDX-License-Identifier: MIT */
/* follow.c - topics that are followed at one broker: loaded for the home, and caught up. */
#include "base/base64url.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/pack.h"
#include "cluster/outpost.h"
#include "cluster/scripts.h"
#include "hub/past.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

/* No count of changes is ever that. */
#define CHANGES_UNKNOWN ((uint64_t)1 << 53)

enum {
    ASKED_MAX = 64,  /* topics at a time */
    AGAIN_MS = 1000, /* after an error */
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
    broker_subscribe(o->broker, channel_of(f, channel));
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

void follow_event_known(struct followed *f, const struct announcement *a)
{
    f->seq = a->seq;
    f->ident_len = (uint8_t)a->ident.len;
    memcpy(f->ident, a->ident.ptr, a->ident.len);
}

static void lose(struct followed *f, uint64_t count, uint64_t seq)
{
    f->outpost->topics->counts.lost += count;
    if (count)
        log_warn("topic.missed", log_slice("topic", f->entry.name), log_int("events", count),
                 log_int("before", seq + 1), log_slice("broker", broker_name(f->outpost->broker)));
    f->seq = seq;
    f->ident_len = 0;
    hub_home_lost(f->outpost->topics->home, follow_key(f), count, seq);
}

/* An event that the stream had. */
static void take_event(struct followed *f, const struct announcement *a)
{
    struct hub_event_spec spec;
    if (a->seq <= f->seq)
        return;
    if (a->seq > f->seq + 1)
        lose(f, a->seq - f->seq - 1, a->seq - 1);
    follow_spec(a, &spec);
    hub_home_event(f->outpost->topics->home, follow_key(f), &spec, NULL);
    follow_event_known(f, a);
    f->outpost->topics->counts.caught_up++;
}

struct answer {
    struct slice status, epoch, kept;
    uint64_t seq, changes;
    const struct redisReply *events, *who; /* who: NULL: as it was */
};

static struct slice string_of(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? slice_make(reply->str, reply->len) : SLICE_NONE;
}

static bool read_answer(const struct redisReply *reply, struct answer *ret)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 7)
        return false;
    struct redisReply **e = reply->element;
    *ret = (struct answer){
        .status = string_of(e[0]),
        .epoch = string_of(e[1]),
        .kept = string_of(e[3]),
        .seq = (uint64_t)e[2]->integer,
        .changes = (uint64_t)e[4]->integer,
        .events = e[5],
        .who = e[6]->type == REDIS_REPLY_ARRAY ? e[6] : NULL,
    };
    return ret->status.len && ret->epoch.len == EPOCH_LEN && e[2]->type == REDIS_REPLY_INTEGER &&
           e[4]->type == REDIS_REPLY_INTEGER && e[5]->type == REDIS_REPLY_ARRAY;
}

static bool is(const struct answer *a, const char *status)
{
    return slice_equal(a->status, slice_of(status));
}

static bool read_event(const struct redisReply *reply, struct announcement *ret)
{
    struct slice text = string_of(reply);
    return text.len && announcement_parse(text, ret) && ret->kind == ANNOUNCED_EVENT;
}

/* ---- who is there ---- */

/* Those of other outposts; on the heap. False without memory. */
static bool read_members(struct followed *f, const struct redisReply *who, struct hub_member **ret,
                         size_t *ret_count)
{
    struct hub_member *members = log_needed(calloc(who->elements / 2 + 1, sizeof(*members)));
    size_t count = 0;
    if (!members)
        return false;
    for (size_t i = 0; i + 1 < who->elements; i += 2) {
        struct slice id = string_of(who->element[i]), value = string_of(who->element[i + 1]);
        size_t space = slice_find(value, ' ');
        struct slice outpost = slice_first(value, space);
        if (id.len != HUB_ID_LEN || space == value.len ||
            slice_equal(outpost, outpost_id(f->outpost)))
            continue;
        members[count] = (struct hub_member){.owner = outpost_owner(f->outpost, outpost),
                                             .data = slice_skip(value, space + 1)};
        memcpy(members[count++].id, id.ptr, HUB_ID_LEN);
    }
    *ret = members;
    *ret_count = count;
    return true;
}

static bool take_who(struct followed *f, const struct answer *a)
{
    struct hub_member *members;
    size_t count;
    if (!a->who)
        return true;
    if (!read_members(f, a->who, &members, &count))
        return false;
    f->changes = a->changes;
    hub_home_present_all(f->outpost->topics->home, follow_key(f), members, count);
    free(members);
    return true;
}

/* ---- loaded ---- */

static void set_epoch(struct followed *f, struct slice epoch)
{
    f->epoch_len = EPOCH_LEN;
    memcpy(f->epoch, epoch.ptr, EPOCH_LEN);
}

/* The specs of the events, on the heap. Those before a gap are left out. */
static struct hub_event_spec *read_events(struct followed *f, const struct answer *a,
                                          size_t *ret_count)
{
    struct hub_event_spec *specs = log_needed(calloc(a->events->elements + 1, sizeof(*specs)));
    size_t count = 0;
    for (size_t i = 0; specs && i < a->events->elements; i++) {
        struct announcement event;
        if (!read_event(a->events->element[i], &event))
            continue;
        if (count && event.seq != specs[count - 1].seq + 1)
            count = 0;
        follow_spec(&event, &specs[count++]);
        follow_event_known(f, &event);
    }
    if (specs && count && specs[count - 1].seq != a->seq)
        count = 0;
    *ret_count = count;
    return specs;
}

static bool load(struct followed *f, const struct answer *a)
{
    struct hub_loaded loaded = {.seq = a->seq};
    struct hub_member *members = NULL;
    struct hub_event_spec kept, *events = read_events(f, a, &loaded.event_count);
    struct announcement kept_event;
    bool good = events && (!a->who || read_members(f, a->who, &members, &loaded.present_count));
    if (good) {
        f->seq = a->seq;
        f->changes = a->changes;
        f->loaded = true;
        set_epoch(f, a->epoch);
        loaded.events = events;
        loaded.present = members;
        if (a->kept.len && announcement_parse(a->kept, &kept_event)) {
            follow_spec(&kept_event, &kept);
            loaded.kept = &kept;
        }
        hub_home_loaded(f->outpost->topics->home, follow_key(f), f->follow, &loaded);
    }
    free(events);
    free(members);
    return good;
}

/* ---- caught up ---- */

/* How many of the broker's events up to our newest one are others than we know. */
static uint64_t count_others(struct followed *f, const struct answer *a)
{
    struct hub_topic_state state;
    uint64_t others = 0;
    if (!hub_home_state(f->outpost->topics->home, follow_key(f), &state))
        return 0;
    for (size_t i = 0; i < a->events->elements; i++) {
        struct announcement event;
        if (!read_event(a->events->element[i], &event) || event.seq > f->seq)
            continue;
        const struct hub_event *ours = state.past->first;
        while (ours && ours->seq != event.seq)
            ours = ours->next;
        others += !ours || !slice_equal(hub_event_ident(ours), event.ident);
    }
    return others;
}

/* From here on we are of the broker's branch. */
static void take_fork(struct followed *f, const struct answer *a)
{
    lose(f, count_others(f, a), f->seq);
    for (size_t i = 0; i < a->events->elements; i++) {
        struct announcement event;
        if (read_event(a->events->element[i], &event) && event.seq == f->seq)
            follow_event_known(f, &event);
    }
}

static void begin_anew(struct followed *f, const struct answer *a)
{
    struct announcement first;
    bool known = f->epoch_len; /* else the topic was numbered here before */
    uint64_t has = a->seq;
    if (a->events->elements && read_event(a->events->element[0], &first))
        has = first.seq - 1;
    set_epoch(f, a->epoch);
    lose(f, !known ? 0 : has ? has : 1, has); /* what was before it is known to nobody */
}

static void keep(struct followed *f, const struct answer *a)
{
    struct announcement event;
    struct hub_event_spec spec;
    bool is_kept = a->kept.len && announcement_parse(a->kept, &event);
    if (is_kept)
        follow_spec(&event, &spec);
    hub_home_keep(f->outpost->topics->home, follow_key(f), is_kept ? &spec : NULL);
}

static void catch_up(struct followed *f, const struct answer *a)
{
    uint64_t lost_before = f->outpost->topics->counts.lost;
    bool anew = is(a, "other") || is(a, "first");
    if (anew)
        begin_anew(f, a);
    else if (is(a, "forked"))
        take_fork(f, a);
    for (size_t i = 0; i < a->events->elements; i++) {
        struct announcement event;
        if (read_event(a->events->element[i], &event))
            take_event(f, &event);
    }
    if (is(a, "ok") && a->seq > f->seq)
        lose(f, a->seq - f->seq, a->seq);
    if (anew || is(a, "forked") || f->outpost->topics->counts.lost != lost_before)
        keep(f, a);
}

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

static void ask_later(struct followed *f)
{
    f->outpost->ask_ms = loop_now_ms(f->outpost->loop) + AGAIN_MS;
    follow_queue(f);
}

static void on_mended(struct broker_call *call, const struct redisReply *reply);

static void take(struct followed *f, const struct answer *a)
{
    if (is(a, "behind")) {
        set_state(f, FOLLOWED_MENDING);
        if (!follow_mend(f, a->seq, on_mended))
            ask_later(f);
        return;
    }
    bool good = true;
    if (!f->loaded) {
        good = load(f, a);
    } else {
        catch_up(f, a);
        good = take_who(f, a);
    }
    if (f->over)
        return;
    if (!good)
        ask_later(f);
    else if (is(a, "more") || is(a, "forked") || is(a, "other"))
        ask(f);
    else
        hear(f);
}

static void take_reply(struct followed *f, const struct redisReply *reply)
{
    struct answer a;
    if (reply->type != REDIS_REPLY_ERROR && read_answer(reply, &a)) {
        take(f, &a);
        return;
    }
    outpost_complain(f->outpost, "follow",
                     reply->type == REDIS_REPLY_ERROR ? slice_make(reply->str, reply->len)
                                                      : SLICE_LITERAL("an answer of another form"));
    ask_later(f);
}

static void on_followed(struct broker_call *call, const struct redisReply *reply)
{
    struct followed *f = container_of(call, struct followed, call);
    struct outpost *o = f->outpost;
    o->asked--;
    follow_enter(f);
    f->calling = false;
    if (reply && !f->over)
        take_reply(f, reply);
    follow_exit(f);
    follow_run(o);
}

static void take_mended(struct followed *f, const struct redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        outpost_complain(f->outpost, "mend", slice_make(reply->str, reply->len));
        ask_later(f);
    } else {
        follow_queue(f); /* asked once more, it is as the others have it */
    }
}

static void on_mended(struct broker_call *call, const struct redisReply *reply)
{
    struct followed *f = container_of(call, struct followed, call);
    struct outpost *o = f->outpost;
    o->asked--;
    follow_enter(f);
    f->calling = false;
    if (reply && !f->over)
        take_mended(f, reply);
    follow_exit(f);
    follow_run(o);
}

static void ask(struct followed *f)
{
    struct outpost *o = f->outpost;
    const struct cluster_topics_config *config = o->topics->config;
    char keys[3][KEY_MAX], epoch[EPOCH_LEN];
    if (base64url_draw(epoch, sizeof(epoch)) < 0) {
        ask_later(f);
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
    if (!broker_is_up(o->broker) || loop_now_ms(o->loop) < o->ask_ms)
        return;
    while (o->asked < ASKED_MAX && !list_empty(&o->queued))
        ask(container_of(o->queued.next, struct followed, node));
}

/* ---- the link ---- */

static void forget(struct followed *f)
{
    set_state(f, FOLLOWED_SUBSCRIBING);
    f->says_who = f->loaded;
    f->changes = CHANGES_UNKNOWN; /* another instance counts others */
    follow_drop_held(f);
}

void follow_forget(struct outpost *o)
{
    o->ask_ms = 0;
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
    if (epoch.len == EPOCH_LEN)
        set_epoch(f, epoch);
    if (ident.len && ident.len <= IDENT_MAX) {
        f->ident_len = (uint8_t)ident.len;
        memcpy(f->ident, ident.ptr, ident.len);
    }
}
