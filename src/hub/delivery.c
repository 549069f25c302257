/* SPDX-License-Identifier: MIT */
/* delivery.c - what subscribers hear: events, who is there, and how much they have missed.
 *
 * A subscriber that takes no more misses events, until it has taken all that waits for it. Then it
 * is told how many events it has missed, in the place where they are missing. What the home says is
 * lost is told in its place too.
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

static void release(struct shared_bytes *shared)
{
    if (shared)
        shared_unref(shared);
}

static struct list *subscriptions_of(struct hub *hub, const struct hub_event *event)
{
    struct name_entry *entry = name_table_find(&hub->topics, event->topic, event->hash);
    return entry ? &container_of(entry, struct local_topic, entry)->subscriptions : NULL;
}

/* For who is losing already it becomes part of that loss, which is told in the end. */
static void deliver_lost(struct subscription *s, const struct hub_event *event,
                         struct shared_bytes *whole)
{
    struct hub_client *c = s->client;
    client_enter(c);
    c->hub->counts.lost += event->seq;
    if (takes(s) && client_takes(c, false)) {
        c->ops->on_line(c, event->line, SLICE_NONE, whole);
    } else {
        s->losing = true;
        s->lost += event->seq;
    }
    client_exit(c);
}

static void deliver_change(struct hub *hub, const struct hub_event *event)
{
    struct list *all = subscriptions_of(hub, event), *next;
    if (!all)
        return;                                      /* all have left meanwhile */
    struct shared_bytes *whole = share(event->line); /* without memory each has its copy */
    for (struct list *node = all->next; node != all; node = next) {
        struct subscription *s = container_of(node, struct subscription, of_topic);
        next = node->next;
        if (event->kind == HUB_LOST)
            deliver_lost(s, event, whole);
        else
            deliver_presence(s, event->line, whole);
    }
    release(whole);
}

/* ---- events that came together ---- */

static bool is_own_in(const struct subscription *s, const struct hub_batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++)
        if (is_own(s, batch->events[i]))
            return true;
    return false;
}

/* False: they have to be given one by one. With true the client may be gone. */
static bool deliver_together(struct subscription *s, struct hub_batch *batch)
{
    struct hub_client *c = s->client;
    if (!s->to_page || s->losing || !c->ops->on_page_events ||
        (s->without_self && is_own_in(s, batch)))
        return false;
    client_enter(c);
    bool taken = c->ops->on_page_events(c, batch);
    c->hub->counts.delivered += taken ? batch->count : 0;
    return !client_exit(c) || taken;
}

/* `lines` are made for the first who hears them. The subscription may be gone after each. */
static void deliver_each(struct subscription *s, const struct hub_batch *batch,
                         struct shared_bytes *lines[HUB_BATCH_MAX])
{
    struct hub_client *c = s->client;
    client_enter(c);
    for (unsigned i = 0; i < batch->count && !c->left; i++) {
        if (!s->to_page && !lines[i])
            lines[i] = share(batch->events[i]->line); /* without memory each has its copy */
        deliver_published(s, batch->events[i], lines[i]);
    }
    client_exit(c);
}

static void forget(struct hub_batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++)
        hub_event_unref(batch->events[i]);
    for (unsigned i = 0; i < HUB_FORMS; i++)
        release(batch->forms[i].bytes);
    batch->count = 0;
}

/* A subscriber may leave while it is given the events, and no other subscriber with it. */
static void deliver_batch(struct hub *hub, struct hub_batch *batch)
{
    struct list *all = subscriptions_of(hub, batch->events[0]), *next;
    struct shared_bytes *lines[HUB_BATCH_MAX] = {0};
    for (struct list *node = all ? all->next : NULL; node != all; node = next) {
        struct subscription *s = container_of(node, struct subscription, of_topic);
        next = node->next;
        if (!deliver_together(s, batch))
            deliver_each(s, batch, lines);
    }
    for (unsigned i = 0; i < batch->count; i++)
        release(lines[i]);
}

void delivery_flush(struct hub *hub)
{
    if (hub->batch.count == 0)
        return;
    struct hub_batch batch = hub->batch; /* more may come from inside of the calls */
    hub->batch = (struct hub_batch){0};
    if (!hub->stopped)
        deliver_batch(hub, &batch);
    forget(&batch);
}

static void flush_after(struct loop_after *after)
{
    delivery_flush(container_of(after, struct hub, after));
}

void delivery_init(struct hub *hub)
{
    loop_after_init(&hub->after, hub->loop, flush_after);
}

void delivery_drop(struct hub *hub)
{
    loop_after_stop(&hub->after);
    forget(&hub->batch);
}

static bool goes_with(const struct hub_batch *batch, const struct hub_event *event)
{
    const struct hub_event *first = batch->events[0];
    return first->hash == event->hash && slice_equal(first->topic, event->topic) &&
           batch->bytes + event->name.len + event->data.len <= HUB_BATCH_BYTES;
}

void hub_take_event(struct hub *hub, struct hub_event *event)
{
    struct hub_batch *batch = &hub->batch;
    if (batch->count > 0 && (event->kind != HUB_PUBLISHED || !goes_with(batch, event)))
        delivery_flush(hub);
    if (event->kind != HUB_PUBLISHED) {
        deliver_change(hub, event);
        return;
    }
    hub_event_ref(event);
    batch->events[batch->count++] = event;
    batch->bytes += event->name.len + event->data.len;
    if (batch->count == HUB_BATCH_MAX)
        delivery_flush(hub);
    else
        loop_after(&hub->after);
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
    hub_event_put_lost(s->topic->entry.name, s->lost, &line);
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
