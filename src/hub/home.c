/* SPDX-License-Identifier: MIT */
#include "hub/home.h"

#include "base/log.h"
#include "hub/threads.h"
#include "hub/topic.h"

#include <time.h>

static struct topic *find(const struct hub_home *home, const struct hub_request *r)
{
    return topic_find(home, r->topic, r->hash);
}

/* NULL, and the request has its answer. */
static struct topic *find_or_make(struct hub_home *home, struct hub_request *r)
{
    return topic_find_or_make(home, r->topic, r->hash, &r->answer);
}

/* ---- who is there ---- */

static void show_others(struct hub_home *home, struct topic *t, const char id[HUB_ID_LEN],
                        struct slice data, enum presence_result result)
{
    struct hub_upstream *u = t->distant ? home->upstream : NULL;
    changes_note(home, t, result);
    if (u && (result == PRESENCE_CHANGED || result == PRESENCE_UNTOLD))
        u->ops->show(u, topic_key(t), id, data);
}

static void show(struct hub_home *home, struct topic *t, struct hub_request *r)
{
    enum presence_result result =
        presence_show(&t->presence, PRESENCE_OWN, r->id, r->data, topic_config(home)->presence_max);
    if (result == PRESENCE_FULL || result == PRESENCE_NO_MEMORY)
        r->answer = HUB_PRESENCE_FULL;
    show_others(home, t, r->id, r->data, result);
}

static void hide(struct hub_home *home, struct topic *t, struct hub_request *r)
{
    show_others(home, t, r->id, SLICE_NONE, presence_hide(&t->presence, PRESENCE_OWN, r->id));
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

static void join_topic(struct hub_home *home, struct topic *t, struct hub_request *r)
{
    if (!past_get(&t->past, r->history, r->last, &r->past, &r->past_count)) {
        r->answer = HUB_NO_MEMORY;
        topic_settle(home, t);
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
    topic_settle(home, t);
}

/* False: it waits for the topic. */
static bool join(struct hub_home *home, struct hub_request *r)
{
    if (r->stage == HUB_JOIN_WITHDRAWN)
        return true;
    struct topic *t = find_or_make(home, r);
    if (t && t->loading) {
        r->stage = HUB_JOIN_WAITS;
        list_append(&t->waiting, &r->held);
        topic_settle(home, t);
        return false;
    }
    r->stage = HUB_JOIN_DONE;
    if (t)
        join_topic(home, t, r);
    return true;
}

void hub_home_join_waiting(struct hub_home *home, struct topic *t)
{
    for (struct list *node; (node = list_pop(&t->waiting));) {
        struct hub_request *r = container_of(node, struct hub_request, held);
        r->stage = HUB_JOIN_DONE;
        join_topic(home, t, r);
        hub_request_return(home->hub, r);
    }
}

/* Whether the client counts as subscribed; `leave->watch` becomes what it counts as. */
static bool is_counted(struct hub_home *home, struct hub_request *leave)
{
    struct hub_request *joining = leave->withdraws;
    if (!joining)
        return true;
    switch (joining->stage) {
    case HUB_JOIN_SENT:
        joining->stage = HUB_JOIN_WITHDRAWN;
        break;
    case HUB_JOIN_WAITS:
        joining->stage = HUB_JOIN_WITHDRAWN;
        list_remove(&joining->held);
        hub_request_return(home->hub, joining);
        break;
    case HUB_JOIN_WITHDRAWN:
        break;
    case HUB_JOIN_DONE:
        if (joining->answer == HUB_DONE || joining->answer == HUB_PRESENCE_FULL)
            return true;
        break;
    }
    leave->watch = joining->watched;
    return joining->again;
}

static void leave(struct hub_home *home, struct hub_request *r)
{
    bool counted = is_counted(home, r);
    struct topic *t = find(home, r);
    if (!counted) {
        if (t)
            topic_settle(home, t);
        return;
    }
    struct hub_audience *audience = audience_of(t, r);
    audience->subscribers--;
    audience->watchers -= r->watch;
    t->subscribers--;
    hide(home, t, r);
    topic_settle(home, t);
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
        .seq = t->seq + 1,
        .time_ms = wall_clock_ms(),
        .from = r->anonymous ? NULL : r->id,
        .name = r->event,
        .data = r->data,
        .keep = r->keep,
    };
    return topic_event(home, t, &spec);
}

void hub_home_pass_on(struct hub_home *home, struct topic *t, struct hub_event *event,
                      struct hub_request *asked)
{
    t->seq = event->seq;
    if (asked) {
        asked->seq = t->seq;
        asked->subscribers = t->subscribers;
        home->hub->counts.published++;
    }
    topic_remember(home, t, event, event->keep);
    topic_spread(home, t, event, asked);
}

static void publish(struct hub_home *home, struct hub_request *r)
{
    struct topic *t = find_or_make(home, r);
    struct hub_event *event = t ? number(home, t, r) : NULL;
    if (!event) {
        if (t) {
            r->answer = HUB_NO_MEMORY;
            topic_settle(home, t);
        }
        hub_request_return(home->hub, r);
        return;
    }
    hub_home_pass_on(home, t, event, r);
    topic_settle(home, t);
    hub_event_unref(event);
}

void hub_home_handle(struct hub_home *home, struct hub_request *r)
{
    struct hub_upstream *u = topic_upstream(home, r->topic);
    struct topic *t;
    switch (r->kind) {
    case HUB_PUBLISH: /* goes back when the event has been passed on */
        if (u)
            u->ops->publish(u, r);
        else
            publish(home, r);
        return;
    case HUB_JOIN:
        if (!join(home, r))
            return;
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
    topic_forget_past(home, t, true);
    topic_settle(home, t);
}

static const struct memory_ops memory_ops = {.what = "topic", .let_go = let_go, .stays = true};

/* ---- made and freed ---- */

void hub_home_init(struct hub_home *home, struct hub_threads *threads, struct hub *hub)
{
    *home = (struct hub_home){.hub = hub, .threads = threads};
    topics_init(home);
    changes_init(home);
    memory_open(&home->account, hub->memory, &memory_ops, NULL);
}

void hub_home_done(struct hub_home *home)
{
    home->upstream = NULL;
    changes_done(home);
    topic_forget_all(home);
    memory_close(&home->account);
}
