/* SPDX-License-Identifier: MIT */
#include "hub/threads.h"

#include "base/log.h"

#include <stdlib.h>

struct hub_threads *hub_threads_new(uint16_t workers)
{
    struct hub_threads *threads =
        log_needed(calloc(1, sizeof(*threads) + workers * sizeof(*threads->homes)));
    if (threads)
        threads->count = workers;
    return threads;
}

void hub_threads_add(struct hub_threads *threads, uint16_t index, struct hub *hub)
{
    hub_home_init(&threads->homes[index], threads, hub);
}

void hub_threads_forget(struct hub_threads *threads, uint16_t index)
{
    hub_home_done(&threads->homes[index]);
}

void hub_threads_free(struct hub_threads *threads)
{
    free(threads);
}

/* ---- requests ---- */

static void deliver_request(struct mail *mail)
{
    struct hub_request *r = container_of(mail, struct hub_request, mail);
    struct hub_home *home = r->home;
    if (home->hub == r->hub)
        r->hub->to_own--;
    if (home->hub->stopped)
        hub_request_drop(r);
    else
        hub_home_handle(home, r);
}

static void find_home(struct hub *hub, struct hub_request *r)
{
    struct hub_threads *threads = hub->route_end;
    r->home = &threads->homes[r->hash % threads->count];
}

void hub_threads_send_later(struct hub *hub, struct hub_request *r)
{
    find_home(hub, r);
    if (r->home->hub == hub)
        hub->to_own++;
    loop_post(r->home->hub->loop, &r->mail, deliver_request);
}

/* A request to an own home stays behind those that have come by mail: one of them may be the join
 * of somebody whom our client has heard of. */
static void send_request(struct hub *hub, struct hub_request *r)
{
    find_home(hub, r);
    if (r->home->hub == hub && !hub->to_own && !loop_has_mail(hub->loop))
        hub_home_handle(r->home, r);
    else
        hub_threads_send_later(hub, r);
}

const struct hub_route hub_threads_route = {send_request};

/* ---- events ---- */

static bool concerns(enum hub_event_kind kind, const struct hub_audience *audience)
{
    return kind == HUB_PRESENCE ? audience->watchers : audience->subscribers;
}

uint16_t hub_threads_copies(const struct hub_home *home, enum hub_event_kind kind,
                            const struct hub_audience *audience)
{
    uint16_t copies = 0;
    for (uint16_t i = 0; i < home->threads->count; i++)
        if (home != &home->threads->homes[i] && concerns(kind, &audience[i]))
            copies++;
    return copies;
}

/* One less on its way; the last one sends the request back. */
static void delivered(struct hub *at, struct hub_event *event)
{
    struct hub_request *asked = event->asked;
    if (atomic_fetch_sub_explicit(&event->undelivered, 1, memory_order_acq_rel) == 1 && asked)
        hub_request_return(at, asked);
    hub_event_unref(event);
}

static void deliver_copy(struct mail *mail)
{
    struct hub_copy *copy = container_of(mail, struct hub_copy, mail);
    struct hub *to = copy->to;
    struct hub_event *event = copy->event;
    if (!to->stopped)
        hub_take_event(to, event);
    delivered(to, event);
}

static void post_copy(struct hub_event *event, struct hub *to)
{
    struct hub_copy *copy = &event->copies[event->copy_count++];
    *copy = (struct hub_copy){.to = to, .event = event};
    hub_event_ref(event);
    atomic_fetch_add_explicit(&event->undelivered, 1, memory_order_relaxed);
    loop_post(to->loop, &copy->mail, deliver_copy);
}

void hub_threads_spread(struct hub_home *home, struct hub_event *event,
                        const struct hub_audience *audience, struct hub_request *asked)
{
    uint16_t own = (uint16_t)(home - home->threads->homes);
    event->asked = asked;
    for (uint16_t i = 0; i < home->threads->count; i++)
        if (i != own && concerns(event->kind, &audience[i]))
            post_copy(event, home->threads->homes[i].hub);
    if (concerns(event->kind, &audience[own]))
        hub_take_event(home->hub, event);
    hub_event_ref(event);
    delivered(home->hub, event);
}
