/* SPDX-License-Identifier: MIT */
/* upstream.c - what the upstream says of a home's topics. */
#include "hub/upstream.h"

#include "hub/threads.h"
#include "hub/topic.h"

void hub_home_use_upstream(struct hub_home *home, struct hub_upstream *upstream)
{
    home->upstream = upstream;
    home->hub->distant = upstream;
}

/* A topic that the upstream has been asked for; NULL: there is none. */
static struct topic *find(const struct hub_home *home, struct hub_topic_key topic)
{
    struct topic *t = topic_find(home, topic.name, topic.hash);
    return t && t->follow ? t : NULL;
}

/* NULL too while nothing is known of it. */
static struct topic *find_loaded(const struct hub_home *home, struct hub_topic_key topic)
{
    struct topic *t = find(home, topic);
    return t && !t->loading ? t : NULL;
}

static struct hub_event *make_event(struct hub_home *home, struct topic *t,
                                    const struct hub_event_spec *spec)
{
    struct hub_event_spec published = *spec;
    published.kind = HUB_PUBLISHED;
    return topic_event(home, t, &published);
}

static struct hub_event *find_past(const struct topic *t, uint64_t seq)
{
    struct hub_event *event = t->past.first;
    while (event && event->seq != seq)
        event = event->next;
    return event;
}

static void keep(struct hub_home *home, struct topic *t, const struct hub_event_spec *spec)
{
    struct hub_event *event = spec ? find_past(t, spec->seq) : NULL;
    if (event)
        hub_event_ref(event);
    else if (spec)
        event = make_event(home, t, spec); /* without memory there is none */
    topic_keep_event(home, t, event);
    hub_event_unref(event);
}

/* ---- who is there ---- */

static void show(struct hub_home *home, struct topic *t, const struct hub_member *m)
{
    changes_note(home, t, presence_show(&t->presence, m->owner, m->id, m->data, UINT32_MAX));
}

static void show_all(struct hub_home *home, struct topic *t, const struct hub_member *members,
                     size_t count)
{
    presence_begin(&t->presence);
    for (size_t i = 0; i < count; i++)
        show(home, t, &members[i]);
    changes_note(home, t, presence_end(&t->presence));
}

void hub_home_present(struct hub_home *home, struct hub_topic_key topic,
                      const struct hub_member *member)
{
    struct topic *t = find_loaded(home, topic);
    if (t && member->data.len)
        show(home, t, member);
    else if (t)
        changes_note(home, t, presence_hide(&t->presence, member->owner, member->id));
}

void hub_home_present_all(struct hub_home *home, struct hub_topic_key topic,
                          const struct hub_member *members, size_t count)
{
    struct topic *t = find_loaded(home, topic);
    if (t)
        show_all(home, t, members, count);
}

void hub_home_owner_left(struct hub_home *home, struct hub_topic_key topic, uint64_t owner)
{
    struct topic *t = find_loaded(home, topic);
    if (t)
        changes_note(home, t, presence_owner_gone(&t->presence, owner));
}

void hub_home_owner_gone(struct hub_home *home, uint64_t owner)
{
    for (uint32_t i = 0; i < home->topics.bucket_count; i++) {
        for (struct name_entry *e = home->topics.buckets[i]; e; e = e->next) {
            struct topic *t = topic_of(e);
            if (t->follow)
                changes_note(home, t, presence_owner_gone(&t->presence, owner));
        }
    }
}

/* ---- a topic is loaded ---- */

static void remember(struct hub_home *home, struct topic *t, const struct hub_event_spec *spec)
{
    struct hub_event *event = make_event(home, t, spec);
    if (event)
        topic_remember(home, t, event, TOPIC_KEEP_AS_IT_IS);
    else
        topic_forget_past(home, t, true); /* a past has no gap */
    hub_event_unref(event);
}

static bool has_watchers(const struct hub_home *home, const struct topic *t)
{
    for (uint16_t i = 0; i < home->threads->count; i++)
        if (t->audience[i].watchers)
            return true;
    return false;
}

static void fill(struct hub_home *home, struct topic *t, const struct hub_loaded *loaded)
{
    t->seq = loaded->seq;
    topic_forget_past(home, t, true);
    for (size_t i = 0; i < loaded->event_count; i++)
        remember(home, t, &loaded->events[i]);
    keep(home, t, loaded->kept);
    show_all(home, t, loaded->present, loaded->present_count);
    if (!has_watchers(home, t))
        presence_told(&t->presence); /* who watches from now on is told all at once */
}

static struct topic *find_loading(const struct hub_home *home, struct hub_topic_key topic,
                                  uint64_t follow)
{
    struct topic *t = find(home, topic);
    return t && t->loading && t->follow == follow ? t : NULL;
}

