/* SPDX-License-Identifier: MIT */
#include "hub/topic.h"

#include "base/log.h"
#include "hub/threads.h"

#include <stdlib.h>

struct hub_upstream *topic_upstream(const struct hub_home *home, struct slice name)
{
    return home->upstream && name.ptr[0] != ' ' ? home->upstream : NULL;
}

/* ---- its past ---- */

static void count_past(struct hub_home *home, size_t before, size_t after)
{
    home->past_held += after - before;
    memory_hold(&home->account, &home->counted, home->past_held);
}

struct hub_event *topic_event(struct hub_home *home, struct topic *t,
                              const struct hub_event_spec *spec)
{
    struct hub_event_spec whole = *spec;
    whole.hash = t->entry.hash;
    whole.topic = t->entry.name;
    whole.copies = hub_threads_copies(home, spec->kind, t->audience);
    return hub_event_new(&whole);
}

void topic_remember(struct hub_home *home, struct topic *t, struct hub_event *event,
                    enum topic_keep keep)
{
    const struct hub_config *config = topic_config(home);
    size_t before = past_held(&t->past);
    past_add(&t->past, event, keep, config->history_max, config->history_bytes_max);
    count_past(home, before, past_held(&t->past));
}

void topic_keep_event(struct hub_home *home, struct topic *t, struct hub_event *kept)
{
    size_t before = past_held(&t->past);
    past_keep(&t->past, kept, kept ? TOPIC_KEEP_THIS : TOPIC_KEEP_NONE);
    count_past(home, before, past_held(&t->past));
}

void topic_forget_past(struct hub_home *home, struct topic *t, bool kept_too)
{
    size_t before = past_held(&t->past);
    past_clear(&t->past, kept_too);
    count_past(home, before, past_held(&t->past));
}

void topic_spread(struct hub_home *home, struct topic *t, struct hub_event *event,
                  struct hub_request *asked)
{
    topic_hold(t);
    hub_threads_spread(home, event, t->audience, asked);
    topic_release(t);
}

/* ---- the end of a topic ---- */

void topic_forget(struct hub_home *home, struct topic *t)
{
    name_table_remove(&home->topics, &t->entry);
    list_remove(&t->idle);
    list_remove(&t->changed);
    for (struct list *node; (node = list_pop(&t->waiting));)
        hub_request_drop(container_of(node, struct hub_request, held)); /* all ends */
    if (t->follow && home->upstream)
        home->upstream->ops->unfollow(home->upstream, topic_key(t));
    topic_forget_past(home, t, true);
    presence_clear(&t->presence);
    atomic_fetch_sub_explicit(&home->threads->topics, 1, memory_order_relaxed);
    home->hub->counts.topics--;
    free(t);
}

static struct topic *longest_idle(struct hub_idle *idle)
{
    return list_empty(&idle->topics) ? NULL : container_of(idle->topics.next, struct topic, idle);
}

static void forget_idle(struct hub_home *home, struct topic *t)
{
    home->hub->counts.forgotten++;
    topic_forget(home, t);
}

static uint64_t linger_ms(const struct hub_home *home, const struct hub_idle *idle)
{
    return idle == &home->idle[HUB_IDLE_DISTANT] ? FOLLOW_LINGER_MS : topic_config(home)->linger_ms;
}

static void on_linger(struct timer *timer)
{
    struct hub_idle *idle = container_of(timer, struct hub_idle, timer);
    struct hub_home *home = idle->home;
    uint64_t now = loop_now_ms(home->hub->loop), linger = linger_ms(home, idle);
    struct topic *t;
    while ((t = longest_idle(idle)) && t->idle_since_ms + linger <= now)
        forget_idle(home, t);
    if (t)
        timer_start(home->hub->loop, timer, t->idle_since_ms + linger - now);
}

void topic_settle_since(struct hub_home *home, struct topic *t, uint64_t since_ms)
{
    struct hub_idle *idle = &home->idle[t->distant ? HUB_IDLE_DISTANT : HUB_IDLE_HERE];
    list_remove(&t->idle);
    if (t->subscribers || !list_empty(&t->waiting))
        return;
    if (!t->distant && past_empty(&t->past)) {
        topic_forget(home, t);
        return;
    }
    t->idle_since_ms = since_ms;
    list_append(&idle->topics, &t->idle);
    if (!timer_active(&idle->timer))
        timer_start(home->hub->loop, &idle->timer, linger_ms(home, idle));
}

