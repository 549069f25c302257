/* SPDX-License-Identifier: MIT */
/* home_pack.c - the topics of a home, for the process that takes over. */
#include "base/hash.h"
#include "base/pack.h"
#include "hub/topic.h"

enum {
    TOPIC = 1,
    NAME = 1,
    SEQ,
    IDLE_SINCE_MS,
    EVENT, /* the oldest first */
    KEPT,
    PRESENCE,
    UPSTREAM, /* the upstream's own */
    LOADING,  /* nothing is known of it but who is there of this server */
};

static void pack_event(const struct hub_event *event, uint32_t tag, struct pack *p)
{
    size_t field = pack_begin(p, tag);
    hub_event_pack(event, p);
    pack_end(p, field);
}

static void pack_topic(const struct hub_home *home, const struct topic *t, struct pack *p)
{
    struct hub_upstream *u = t->distant && !t->loading ? home->upstream : NULL;
    pack_slice(p, NAME, t->entry.name);
    pack_number(p, SEQ, t->seq);
    pack_number(p, IDLE_SINCE_MS, t->idle_since_ms);
    for (const struct hub_event *event = t->past.first; event; event = event->next)
        pack_event(event, EVENT, p);
    if (t->past.kept)
        pack_event(t->past.kept, KEPT, p);
    size_t presence = pack_begin(p, PRESENCE);
    presence_pack(&t->presence, p);
    pack_end(p, presence);
    pack_number(p, LOADING, t->loading);
    if (!u || !u->ops->pack)
        return;
    size_t upstream = pack_begin(p, UPSTREAM);
    u->ops->pack(u, topic_key(t), p);
    pack_end(p, upstream);
}

void hub_home_pack(const struct hub_home *home, struct pack *p)
{
    for (uint32_t i = 0; i < home->topics.bucket_count; i++) {
        for (struct name_entry *e = home->topics.buckets[i]; e; e = e->next) {
            if (topic_of(e)->loading && !topic_of(e)->subscribers)
                continue; /* whoever waits for it asks again */
            size_t field = pack_begin(p, TOPIC);
            pack_topic(home, topic_of(e), p);
            pack_end(p, field);
        }
    }
}

static void unpack_past(struct hub_home *home, struct topic *t, struct slice in)
{
    struct slice packed = packed_slice(in, KEPT);
    struct hub_event *kept = packed.len ? hub_event_unpack(packed, t->entry.hash) : NULL;
    for (struct packed field; packed_next(&in, &field);) {
        struct hub_event *event =
            field.tag == EVENT ? hub_event_unpack(field.value, t->entry.hash) : NULL;
        if (event)
            topic_remember(home, t, event, TOPIC_KEEP_AS_IT_IS);
        hub_event_unref(event);
    }
    topic_keep_event(home, t, kept);
    hub_event_unref(kept);
}

/* The upstream goes on with the topic, or loads it, as far as it knows of it. */
static void resume(struct hub_home *home, struct topic *t, bool loaded, struct slice packed)
{
    struct hub_upstream *u = home->upstream;
    if (!loaded || !u->ops->resume) {
        topic_follow(home, t);
        return;
    }
    t->follow = ++home->follows;
    u->ops->resume(u, topic_key(t), t->follow, packed);
}

static void unpack_topic(struct hub_home *home, struct slice in)
{
    struct slice name = packed_slice(in, NAME);
    struct topic *t = topic_make_again(home, name, hash_bytes(name));
    if (!t)
        return;
    t->seq = packed_number(in, SEQ);
    t->idle_since_ms = packed_number(in, IDLE_SINCE_MS);
    unpack_past(home, t, in);
    if (presence_unpack(&t->presence, packed_slice(in, PRESENCE), !t->distant))
        changes_note(home, t, PRESENCE_CHANGED);
    if (t->distant)
        resume(home, t, !packed_number(in, LOADING), packed_slice(in, UPSTREAM));
}

void hub_home_unpack(struct hub_home *home, struct slice in)
{
    for (struct packed field; packed_next(&in, &field);)
        if (field.tag == TOPIC)
            unpack_topic(home, field.value);
}

bool hub_home_count(struct hub_home *home, uint16_t worker, struct slice name, uint64_t hash,
                    bool watches)
{
    struct topic *t = topic_make_again(home, name, hash);
    if (!t)
        return false;
    if (t->distant && !t->follow)
        topic_follow(home, t);
    t->audience[worker].subscribers++;
    t->audience[worker].watchers += watches;
    t->subscribers++;
    return true;
}

/* The next one of the table is found before a topic is forgotten. */
void hub_home_go_on(struct hub_home *home)
{
    for (uint32_t i = 0; i < home->topics.bucket_count; i++) {
        for (struct name_entry *e = home->topics.buckets[i], *next; e; e = next) {
            struct topic *t = topic_of(e);
            uint64_t since = t->idle_since_ms;
            next = e->next;
            topic_settle_since(home, t, since ? since : loop_now_ms(home->hub->loop));
        }
    }
}
