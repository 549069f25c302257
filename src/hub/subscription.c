/* SPDX-License-Identifier: MIT */
/* subscription.c - the subscription of one client to one topic, and the topic as this thread knows
 * it. */
#include "hub/client.h"

#include "base/hash.h"
#include "base/log.h"

#include <stdlib.h>

/* ---- topics with a subscription here ---- */

static struct local_topic *topic_find(struct hub *hub, struct slice name, uint64_t hash)
{
    struct name_entry *entry = name_table_find(&hub->topics, name, hash);
    return entry ? container_of(entry, struct local_topic, entry) : NULL;
}

static struct local_topic *topic_new(struct hub *hub, struct slice name, uint64_t hash)
{
    struct local_topic *t = log_needed(malloc(sizeof(*t) + name.len));
    if (!t)
        return NULL;
    memcpy(t->name, name.ptr, name.len);
    t->entry = (struct name_entry){.hash = hash, .name = slice_make(t->name, name.len)};
    t->references = 0;
    list_init(&t->subscriptions);
    if (name_table_add(&hub->topics, &t->entry))
        return t;
    free(t);
    return NULL;
}

static void topic_drop(struct hub *hub, struct local_topic *t)
{
    name_table_remove(&hub->topics, &t->entry);
    free(t);
}

/* ---- subscriptions ---- */

struct subscription *subscription_new(struct hub_client *c, struct slice topic, uint64_t hash)
{
    struct subscription *s = log_needed(calloc(1, sizeof(*s)));
    struct local_topic *t = topic_find(c->hub, topic, hash);
    if (s && !t)
        t = topic_new(c->hub, topic, hash);
    if (!t) {
        free(s);
        return NULL;
    }
    if (s)
        s->farewell = hub_request_new(c, HUB_LEAVE, topic, hash, SLICE_NONE, SLICE_NONE);
    if (!s || !s->farewell) {
        if (!t->references)
            topic_drop(c->hub, t);
        free(s);
        return NULL;
    }
    s->client = c;
    s->topic = t;
    t->references++;
    list_init(&s->of_topic);
    list_append(&c->subscriptions, &s->of_client);
    c->subscription_count++;
    return s;
}

struct subscription *subscription_find(struct hub_client *c, struct slice topic)
{
    for (struct list *node = c->subscriptions.next; node != &c->subscriptions; node = node->next)
        if (slice_equal(subscription_of(node)->topic->entry.name, topic))
            return subscription_of(node);
    return NULL;
}

bool subscription_set(struct subscription *s, const struct topic_subscription *wanted)
{
    char *presence = NULL;
    if (wanted->presence.len) {
        presence = slice_to_string(wanted->presence);
        if (!presence)
            return false;
    }
    free(s->presence);
    s->presence = presence;
    s->presence_len = wanted->presence.len;
    s->watch = wanted->watch || presence;
    s->without_self = wanted->without_self;
    s->to_page = wanted->to_page;
    return true;
}

void subscription_activate(struct subscription *s)
{
    if (s->active)
        return;
    s->active = true;
    list_append(&s->topic->subscriptions, &s->of_topic);
    s->client->hub->counts.subscriptions++;
}

void subscription_free(struct subscription *s)
{
    struct hub *hub = s->client->hub;
    list_remove(&s->of_client);
    list_remove(&s->of_topic);
    s->client->subscription_count--;
    hub->counts.subscriptions -= s->active;
    hub->counts.present -= s->shown;
    if (--s->topic->references == 0)
        topic_drop(hub, s->topic);
    hub_request_drop(s->farewell);
    free(s->presence);
    free(s);
}
