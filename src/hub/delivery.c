/* SPDX-License-Identifier: MIT */
/* delivery.c - what subscribers hear: events, who is there, and how much they have missed.
 *
 * A subscriber that takes no more misses events, until it has taken all that waits for it. Then it
 * is told how many events it has missed, in the place where they are missing.
 */
#include "hub/client.h"

#include <stdlib.h>

static bool takes(struct subscription *s)
{
    struct hub_client *c = s->client;
    if (!s->losing && client_takes(c, s->to_page))
        return true;
    if (!s->losing && c->ops->on_loss)
        c->ops->on_loss(c, s->topic->entry.name);
    s->losing = true;
    return false;
}

static void deliver(struct subscription *s, const struct hub_event *event, struct slice begin,
                    struct shared_bytes *whole)
{
    struct hub_client *c = s->client;
    client_enter(c);
    if (!takes(s)) {
        s->lost++;
        c->hub->counts.lost++;
    } else {
        c->hub->counts.delivered++;
        if (s->to_page)
            c->ops->on_page_event(c, event->name, event->data);
        else
            c->ops->on_line(c, begin, hub_event_rest(event), whole);
    }
    client_exit(c);
}

static bool is_own(const struct subscription *s, const struct hub_event *event)
{
    return !memcmp(event->from, s->client->id, HUB_ID_LEN);
}

static void deliver_published(struct subscription *s, const struct hub_event *event,
                              struct shared_bytes *whole)
{
    bool own = is_own(s, event);
    if (own && s->without_self)
        return;
    if (own)
        deliver(s, event, HUB_LINE_SELF, NULL);
    else
        deliver(s, event, HUB_LINE_BEGIN, whole);
}

static void deliver_presence(struct subscription *s, struct slice line, struct shared_bytes *whole)
{
    struct hub_client *c = s->client;
    if (!s->watch)
        return;
    client_enter(c);
    if (client_takes(c, false))
        c->ops->on_line(c, line, SLICE_NONE, whole);
    else
        s->stale = true;
    client_exit(c);
}

static struct shared_bytes *share(struct slice line)
{
    struct shared_bytes *shared = shared_new(line.len);
    if (shared)
        memcpy(shared->bytes, line.ptr, line.len);
    return shared;
}

/* A subscriber may leave while it is given the event, and no other subscriber with it. */
void hub_take_event(struct hub *hub, struct hub_event *event)
{
    struct name_entry *entry = name_table_find(&hub->topics, event->topic, event->hash);
    if (!entry)
        return; /* all have left meanwhile */
    struct list *all = &container_of(entry, struct local_topic, entry)->subscriptions, *next;
    struct shared_bytes *whole = share(event->line); /* without memory each has its copy */
    for (struct list *node = all->next; node != all; node = next) {
        struct subscription *s = container_of(node, struct subscription, of_topic);
        next = node->next;
        if (event->kind == HUB_PRESENCE)
            deliver_presence(s, event->line, whole);
        else
            deliver_published(s, event, whole);
    }
    if (whole)
        shared_unref(whole);
}

void delivery_answer(struct subscription *s, const struct hub_request *r)
{
    if (s->watch && r->here.len)
        deliver_presence(s, text_slice(&r->here), NULL);
    else
        s->stale |= s->watch;
    for (size_t i = 0; i < r->past_count && !s->client->left; i++)
        if (!s->without_self || !is_own(s, r->past[i]))
            deliver(s, r->past[i], HUB_LINE_PAST, NULL);
}

static void tell_lost(struct subscription *s)
{
    struct hub_client *c = s->client;
    struct text line = {0};
    text_printf(&line, ".topic {\"topic\":\"%.*s\",\"lost\":%llu}\n",
                SLICE_ARG(s->topic->entry.name), (unsigned long long)s->lost);
    if (!line.failed) {
        c->ops->on_line(c, text_slice(&line), SLICE_NONE, NULL);
        s->losing = false;
        s->lost = 0;
    }
    text_done(&line);
}

void hub_client_drained(struct hub_client *c)
{
    client_enter(c);
    for (struct list *node = c->subscriptions.next; node != &c->subscriptions && !c->left;
         node = node->next) {
        struct subscription *s = subscription_of(node);
        if (s->losing && client_takes(c, s->to_page) && client_takes(c, false))
            tell_lost(s);
        if (s->stale && s->active && !c->left && client_takes(c, false))
            client_look(s);
    }
    client_exit(c);
}
