/* SPDX-License-Identifier: MIT */
/* publish_events.h - the events in the body of a `POST /publish`: one, or
 * an array of them. Pure. */
#ifndef ADMIN_PUBLISH_EVENTS_H
#define ADMIN_PUBLISH_EVENTS_H

#include "base/text.h"

struct publish_events {
    struct slice rest;
    bool several; /* an array */
    bool over;
};

/* JSON may stand on several lines here, events may not: line ends between values become blanks.
 * Those inside a string are no JSON, and stay. */
void publish_put_on_one_line(struct text *json);

/* `json` is valid, and lives as long as the events are read. */
struct publish_events publish_events_of(struct slice json);
/* The next one; false after the last. */
bool publish_events_next(struct publish_events *events, struct slice *ret);

#endif
