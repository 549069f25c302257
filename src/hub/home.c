/* SPDX-License-Identifier: MIT */
#include "hub/home.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/pack.h"
#include "hub/past.h"
#include "hub/presence.h"
#include "hub/threads.h"

#include <stdlib.h>
#include <time.h>

/* How long changes of who is there gather before they are told. */
#define CHANGES_MS 50

struct topic {
    struct name_entry entry; /* home.topics */
    struct list idle;        /* home.idle, while nobody is subscribed */
    struct list changed;     /* home.changed */
    uint64_t idle_since_ms;
    uint64_t seq;
    uint32_t subscribers; /* in all workers */
    struct past past;
    struct presence presence;
    struct hub_audience audience[]; /* by worker; then the name */
};

static struct topic *topic_of(struct name_entry *entry)
{
    return entry ? container_of(entry, struct topic, entry) : NULL;
}

static const struct hub_config *config_of(const struct hub_home *home)
{
    return home->hub->config;
}

/* ---- topics ---- */

static void count_past(struct hub_home *home, size_t before, size_t after)
{
    home->past_held += after - before;
    memory_hold(&home->account, &home->counted, home->past_held);
}

static void forget_past(struct hub_home *home, struct topic *t)
{
    count_past(home, past_held(&t->past), 0);
    past_clear(&t->past);
}

static void forget(struct hub_home *home, struct topic *t)
{
    name_table_remove(&home->topics, &t->entry);
    list_remove(&t->idle);
    list_remove(&t->changed);
    forget_past(home, t);
    presence_clear(&t->presence);
    atomic_fetch_sub_explicit(&home->threads->topics, 1, memory_order_relaxed);
    home->hub->counts.topics--;
    free(t);
}

static struct topic *longest_idle(struct hub_home *home)
{
    return list_empty(&home->idle) ? NULL : container_of(home->idle.next, struct topic, idle);
}

static void forget_idle(struct hub_home *home, struct topic *t)
{
    home->hub->counts.forgotten++;
    forget(home, t);
}

static void on_linger(struct timer *timer)
{
    struct hub_home *home = container_of(timer, struct hub_home, linger_timer);
    uint64_t now = loop_now_ms(home->hub->loop), linger = config_of(home)->linger_ms;
    struct topic *t;
    while ((t = longest_idle(home)) && t->idle_since_ms + linger <= now)
        forget_idle(home, t);
    if (t)
        timer_start(home->hub->loop, timer, t->idle_since_ms + linger - now);
}

/* Counts one more topic in all homes, if need be in the place of one that nobody is subscribed to.
 */
