/* SPDX-License-Identifier: MIT */
/* announced.c - what is announced in the channel of a topic that is followed.
 *
 * Announcements come on another connection than the answers to calls. Those that come while the
 * topic is being asked for are held back until the answer is there.
 */
#include "base/hash.h"
#include "base/log.h"
#include "cluster/outpost.h"

#include <stdlib.h>

enum {
    HELD_MAX = 1 << 20 /* bytes of one topic; beyond, the topic is asked for once more */
};

struct held {
    struct held *next;
    size_t len;
    char text[];
};

void follow_spec(const struct announcement *a, struct hub_event_spec *ret)
{
    *ret = (struct hub_event_spec){
        .kind = HUB_PUBLISHED,
        .seq = a->seq,
        .time_ms = a->time_ms,
        .from = a->from.ptr,
        .name = a->name,
        .data = a->data,
        .ident = a->ident,
        .keep = a->keep,
    };
}

/* A broker judges alone who is dead. */
uint64_t outpost_owner(const struct outpost *o, struct slice outpost)
{
    uint64_t owner = hash_bytes(outpost) + (uint64_t)(o - o->topics->outposts);
    return owner ? owner : 1;
}

/* ---- held back ---- */

void follow_drop_held(struct followed *f)
{
    for (struct held *next; f->held; f->held = next) {
        next = f->held->next;
        free(f->held);
    }
    f->held_end = &f->held;
    f->held_bytes = 0;
}

/* `held_bytes` says that something is missing. */
void follow_miss(struct followed *f)
{
    follow_drop_held(f);
    f->held_bytes = HELD_MAX;
}

static void hold_back(struct followed *f, struct slice message)
{
    size_t bytes = f->held_bytes + sizeof(struct held) + message.len;
    struct held *h = bytes > HELD_MAX ? NULL : log_needed(malloc(sizeof(*h) + message.len));
    if (!h) {
        follow_miss(f);
        return;
    }
    h->next = NULL;
    h->len = message.len;
    memcpy(h->text, message.ptr, message.len);
    *f->held_end = h;
    f->held_end = &h->next;
    f->held_bytes = bytes;
}

/* ---- taken ---- */

static void take_event(struct followed *f, const struct announcement *a)
{
    struct hub_event_spec spec;
    struct slice epoch = slice_make(f->epoch, f->epoch_len);
    if (!slice_equal(a->epoch, epoch)) {
        follow_queue(f);
        return;
    }
    follow_spec(a, &spec);
    switch (hub_home_event(f->outpost->topics->home, follow_key(f), &spec, NULL)) {
    case HUB_TAKEN:
        follow_event_known(f, a);
        return;
    case HUB_GAP:
        follow_queue(f);
        return;
    case HUB_OLD:
    case HUB_LOADING:
    case HUB_UNKNOWN:
        return;
    }
}

static void take_presence(struct followed *f, const struct announcement *a)
{
    struct outpost *o = f->outpost;
    if (a->changes <= f->changes)
        return;
    if (a->changes != f->changes + 1) {
        follow_queue(f);
        return;
    }
    f->changes = a->changes;
    uint64_t owner = outpost_owner(o, a->outpost);
    if (slice_equal(a->outpost, outpost_id(o))) {
        f->says_who |= a->kind == ANNOUNCED_GONE; /* we were taken for dead */
        return;
    }
    if (a->kind == ANNOUNCED_GONE) {
        hub_home_owner_left(o->topics->home, follow_key(f), owner);
        return;
    }
    struct hub_member member = {.owner = owner, .data = a->data.len ? a->data : SLICE_NONE};
    memcpy(member.id, a->client.ptr, HUB_ID_LEN);
    hub_home_present(o->topics->home, follow_key(f), &member);
}

static void take(struct followed *f, struct slice message)
{
    struct announcement a;
    if (!announcement_parse(message, &a))
        return;
    if (a.kind == ANNOUNCED_EVENT)
        take_event(f, &a);
    else
        take_presence(f, &a);
}

void follow_take_held(struct followed *f)
{
    struct held *all = f->held;
    bool missing = !all && f->held_bytes;
    f->held = NULL;
    follow_drop_held(f);
    follow_enter(f);
    for (struct held *next; all; all = next) {
        next = all->next;
        if (!f->over && f->state == FOLLOWED_HEARD)
            take(f, slice_make(all->text, all->len));
        free(all);
    }
    if (missing && !f->over)
        follow_queue(f);
    follow_exit(f);
}

void follow_announced(struct outpost *o, struct slice topic, struct slice message)
{
    struct followed *f = follow_find(o, (struct hub_topic_key){topic, hash_bytes(topic)});
    if (!f)
        return;
    if (f->state != FOLLOWED_HEARD) {
        hold_back(f, message);
        return;
    }
    follow_enter(f);
    take(f, message);
    follow_exit(f);
    follow_run(o);
}
