/* SPDX-License-Identifier: MIT */
/* pack.c - clients with their subscriptions, for the process that takes over. */
#include "hub/client.h"
#include "hub/threads.h"

#include "base/hash.h"
#include "base/pack.h"

#include <stdlib.h>

enum {
    ID = 1,
    CONNECTED,
    SHOWN,
    GRACE_MS,
    SUBSCRIPTION,
    WISH, /* a subscription whose join has no answer yet: it is asked for again */
    /* of a subscription */
    TOPIC = 1,
    WATCH,
    WITHOUT_SELF,
    TO_PAGE,
    IS_SHOWN,
    LOSING,
    STALE,
    LOST,
    PRESENCE,
    HISTORY, /* these two of a wish */
    LAST,
};

static void pack_subscription(const struct subscription *s, struct pack *p)
{
    pack_slice(p, TOPIC, s->topic->entry.name);
    pack_number(p, WATCH, s->watch);
    pack_number(p, WITHOUT_SELF, s->without_self);
    pack_number(p, TO_PAGE, s->to_page);
    pack_number(p, IS_SHOWN, s->shown);
    pack_number(p, LOSING, s->losing);
    pack_number(p, STALE, s->stale);
    pack_number(p, LOST, s->lost);
    if (s->presence)
        pack_slice(p, PRESENCE, slice_make(s->presence, s->presence_len));
    if (s->active || !s->join)
        return;
    pack_number(p, HISTORY, s->join->history);
    pack_number(p, LAST, s->join->last);
}

void hub_client_pack(const struct hub_client *c, struct pack *p)
{
    pack_slice(p, ID, slice_make(c->id, HUB_ID_LEN));
    pack_number(p, CONNECTED, c->connected);
    pack_number(p, SHOWN, c->shown);
    pack_number(p, GRACE_MS, timer_due_ms(&c->grace_timer));
    const struct list *all = &c->subscriptions;
    for (struct list *node = all->next; node != all; node = node->next) {
        size_t field = pack_begin(p, subscription_of(node)->active ? SUBSCRIPTION : WISH);
        pack_subscription(subscription_of(node), p);
        pack_end(p, field);
    }
}

/* ---- read ---- */

static bool unpack_subscription(struct hub_client *c, struct slice in)
{
    struct slice topic = packed_slice(in, TOPIC), presence = packed_slice(in, PRESENCE);
    struct hub_threads *threads = c->hub->route_end;
    uint64_t hash = hash_bytes(topic);
    struct hub_home *home = &threads->homes[hash % threads->count];
    struct subscription *s = subscription_new(c, topic, hash);
    if (!s)
        return false;
    s->watch = packed_number(in, WATCH);
    s->without_self = packed_number(in, WITHOUT_SELF);
    s->to_page = packed_number(in, TO_PAGE);
    s->losing = packed_number(in, LOSING);
    s->stale = packed_number(in, STALE);
    s->lost = packed_number(in, LOST);
    s->presence = presence.len ? slice_to_string(presence) : NULL;
    s->presence_len = s->presence ? presence.len : 0;
    if (!hub_home_count(home, c->hub->index, topic, hash, s->watch)) {
        subscription_free(s);
        return false;
    }
    subscription_activate(s);
    s->shown = packed_number(in, IS_SHOWN);
    c->hub->counts.present += s->shown;
    return true;
}

/* The answer comes when the client's owner is whole. */
static void ask_again(struct hub_client *c, struct slice in)
{
    struct slice topic = packed_slice(in, TOPIC);
    struct topic_subscription wanted = {
        .history = (uint32_t)packed_number(in, HISTORY),
        .last = packed_number(in, LAST),
        .watch = packed_number(in, WATCH),
        .without_self = packed_number(in, WITHOUT_SELF),
        .to_page = packed_number(in, TO_PAGE),
        .presence = packed_slice(in, PRESENCE),
    };
    struct subscription *s = topic.len ? subscription_new(c, topic, hash_bytes(topic)) : NULL;
    struct hub_request *join = s ? client_make_join(s, &wanted) : NULL;
    if (join) {
        client_under_way(join);
        hub_threads_send_later(c->hub, join);
    } else if (s) {
        subscription_free(s);
    }
}

struct hub_client *hub_client_unpack(struct hub *hub, struct slice in,
                                     const struct hub_client_ops *ops, void *owner)
{
    struct slice id = packed_slice(in, ID);
    struct hub_client *c = id.len == HUB_ID_LEN ? client_make(hub, ops, owner) : NULL;
    if (!c)
        return NULL;
    memcpy(c->id, id.ptr, HUB_ID_LEN);
    c->connected = packed_number(in, CONNECTED);
    c->shown = packed_number(in, SHOWN);
    timer_start_at(hub->loop, &c->grace_timer, packed_number(in, GRACE_MS));
    for (struct packed field; packed_next(&in, &field);)
        if (field.tag == SUBSCRIPTION)
            unpack_subscription(c, field.value);
        else if (field.tag == WISH)
            ask_again(c, field.value);
    return c;
}
