/* SPDX-License-Identifier: MIT */
/* event.h - one thing that happened in a topic, framed once as the line that programs read.
 *
 * Made by the topic's home, which gives it its number; after that it never changes. The home's
 * history holds it, and so does every worker that it is on its way to.
 *
 * Threads  Any: the counts are atomic. `next` is the home's.
 */
#ifndef HUB_EVENT_H
#define HUB_EVENT_H

#include "base/text.h"
#include "core/loop.h"
#include "proto/topic.h"

#include <stdatomic.h>

struct pack;

#define HUB_ID_LEN    12
#define HUB_IDENT_MAX 40

struct hub;
struct hub_request;

enum hub_event_kind {
    HUB_PUBLISHED, /* `.topic {…}` */
    HUB_PRESENCE,  /* `.presence {…}`: who came and went */
    HUB_LOST       /* `.topic {…,"lost":N}`: so many events can't be had any more */
};

/* One worker's letter. */
struct hub_copy {
    struct mail mail;
    struct hub *to; /* borrowed: outlives all mail */
    struct hub_event *event;
};

struct hub_event {
    atomic_uint refs;
    atomic_uint undelivered; /* letters on their way, and the home itself until it has posted all */
    struct hub_request
        *asked;             /* goes back to its sender when nothing is undelivered; may be NULL */
    struct hub_event *next; /* in the topic's history */
    enum hub_event_kind kind;
    uint64_t hash;         /* of the topic's name */
    uint64_t seq;          /* of HUB_LOST: how many */
    char from[HUB_ID_LEN]; /* all 0: from outside */
    struct slice topic, name, data, line;
    struct hub_copy *copies;
    uint16_t copy_count;
    uint8_t ident_len; /* behind the line */
    uint8_t keep;      /* enum topic_keep */
};

struct hub_event_spec {
    enum hub_event_kind kind;
    uint64_t hash, seq, time_ms;
    const char *from; /* HUB_ID_LEN bytes, or NULL */
    struct slice topic;
    struct slice name, data; /* of HUB_PUBLISHED; data SLICE_NONE: null */
    struct slice line;       /* of HUB_PRESENCE */
    uint16_t copies;
    struct slice ident; /* what an upstream knows a publication by; at most HUB_IDENT_MAX bytes */
    enum topic_keep keep;
};

/* One reference. NULL without memory. */
struct hub_event *hub_event_new(const struct hub_event_spec *spec);
/* For the process that takes over: a published one, as it was framed. NULL: it can't be read, or
 * there is no memory. `copies` as of hub_event_spec. */
void hub_event_pack(const struct hub_event *event, struct pack *p);
struct hub_event *hub_event_unpack(struct slice in, uint64_t hash);
void hub_event_ref(struct hub_event *event);
/* Accepts NULL. */
void hub_event_unref(struct hub_event *event);

/* Of a published one: when, and its `ident`. */
uint64_t hub_event_time_ms(const struct hub_event *event);
struct slice hub_event_ident(const struct hub_event *event);

/* How many bytes the event counts for in a history. */
size_t hub_event_cost(const struct hub_event *event);

/* Appends the line that tells a loss. */
void hub_event_put_lost(struct slice topic, uint64_t count, struct text *out);

/* A line is HUB_LINE_BEGIN, the members for one reader alone, and hub_event_rest(). */
#define HUB_LINE_BEGIN SLICE_LITERAL(".topic {")
#define HUB_LINE_SELF  SLICE_LITERAL(".topic {\"self\":true,")
#define HUB_LINE_PAST  SLICE_LITERAL(".topic {\"past\":true,")
struct slice hub_event_rest(const struct hub_event *event);

#endif