static bool count_topic(struct hub_home *home)
{
    atomic_uint *topics = &home->threads->topics;
    while (atomic_fetch_add_explicit(topics, 1, memory_order_relaxed) >=
           config_of(home)->topics_max) {
        atomic_fetch_sub_explicit(topics, 1, memory_order_relaxed);
        struct topic *idle = longest_idle(home);
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
    list_init(&t->idle);
    list_init(&t->changed);
    presence_init(&t->presence);
    if (name_table_add(&home->topics, &t->entry))
        return t;
    free(t);
    return NULL;
}

static struct topic *find(struct hub_home *home, const struct hub_request *r)
{
    return topic_of(name_table_find(&home->topics, r->topic, r->hash));
}

/* NULL, and the request has its answer. */
static struct topic *find_or_make(struct hub_home *home, struct hub_request *r)
{
    struct topic *t = find(home, r);
    if (t)
        return t;
    if (!count_topic(home)) {
        r->answer = HUB_TOPICS_FULL;
        return NULL;
    }
    t = topic_new(home, r->topic, r->hash);
    if (!t) {
        atomic_fetch_sub_explicit(&home->threads->topics, 1, memory_order_relaxed);
        r->answer = HUB_NO_MEMORY;
        return NULL;
    }
    home->hub->counts.topics++;
    return t;
}

/* Sends the event to every worker that it concerns. The topic can't be forgotten meanwhile. */
static void spread(struct hub_home *home, struct topic *t, struct hub_event *event,
                   struct hub_request *asked)
{
    t->subscribers++;
    hub_threads_spread(home, event, t->audience, asked);
    t->subscribers--;
}

/* Forgets the topic, or lets it wait among the idle ones, if nobody is subscribed any more. */
static void settle(struct hub_home *home, struct topic *t)
{
    list_remove(&t->idle);
    if (t->subscribers)
        return;
    if (past_empty(&t->past)) {
        forget(home, t);
        return;
    }
    t->idle_since_ms = loop_now_ms(home->hub->loop);
    list_append(&home->idle, &t->idle);
    if (!timer_active(&home->linger_timer))
        timer_start(home->hub->loop, &home->linger_timer, config_of(home)->linger_ms);
}

/* ---- who is there ---- */

/* False without memory: it is tried again. */
static bool tell_changes(struct hub_home *home, struct topic *t)
{
    struct text line = {0};
    presence_changes(&t->presence, t->entry.name, &line);
    bool ok = !line.failed;
    if (ok && line.len) {
        struct hub_event_spec spec = {
            .kind = HUB_PRESENCE,
            .hash = t->entry.hash,
            .topic = t->entry.name,
            .line = text_slice(&line),
            .copies = hub_threads_copies(home, HUB_PRESENCE, t->audience),
        };
        struct hub_event *event = hub_event_new(&spec);
        ok = event;
        if (event)
            spread(home, t, event, NULL);
        hub_event_unref(event);
    }
    text_done(&line);
    return ok;
}

static void on_changed(struct timer *timer)
{
    struct hub_home *home = container_of(timer, struct hub_home, changed_timer);
    struct list todo;
    list_init(&todo);
    list_splice(&todo, &home->changed);
    for (struct list *node; (node = list_pop(&todo));) {
        struct topic *t = container_of(node, struct topic, changed);
        if (!tell_changes(home, t)) {
            list_append(&home->changed, &t->changed);
            continue;
        }
        presence_told(&t->presence);
        settle(home, t);
    }
    if (!list_empty(&home->changed))
        timer_start(home->hub->loop, timer, CHANGES_MS);
}

static void note_change(struct hub_home *home, struct topic *t, enum presence_result result)
{
    if (result != PRESENCE_CHANGED || !list_empty(&t->changed))
        return;
    list_append(&home->changed, &t->changed);
    if (!timer_active(&home->changed_timer))
        timer_start(home->hub->loop, &home->changed_timer, CHANGES_MS);
}

static void show(struct hub_home *home, struct topic *t, struct hub_request *r)
{
    enum presence_result result =
        presence_show(&t->presence, r->id, r->data, config_of(home)->presence_max);
    if (result == PRESENCE_FULL || result == PRESENCE_NO_MEMORY)
        r->answer = HUB_PRESENCE_FULL;
    note_change(home, t, result);
}

static void hide(struct hub_home *home, struct topic *t, struct hub_request *r)
{
    note_change(home, t, presence_hide(&t->presence, r->id));
}

static void look(struct topic *t, struct hub_request *r)
{
    presence_here(&t->presence, t->entry.name, &r->here);
    if (r->here.failed)
        text_done(&r->here); /* the asker sees that it is not there */
}

/* ---- requests ---- */

static struct hub_audience *audience_of(struct topic *t, const struct hub_request *r)
{
    return &t->audience[r->hub->index];
}

static void join(struct hub_home *home, struct hub_request *r)
{
    struct topic *t = find_or_make(home, r);
    if (!t)
        return;
    if (!past_get(&t->past, r->history, r->last, &r->past, &r->past_count)) {
        r->answer = HUB_NO_MEMORY;
        settle(home, t);
        return;
    }
    struct hub_audience *audience = audience_of(t, r);
    audience->subscribers += !r->again;
    t->subscribers += !r->again;
    audience->watchers += r->watch - r->watched;
    r->seq = t->seq;
    if (r->watch)
        look(t, r);
    if (r->show)
        show(home, t, r);
    else
        hide(home, t, r);
    settle(home, t);
}

static void leave(struct hub_home *home, struct hub_request *r)
{
    struct topic *t = find(home, r);
    struct hub_audience *audience = audience_of(t, r);
    audience->subscribers--;
    audience->watchers -= r->watch;
    t->subscribers--;
    hide(home, t, r);
    settle(home, t);
}

static uint64_t wall_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct hub_event *number(struct hub_home *home, struct topic *t, const struct hub_request *r)
{
    struct hub_event_spec spec = {
        .kind = HUB_PUBLISHED,
        .hash = t->entry.hash,
        .seq = t->seq + 1,
        .time_ms = wall_clock_ms(),
        .from = r->anonymous ? NULL : r->id,
        .topic = t->entry.name,
        .name = r->event,
        .data = r->data,
        .copies = hub_threads_copies(home, HUB_PUBLISHED, t->audience),
    };
    return hub_event_new(&spec);
}

static void publish(struct hub_home *home, struct hub_request *r)
{
    const struct hub_config *config = config_of(home);
    struct topic *t = find_or_make(home, r);
    struct hub_event *event = t ? number(home, t, r) : NULL;
    if (!event) {
        if (t) {
            r->answer = HUB_NO_MEMORY;
            settle(home, t);
        }
        hub_request_return(home->hub, r);
        return;
    }
    r->seq = ++t->seq;
    r->subscribers = t->subscribers;
    home->hub->counts.published++;
    size_t before = past_held(&t->past);
    past_add(&t->past, event, r->keep, config->history_max, config->history_bytes_max);
    count_past(home, before, past_held(&t->past));
    spread(home, t, event, r);
    settle(home, t);
    hub_event_unref(event);
}

void hub_home_handle(struct hub_home *home, struct hub_request *r)
{
    struct topic *t;
    switch (r->kind) {
    case HUB_PUBLISH:
        publish(home, r); /* goes back when the event has been passed on */
        return;
    case HUB_JOIN:
        join(home, r);
        break;
    case HUB_LEAVE:
        leave(home, r);
        break;
    case HUB_SHOW:
        show(home, find(home, r), r);
        break;
    case HUB_HIDE:
        hide(home, find(home, r), r);
        break;
    case HUB_LOOK:
        t = find(home, r);
        r->seq = t->seq;
        look(t, r);
        break;
    }
    hub_request_return(home->hub, r);
}

/* ---- memory is short ---- */

static struct topic *largest(const struct hub_home *home)
{
    struct topic *largest = NULL;
    for (uint32_t i = 0; i < home->topics.bucket_count; i++) {
        for (struct name_entry *e = home->topics.buckets[i]; e; e = e->next) {
            struct topic *t = topic_of(e);
            if (!largest || past_held(&t->past) > past_held(&largest->past))
                largest = t;
        }
    }
    return largest;
}

/* The subscribers stay. Whoever comes later finds no past, as of a topic that was forgotten. */
static void let_go(struct memory_account *a, enum memory_cause cause)
{
    struct hub_home *home = container_of(a, struct hub_home, account);
    struct topic *t = largest(home);
    (void)cause;
    if (!t)
        return;
    home->hub->counts.forgotten++;
    forget_past(home, t);
    settle(home, t);
}

static const struct memory_ops memory_ops = {.what = "topic", .let_go = let_go, .stays = true};

/* ---- made and freed ---- */

void hub_home_init(struct hub_home *home, struct hub_threads *threads, struct hub *hub)
{
    *home = (struct hub_home){.hub = hub, .threads = threads};
    list_init(&home->idle);
    list_init(&home->changed);
    timer_init(&home->linger_timer, on_linger);
    timer_init(&home->changed_timer, on_changed);
    memory_open(&home->account, hub->memory, &memory_ops, NULL);
}

void hub_home_done(struct hub_home *home)
{
    struct name_entry *entry;
    timer_stop(&home->linger_timer);
    timer_stop(&home->changed_timer);
    while ((entry = name_table_any(&home->topics)))
        forget(home, topic_of(entry));
    name_table_done(&home->topics);
    memory_close(&home->account);
}

/* ---- for the process that takes over ---- */

enum {
    TOPIC = 1,
    NAME = 1,
    SEQ,
    IDLE_SINCE_MS,
    EVENT, /* the oldest first */
    KEPT,
    PRESENCE,
};

static void pack_event(const struct hub_event *event, uint32_t tag, struct pack *p)
{
    size_t field = pack_begin(p, tag);
    hub_event_pack(event, p);
    pack_end(p, field);
}

static void pack_topic(const struct topic *t, struct pack *p)
{
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
}

void hub_home_pack(const struct hub_home *home, struct pack *p)
{
    for (uint32_t i = 0; i < home->topics.bucket_count; i++) {
        for (struct name_entry *e = home->topics.buckets[i]; e; e = e->next) {
            size_t field = pack_begin(p, TOPIC);
            pack_topic(topic_of(e), p);
            pack_end(p, field);
        }
    }
}

/* A topic of this name, whatever the limit of topics says: there was room for it. */
static struct topic *make_again(struct hub_home *home, struct slice name, uint64_t hash)
{
    struct topic *t = topic_of(name_table_find(&home->topics, name, hash));
    if (t || !name.len)
        return t;
    t = topic_new(home, name, hash);
    if (!t)
        return NULL;
    atomic_fetch_add_explicit(&home->threads->topics, 1, memory_order_relaxed);
    home->hub->counts.topics++;
    return t;
}

static void unpack_past(struct hub_home *home, struct topic *t, struct slice in)
{
    const struct hub_config *config = config_of(home);
    struct slice kept = packed_slice(in, KEPT);
    size_t before = past_held(&t->past);
    if (kept.len)
        t->past.kept = hub_event_unpack(kept, t->entry.hash);
    for (struct packed field; packed_next(&in, &field);) {
        struct hub_event *event =
            field.tag == EVENT ? hub_event_unpack(field.value, t->entry.hash) : NULL;
        if (!event)
            continue;
        past_add(&t->past, event, TOPIC_KEEP_AS_IT_IS, config->history_max,
                 config->history_bytes_max);
        hub_event_unref(event);
    }
    count_past(home, before, past_held(&t->past));
}

static void unpack_topic(struct hub_home *home, struct slice in)
{
    struct slice name = packed_slice(in, NAME);
    struct topic *t = make_again(home, name, hash_bytes(name));
    if (!t)
        return;
    t->seq = packed_number(in, SEQ);
    t->idle_since_ms = packed_number(in, IDLE_SINCE_MS);
    unpack_past(home, t, in);
    if (presence_unpack(&t->presence, packed_slice(in, PRESENCE)))
        note_change(home, t, PRESENCE_CHANGED);
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
    struct topic *t = make_again(home, name, hash);
    if (!t)
        return false;
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
            bool stays = t->subscribers || !past_empty(&t->past);
            settle(home, t);
            if (stays && !t->subscribers && since)
                t->idle_since_ms = since;
        }
    }
}
