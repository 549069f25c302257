/* SPDX-License-Identifier: MIT */
/* catch_up.c - what a broker answers of a topic: loaded for the home, or what it had missed. */
#include "base/log.h"
#include "cluster/outpost.h"
#include "hub/past.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

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
    if (!a->who) {
        f->outpost->who_later |= a->changes == UINT64_MAX;
        return true;
    }
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

/* Of the events before it, those that we had not heard are known to nobody: at least one is told,
 * as a sign that the numbers begin anew. Of a topic that was numbered here before nothing is told.
 */
static void begin_anew(struct followed *f, const struct answer *a)
{
    struct announcement first;
    bool was_here = !f->epoch_len;
    uint64_t gone = a->seq; /* of the new ones, what the stream has no more */
    if (a->events->elements && read_event(a->events->element[0], &first))
        gone = first.seq - 1;
    set_epoch(f, a->epoch);
    lose(f, was_here ? 0 : gone || !f->seq ? gone : 1, gone);
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

static void take_missed(struct followed *f, const struct answer *a)
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

/* ---- from outside ---- */

static enum caught take(struct followed *f, const struct answer *a)
{
    bool good = true;
    if (!f->loaded) {
        good = load(f, a);
    } else {
        take_missed(f, a);
        good = take_who(f, a);
    }
    if (!good)
        return CAUGHT_NOTHING;
    return is(a, "more") || is(a, "forked") || is(a, "other") ? CAUGHT_A_PART : CAUGHT_UP;
}

enum caught catch_up(struct followed *f, const struct redisReply *reply, uint64_t *ret_seq)
{
    struct answer a;
    if (reply->type == REDIS_REPLY_ERROR || !read_answer(reply, &a)) {
        outpost_complain(f->outpost, "follow",
                         reply->type == REDIS_REPLY_ERROR
                             ? slice_make(reply->str, reply->len)
                             : SLICE_LITERAL("an answer of another form"));
        return CAUGHT_NOTHING;
    }
    if (is(&a, "later"))
        return CAUGHT_LATER;
    if (!is(&a, "behind"))
        return take(f, &a);
    *ret_seq = a.seq;
    return CAUGHT_BEHIND;
}