bool hub_home_loaded(struct hub_home *home, struct hub_topic_key topic, uint64_t follow,
                     const struct hub_loaded *loaded)
{
    struct topic *t = find_loading(home, topic, follow);
    if (!t)
        return false;
    t->loading = false;
    fill(home, t, loaded);
    topic_hold(t);
    hub_home_join_waiting(home, t);
    topic_release(t);
    topic_settle(home, t);
    return true;
}

void hub_home_refused(struct hub_home *home, struct hub_topic_key topic, uint64_t follow,
                      enum hub_answer why)
{
    struct topic *t = find_loading(home, topic, follow);
    struct list waiting;
    if (!t)
        return;
    list_init(&waiting);
    list_splice(&waiting, &t->waiting);
    t->follow = 0;
    if (!t->subscribers) /* else it is asked for again with the next join */
        topic_forget(home, t);
    for (struct list *node; (node = list_pop(&waiting));) {
        struct hub_request *r = container_of(node, struct hub_request, held);
        r->stage = HUB_JOIN_DONE;
        r->answer = why;
        hub_request_return(home->hub, r);
    }
}

/* ---- what is published ---- */

/* Nobody may be subscribed any more after what was told. */
static void tell_lost(struct hub_home *home, struct topic *t, uint64_t count)
{
    t->lost += count;
    changes_tell_lost(home, t);
    topic_settle(home, t);
}

/* For want of memory it is lost. */
static void lose(struct hub_home *home, struct topic *t, uint64_t seq, struct hub_request *asked)
{
    struct hub_topic_key key = topic_key(t);
    t->seq = seq;
    topic_forget_past(home, t, false);
    if (asked)
        hub_home_published(home, asked, HUB_DONE, seq);
    t = find_loaded(home, key);
    if (t)
        tell_lost(home, t, 1);
}

enum hub_taken hub_home_event(struct hub_home *home, struct hub_topic_key topic,
                              const struct hub_event_spec *spec, struct hub_request *asked)
{
    struct topic *t = find(home, topic);
    if (!t)
        return HUB_UNKNOWN;
    if (t->loading)
        return HUB_LOADING;
    if (spec->seq != t->seq + 1)
        return spec->seq <= t->seq ? HUB_OLD : HUB_GAP;
    struct hub_event *event = changes_tell_lost(home, t) ? make_event(home, t, spec) : NULL;
    if (!event) {
        lose(home, t, spec->seq, asked);
        return HUB_TAKEN;
    }
    hub_home_pass_on(home, t, event, asked);
    topic_settle(home, t);
    hub_event_unref(event);
    return HUB_TAKEN;
}

void hub_home_lost(struct hub_home *home, struct hub_topic_key topic, uint64_t count, uint64_t seq)
{
    struct topic *t = find_loaded(home, topic);
    if (!t)
        return;
    t->seq = seq;
    topic_forget_past(home, t, false);
    tell_lost(home, t, count);
}

void hub_home_keep(struct hub_home *home, struct hub_topic_key topic,
                   const struct hub_event_spec *kept)
{
    struct topic *t = find_loaded(home, topic);
    if (t)
        keep(home, t, kept);
}

void hub_home_published(struct hub_home *home, struct hub_request *r, enum hub_answer answer,
                        uint64_t seq)
{
    const struct topic *t = topic_find(home, r->topic, r->hash);
    r->answer = answer;
    r->seq = seq;
    r->subscribers = t ? t->subscribers : 0;
    home->hub->counts.published += answer == HUB_DONE;
    hub_request_return(home->hub, r);
}

/* ---- looking ---- */

static void put_state(const struct topic *t, struct hub_topic_state *ret)
{
    *ret = (struct hub_topic_state){
        .topic = topic_key(t),
        .follow = t->follow,
        .loading = t->loading,
        .seq = t->seq,
        .subscribers = t->subscribers,
        .past = &t->past,
    };
}

bool hub_home_state(struct hub_home *home, struct hub_topic_key topic, struct hub_topic_state *ret)
{
    const struct topic *t = find(home, topic);
    if (t)
        put_state(t, ret);
    return t;
}

void hub_home_each_topic(struct hub_home *home,
                         void (*visit)(void *arg, const struct hub_topic_state *state), void *arg)
{
    for (uint32_t i = 0; i < home->topics.bucket_count; i++) {
        for (struct name_entry *e = home->topics.buckets[i]; e; e = e->next) {
            struct hub_topic_state state;
            put_state(topic_of(e), &state);
            if (state.follow)
                visit(arg, &state);
        }
    }
}

void hub_home_each_own(struct hub_home *home, struct hub_topic_key topic,
                       void (*visit)(void *arg, const char id[HUB_ID_LEN], struct slice data),
                       void *arg)
{
    const struct topic *t = find(home, topic);
    if (t)
        presence_each_own(&t->presence, visit, arg);
}
