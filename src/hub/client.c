/* SPDX-License-Identifier: MIT */
/* client.c - a client's requests, and their answers. */
#include "hub/client.h"

#include "base/base64url.h"
#include "base/hash.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

/* ---- requests on their way ---- */

bool hub_client_busy(const struct hub_client *c)
{
    return c->joining > 0 || c->ahead > c->hub->config->ahead_max;
}

/* Joins are bounded by the number of subscriptions. */
static size_t cost_ahead(const struct hub_request *r)
{
    return r->kind == HUB_JOIN ? 0 : r->cost;
}

void client_under_way(struct hub_request *r)
{
    struct hub_client *c = r->client;
    c->under_way++;
    c->ahead += cost_ahead(r);
    c->joining += r->exclusive;
    c->was_busy |= hub_client_busy(c);
}

static void send_request(struct hub_request *r)
{
    struct hub *hub = r->client->hub;
    if (hub->stopped) {
        hub_request_drop(r); /* the home may be gone */
        return;
    }
    client_under_way(r);
    hub->route->send(hub, r);
}

static struct hub_request *about(struct subscription *s, enum hub_request_kind kind,
                                 struct slice data)
{
    const struct name_entry *topic = &s->topic->entry;
    return hub_request_new(s->client, kind, topic->name, topic->hash, SLICE_NONE, data);
}

static struct slice presence_of(const struct subscription *s)
{
    return slice_make(s->presence, s->presence_len);
}

static void set_shown(struct subscription *s, bool shown)
{
    s->client->hub->counts.present += (uint64_t)shown - s->shown;
    s->shown = shown;
}

/* Tells the home whether others are to see it, if that has changed. */
static void sync_presence(struct subscription *s)
{
    bool show = s->client->shown && s->presence;
    if (!s->active || s->client->left || s->join || show == s->shown)
        return;
    struct hub_request *r =
        about(s, show ? HUB_SHOW : HUB_HIDE, show ? presence_of(s) : SLICE_NONE);
    if (!r)
        return; /* the next change tries again */
    set_shown(s, show);
    send_request(r);
}

void client_look(struct subscription *s)
{
    struct hub_request *r = about(s, HUB_LOOK, SLICE_NONE);
    s->stale = !r;
    if (r)
        send_request(r);
}

/* ---- leaving ---- */

/* The home sees by it whether the join has been done. */
static void withdraw(struct subscription *s, struct hub_request *farewell)
{
    struct hub_request *join = s->join;
    s->join = NULL;
    if (!join || s->client->hub->stopped)
        return; /* then it may have been dropped */
    join->subscription = NULL;
    join->references++;
    farewell->withdraws = join;
}

/* Leaves the topic for good. */
static void part(struct subscription *s)
{
    struct hub_request *farewell = s->farewell;
    s->farewell = NULL;
    farewell->watch = s->watch;
    withdraw(s, farewell);
    subscription_free(s);
    send_request(farewell);
}

void client_free(struct hub_client *c)
{
    while (!list_empty(&c->subscriptions))
        subscription_free(subscription_of(c->subscriptions.next));
    list_remove(&c->node);
    free(c);
}

static void part_all(struct hub_client *c)
{
    while (!list_empty(&c->subscriptions))
        part(subscription_of(c->subscriptions.next));
}

void client_enter(struct hub_client *c)
{
    c->entered++;
}

bool client_exit(struct hub_client *c)
{
    bool left = c->left;
    if (left && c->entered == 1)
        part_all(c);
    c->entered--;
    if (left && !c->entered && !c->under_way)
        client_free(c);
    return !left;
}

/* ---- answers ---- */

static void tell_answer(struct hub_client *c, const struct hub_request *r)
{
    if (!c->left && c->ops->on_answer)
        c->ops->on_answer(c, r);
}

/* The page may have come or gone while the request was under way. */
static void begin_hearing(struct subscription *s, const struct hub_request *r)
{
    delivery_answer(s, r);
    if (r->show != (s->client->shown && s->presence))
        sync_presence(s);
}

