/* SPDX-License-Identifier: MIT */
/* past.h - the short history of one topic: its newest events, bounded in number and bytes, and the
 * kept one. At a bound the oldest events go. */
#ifndef HUB_PAST_H
#define HUB_PAST_H

#include "hub/event.h"
#include "proto/topic.h"

struct past {
    struct hub_event *first, *last; /* the oldest, the newest; a reference of each */
    size_t bytes;
    uint32_t count;
    struct hub_event *kept; /* a reference */
};

/* Takes references of its own. */
void past_add(struct past *past, struct hub_event *event, enum topic_keep keep, uint32_t count_max,
              size_t bytes_max);

/* What `keep` does to the kept event. */
void past_keep(struct past *past, struct hub_event *event, enum topic_keep keep);

/* The newest `history` events, before them the kept one if `last` asks for it and it is not among
 * them: an array on the heap, with a reference of each. False without memory. */
bool past_get(const struct past *past, uint32_t history, bool last, struct hub_event ***ret,
              size_t *ret_count);

/* What it holds of memory. */
size_t past_held(const struct past *past);

static inline bool past_empty(const struct past *past)
{
    return !past->count && !past->kept;
}
void past_clear(struct past *past, bool kept_too);

#endif
