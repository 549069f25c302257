/* SPDX-License-Identifier: MIT */
#include "admin/publish_events.h"

#include "proto/json_walk.h"

void publish_put_on_one_line(struct text *json)
{
    bool in_string = false;
    for (size_t i = 0; i < json->len; i++) {
        char *c = &json->ptr[i];
        if (in_string && *c == '\\')
            i++;
        else if (*c == '"')
            in_string = !in_string;
        else if (!in_string && (*c == '\n' || *c == '\r'))
            *c = ' ';
    }
}

struct publish_events publish_events_of(struct slice json)
{
    struct publish_events events = {.rest = json};
    struct slice items;
    events.several = json_walk_array(json, &items);
    if (events.several)
        events.rest = items;
    return events;
}

bool publish_events_next(struct publish_events *events, struct slice *ret)
{
    if (events->several)
        return json_next_item(&events->rest, ret);
    *ret = events->rest;
    bool first = !events->over;
    events->over = true;
    return first;
}
