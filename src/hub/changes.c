/* SPDX-License-Identifier: MIT */
/* changes.c - who has come and gone in a home's topics, gathered for a moment and then told; and
 * the losses for which there was no memory at once. */
#include "hub/topic.h"

/* How long changes of who is there gather before they are told. */
#define CHANGES_MS 50

static bool spread_line(struct hub_home *home, struct topic *t, enum hub_event_kind kind,
                        uint64_t number, const struct text *line)
{
    struct hub_event_spec spec = {.kind = kind, .seq = number, .line = text_slice(line)};
    struct hub_event *event = line->failed ? NULL : topic_event(home, t, &spec);
    if (event)
        topic_spread(home, t, event, NULL);
    hub_event_unref(event);
    return event;
}

/* False without memory: it is tried again. */
static bool tell_presence(struct hub_home *home, struct topic *t)
{
    struct text line = {0};
    presence_changes(&t->presence, t->entry.name, &line);
    bool none = !line.failed && !line.len;
    bool ok = none || spread_line(home, t, HUB_PRESENCE, 0, &line);
    text_done(&line);
    return ok;
}

static bool tell_lost(struct hub_home *home, struct topic *t)
{
    struct text line = {0};
    if (!t->lost)
        return true;
    hub_event_put_lost(t->entry.name, t->lost, &line);
    bool ok = spread_line(home, t, HUB_LOST, t->lost, &line);
    text_done(&line);
    if (ok)
        t->lost = 0;
    return ok;
}

static void tell_later(struct hub_home *home, struct topic *t)
{
    if (!list_empty(&t->changed))
        return;
    list_append(&home->changed, &t->changed);
    if (!timer_active(&home->changed_timer))
        timer_start(home->hub->loop, &home->changed_timer, CHANGES_MS);
}

static void on_changed(struct timer *timer)
{
    struct hub_home *home = container_of(timer, struct hub_home, changed_timer);
    struct list todo;
    list_init(&todo);
    list_splice(&todo, &home->changed);
    for (struct list *node; (node = list_pop(&todo));) {
        struct topic *t = container_of(node, struct topic, changed);
        if (!tell_lost(home, t) || !tell_presence(home, t)) {
            list_append(&home->changed, &t->changed);
            continue;
        }
        presence_told(&t->presence);
        topic_settle(home, t);
    }
    if (!list_empty(&home->changed))
        timer_start(home->hub->loop, timer, CHANGES_MS);
}

void changes_note(struct hub_home *home, struct topic *t, enum presence_result result)
{
    if (result == PRESENCE_CHANGED)
        tell_later(home, t);
}

bool changes_tell_lost(struct hub_home *home, struct topic *t)
{
    if (tell_lost(home, t))
        return true;
    tell_later(home, t);
    return false;
}

void changes_init(struct hub_home *home)
{
    list_init(&home->changed);
    timer_init(&home->changed_timer, on_changed);
}

void changes_done(struct hub_home *home)
{
    timer_stop(&home->changed_timer);
}
