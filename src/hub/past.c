/* SPDX-License-Identifier: MIT */
#include "hub/past.h"

#include <stdlib.h>

static void drop_oldest(struct past *past)
{
    struct hub_event *oldest = past->first;
    past->first = oldest->next;
    if (!past->first)
        past->last = NULL;
    past->bytes -= hub_event_cost(oldest);
    past->count--;
    hub_event_unref(oldest);
}

size_t past_held(const struct past *past)
{
    const struct hub_event *kept = past->kept;
    bool also = kept && (!past->first || kept->seq < past->first->seq);
    return past->bytes + (also ? hub_event_cost(kept) : 0);
}

void past_keep(struct past *past, struct hub_event *event, enum topic_keep keep)
{
    if (keep == TOPIC_KEEP_AS_IT_IS)
        return;
    hub_event_unref(past->kept);
    past->kept = keep == TOPIC_KEEP_THIS ? event : NULL;
    if (past->kept)
        hub_event_ref(event);
}

void past_add(struct past *past, struct hub_event *event, enum topic_keep keep, uint32_t count_max,
              size_t bytes_max)
{
    past_keep(past, event, keep);
    hub_event_ref(event);
    event->next = NULL;
    if (past->last)
        past->last->next = event;
    else
        past->first = event;
    past->last = event;
    past->bytes += hub_event_cost(event);
    past->count++;
    while (past->count > count_max || past->bytes > bytes_max)
        drop_oldest(past);
}

bool past_get(const struct past *past, uint32_t history, bool last, struct hub_event ***ret,
              size_t *ret_count)
{
    uint32_t wanted = history < past->count ? history : past->count;
    struct hub_event *first = past->first;
    for (uint32_t skip = past->count - wanted; skip > 0; skip--)
        first = first->next;
    bool kept = last && past->kept && (!wanted || past->kept->seq < first->seq);
    *ret_count = 0;
    *ret = NULL;
    if (!kept && !wanted)
        return true;
    *ret = malloc((wanted + 1) * sizeof(**ret));
    if (!*ret)
        return false;
    if (kept)
        (*ret)[(*ret_count)++] = past->kept;
    for (struct hub_event *event = wanted ? first : NULL; event; event = event->next)
        (*ret)[(*ret_count)++] = event;
    for (size_t i = 0; i < *ret_count; i++)
        hub_event_ref((*ret)[i]);
    return true;
}

void past_clear(struct past *past, bool kept_too)
{
    while (past->first)
        drop_oldest(past);
    if (!kept_too)
        return;
    hub_event_unref(past->kept);
    past->kept = NULL;
}