/* What others do in a topic of the upstream does not keep it here. */
void topic_settle(struct hub_home *home, struct topic *t)
{
    bool stays = t->distant && !list_empty(&t->idle) && !t->subscribers;
    if (!stays || !list_empty(&t->waiting))
        topic_settle_since(home, t, loop_now_ms(home->hub->loop));
}

void topic_forget_all(struct hub_home *home)
{
    struct name_entry *entry;
    for (unsigned i = 0; i < HUB_IDLES; i++)
        timer_stop(&home->idle[i].timer);
    while ((entry = name_table_any(&home->topics)))
        topic_forget(home, topic_of(entry));
    name_table_done(&home->topics);
}

void topics_init(struct hub_home *home)
{
    for (unsigned i = 0; i < HUB_IDLES; i++) {
        home->idle[i].home = home;
        list_init(&home->idle[i].topics);
        timer_init(&home->idle[i].timer, on_linger);
    }
}

/* ---- its beginning ---- */

/* Counts one more topic in all homes, if need be in the place of one that nobody is subscribed to.
 */
static bool count_topic(struct hub_home *home)
{
    atomic_uint *topics = &home->threads->topics;
    while (atomic_fetch_add_explicit(topics, 1, memory_order_relaxed) >=
           topic_config(home)->topics_max) {
        atomic_fetch_sub_explicit(topics, 1, memory_order_relaxed);
        struct topic *idle = longest_idle(&home->idle[HUB_IDLE_DISTANT]);
        if (!idle)
            idle = longest_idle(&home->idle[HUB_IDLE_HERE]);
        if (!idle)
            return false;
        forget_idle(home, idle);
    }
    return true;
}

static struct topic *topic_new(struct hub_home *home, struct slice name, uint64_t hash)
{
    size_t head = sizeof(struct topic) + home->threads->count * sizeof(struct hub_audience);
    struct topic *t = log_needed(calloc(1, head + name.len));
    if (!t)
        return NULL;
    memcpy((char *)t + head, name.ptr, name.len);
    t->entry = (struct name_entry){.hash = hash, .name = slice_make((char *)t + head, name.len)};
    t->distant = topic_upstream(home, name);
    list_init(&t->idle);
    list_init(&t->changed);
    list_init(&t->waiting);
    presence_init(&t->presence);
    if (name_table_add(&home->topics, &t->entry)) {
        home->hub->counts.topics++;
        return t;
    }
    free(t);
    return NULL;
}

struct topic *topic_find(const struct hub_home *home, struct slice name, uint64_t hash)
{
    return topic_of(name_table_find(&home->topics, name, hash));
}

void topic_follow(struct hub_home *home, struct topic *t)
{
    t->loading = true;
    t->follow = ++home->follows;
    home->upstream->ops->follow(home->upstream, topic_key(t), t->follow);
}

struct topic *topic_find_or_make(struct hub_home *home, struct slice name, uint64_t hash,
                                 enum hub_answer *why)
{
    struct topic *t = topic_find(home, name, hash);
    if (!t && !count_topic(home)) {
        *why = HUB_TOPICS_FULL;
        return NULL;
    }
    if (!t)
        t = topic_new(home, name, hash);
    if (!t) {
        atomic_fetch_sub_explicit(&home->threads->topics, 1, memory_order_relaxed);
        *why = HUB_NO_MEMORY;
        return NULL;
    }
    if (t->distant && !t->follow)
        topic_follow(home, t);
    return t;
}

struct topic *topic_make_again(struct hub_home *home, struct slice name, uint64_t hash)
{
    struct topic *t = topic_find(home, name, hash);
    if (t || !name.len)
        return t;
    t = topic_new(home, name, hash);
    if (t)
        atomic_fetch_add_explicit(&home->threads->topics, 1, memory_order_relaxed);
    return t;
}