static void joined(struct hub_client *c, struct hub_request *r)
{
    struct subscription *s = r->subscription;
    bool good = r->answer == HUB_DONE || r->answer == HUB_PRESENCE_FULL;
    c->joining -= r->exclusive;
    if (!s)
        return; /* it was withdrawn, which the home knows */
    s->join = NULL;
    if (!good && s->active)
        s->watch = r->watched;
    if (good && !c->left) {
        subscription_activate(s);
        set_shown(s, r->show && r->answer == HUB_DONE);
    } else if (!good && !s->active)
        subscription_free(s);
    tell_answer(c, r);
    if (good && !c->left)
        begin_hearing(s, r);
}

static void looked(struct hub_client *c, const struct hub_request *r)
{
    struct subscription *s = c->left ? NULL : subscription_find(c, r->topic);
    if (s && s->active)
        delivery_answer(s, r);
}

static void showed(struct hub_client *c, const struct hub_request *r)
{
    struct subscription *s = c->left ? NULL : subscription_find(c, r->topic);
    if (r->answer == HUB_DONE || !s)
        return;
    set_shown(s, false);
    tell_answer(c, r);
}

static void take_answer(struct hub_client *c, struct hub_request *r)
{
    switch (r->kind) {
    case HUB_JOIN:
        joined(c, r);
        break;
    case HUB_LOOK:
        looked(c, r);
        break;
    case HUB_SHOW:
        showed(c, r);
        break;
    case HUB_PUBLISH:
        tell_answer(c, r);
        break;
    case HUB_LEAVE:
    case HUB_HIDE:
        break;
    }
}

void client_request_back(struct hub_request *r)
{
    struct hub_client *c = r->client;
    c->hub->counts.refused[r->answer] += r->answer != HUB_DONE;
    if (r->kind == HUB_JOIN || r->kind == HUB_LOOK)
        delivery_flush(c->hub);
    c->under_way--;
    c->ahead -= cost_ahead(r);
    client_enter(c);
    take_answer(c, r);
    hub_request_drop(r);
    if (!client_exit(c) || !c->was_busy || hub_client_busy(c))
        return;
    c->was_busy = false;
    if (!c->entered && c->ops->on_room)
        c->ops->on_room(c);
}

/* ---- made and freed ---- */

static void show_all(struct hub_client *c, bool shown)
{
    c->shown = shown;
    client_enter(c);
    for (struct list *node = c->subscriptions.next; node != &c->subscriptions; node = node->next)
        sync_presence(subscription_of(node));
    client_exit(c);
}

static void on_grace_over(struct timer *timer)
{
    show_all(container_of(timer, struct hub_client, grace_timer), false);
}

void hub_client_connected(struct hub_client *c, bool connected)
{
    if (connected == c->connected)
        return;
    c->connected = connected;
    timer_stop(&c->grace_timer);
    if (connected)
        show_all(c, true);
    else
        timer_start(c->hub->loop, &c->grace_timer, c->hub->config->presence_grace_ms);
}

struct hub_client *client_make(struct hub *hub, const struct hub_client_ops *ops, void *owner)
{
    struct hub_client *c = log_needed(calloc(1, sizeof(*c)));
    if (!c)
        return NULL;
    c->hub = hub;
    c->ops = ops;
    c->owner = owner;
    list_init(&c->subscriptions);
    list_append(&hub->clients, &c->node);
    timer_init(&c->grace_timer, on_grace_over);
    return c;
}

struct hub_client *hub_client_new(struct hub *hub, const struct hub_client_ops *ops, void *owner)
{
    struct hub_client *c = client_make(hub, ops, owner);
    if (!c || base64url_draw(c->id, sizeof(c->id)) == 0)
        return c;
    client_free(c);
    return NULL;
}

