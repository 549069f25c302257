/* SPDX-License-Identifier: MIT */
/* topic.h - the commands of programs and operators about topics: `.subscribe`, `.unsubscribe`,
 * `.publish`, and the body of `POST /publish` (docs/page-programs/topics.md).
 *
 * Pure: from valid JSON to values. Strict: an unknown member, a repeated member or a member of the
 * wrong type is an error, never ignored. `data` and `presence` stay slices of the text.
 */
#ifndef PROTO_TOPIC_H
#define PROTO_TOPIC_H

#include "base/slice.h"
#include "proto/message.h"

#define TOPIC_NAME_MAX 255

struct topic_name {
    uint8_t len; /* 0: not given */
    char text[TOPIC_NAME_MAX];
};

static inline struct slice topic_name_slice(const struct topic_name *name)
{
    return slice_make(name->text, name->len);
}

struct topic_subscription {
    struct topic_name topic;
    uint32_t history;      /* how many past events are wanted */
    bool last;             /* the kept event too */
    bool watch;            /* be told who is there; does not show the subscriber */
    bool without_self;     /* leave out what the subscriber itself publishes */
    bool to_page;          /* events go straight to the page */
    struct slice presence; /* an object to be shown with; SLICE_NONE: not shown */
};

enum topic_keep {
    TOPIC_KEEP_AS_IT_IS, /* `keep` is not given */
    TOPIC_KEEP_THIS,
    TOPIC_KEEP_NONE
};

struct topic_publication {
    struct topic_name topic;
    uint8_t event_len;
    char event[MESSAGE_NAME_MAX];
    struct slice data; /* SLICE_NONE: null */
    enum topic_keep keep;
};

/* True, or false with a static text of what is wrong. */
bool topic_parse_subscribe(struct slice json, struct topic_subscription *ret, const char **why);
bool topic_parse_unsubscribe(struct slice json, struct topic_name *ret, const char **why);
bool topic_parse_publish(struct slice json, struct topic_publication *ret, const char **why);

/* 1 to 255 bytes of A-Z a-z 0-9 _ - : / . */
bool topic_name_valid(struct slice name);

#endif