void hub_client_leave(struct hub_client *c)
{
    if (!c)
        return;
    client_enter(c);
    delivery_flush(c->hub);
    c->left = true;
    timer_stop(&c->grace_timer);
    for (struct list *node = c->subscriptions.next; node != &c->subscriptions; node = node->next)
        list_remove(&subscription_of(node)->of_topic);
    client_exit(c);
}

void *hub_client_owner(const struct hub_client *c)
{
    return c->owner;
}

struct slice hub_client_id(const struct hub_client *c)
{
    return slice_make(c->id, HUB_ID_LEN);
}

/* ---- what it asks ---- */

static enum hub_answer refuse(struct hub_client *c, enum hub_answer answer)
{
    c->hub->counts.refused[answer]++;
    return answer;
}

/* Checks the limits that this thread knows, before the home is asked. */
static enum hub_answer check_subscribe(const struct hub_client *c, const struct subscription *known,
                                       const struct topic_subscription *wanted)
{
    const struct hub_config *config = c->hub->config;
    if (!known && c->subscription_count >= config->subscriptions_max)
        return HUB_SUBSCRIPTIONS_FULL;
    return wanted->presence.len > config->presence_data_max ? HUB_PRESENCE_TOO_LONG : HUB_DONE;
}

struct hub_request *client_make_join(struct subscription *s,
                                     const struct topic_subscription *wanted)
{
    bool show = s->client->shown && wanted->presence.len, watched = s->watch;
    struct hub_request *r = about(s, HUB_JOIN, show ? wanted->presence : SLICE_NONE);
    if (!r || !subscription_set(s, wanted)) {
        hub_request_drop(r);
        return NULL;
    }
    r->again = s->active;
    r->watch = s->watch;
    r->watched = s->active && watched;
    r->show = show;
    r->last = wanted->last;
    r->history = wanted->history;
    r->exclusive = s->active || !s->client->hub->distant;
    r->subscription = s;
    s->join = r;
    return r;
}

enum hub_answer hub_subscribe(struct hub_client *c, const struct topic_subscription *wanted)
{
    struct slice topic = topic_name_slice(&wanted->topic);
    delivery_flush(c->hub);
    struct subscription *known = subscription_find(c, topic), *s = known;
    enum hub_answer answer = check_subscribe(c, known, wanted);
    assert(!c->joining);
    if (answer != HUB_DONE)
        return refuse(c, answer);
    bool anew = !known || known->join; /* one that waits gives way to what is wanted now */
    if (anew)
        s = subscription_new(c, topic, hash_bytes(topic));
    struct hub_request *r = s ? client_make_join(s, wanted) : NULL;
    if (!r) {
        if (s && anew)
            subscription_free(s);
        return refuse(c, HUB_NO_MEMORY);
    }
    client_enter(c);
    if (known && anew)
        part(known);
    send_request(r);
    client_exit(c);
    return HUB_DONE;
}

enum hub_answer hub_unsubscribe(struct hub_client *c, struct slice topic)
{
    delivery_flush(c->hub);
    struct subscription *s = subscription_find(c, topic);
    assert(!c->joining);
    if (!s)
        return refuse(c, HUB_NOT_SUBSCRIBED);
    client_enter(c);
    part(s);
    client_exit(c);
    return HUB_DONE;
}

enum hub_answer hub_publish(struct hub_client *c, const struct topic_publication *what,
                            bool anonymous, void *tag)
{
    struct slice topic = topic_name_slice(&what->topic);
    struct slice event = slice_make(what->event, what->event_len);
    if (event.len + what->data.len > c->hub->config->message_max)
        return refuse(c, HUB_TOO_LONG);
    struct hub_request *r =
        hub_request_new(c, HUB_PUBLISH, topic, hash_bytes(topic), event, what->data);
    if (!r)
        return refuse(c, HUB_NO_MEMORY);
    r->keep = what->keep;
    r->anonymous = anonymous;
    r->tag = tag;
    client_enter(c);
    send_request(r);
    client_exit(c);
    return HUB_DONE;
}
