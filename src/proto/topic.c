/* SPDX-License-Identifier: MIT */
#include "proto/topic.h"

#include "proto/json_walk.h"

/* One member of a command: reads its value; false: `why` of the row is what was expected. */
struct member_row {
    struct slice key;
    bool (*read)(struct slice value, void *into);
    const char *why;
};

/* ---- values ---- */

static bool read_bool(struct slice value, bool *ret)
{
    *ret = slice_equal(value, SLICE_LITERAL("true"));
    return *ret || slice_equal(value, SLICE_LITERAL("false"));
}

/* Longer strings than `max` are no names, even if every byte is escaped. */
static bool read_string(struct slice value, size_t max, char *out, size_t *ret_len)
{
    char plain[6 * TOPIC_NAME_MAX + 2];
    size_t len;
    if (value.len > 6 * max + 2 || !json_unquote(value, plain, &len) || len > max)
        return false;
    memcpy(out, plain, len);
    *ret_len = len;
    return true;
}

bool topic_name_valid(struct slice name)
{
    if (!name.len || name.len > TOPIC_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!message_is_name_char(name.ptr[i]))
            return false;
    return true;
}

static bool read_topic(struct slice value, struct topic_name *ret)
{
    size_t len;
    if (!read_string(value, TOPIC_NAME_MAX, ret->text, &len) ||
        !topic_name_valid(slice_make(ret->text, len)))
        return false;
    ret->len = (uint8_t)len;
    return true;
}

/* ---- .subscribe ---- */

static bool subscribe_topic(struct slice value, void *into)
{
    struct topic_subscription *s = into;
    return read_topic(value, &s->topic);
}

static bool subscribe_history(struct slice value, void *into)
{
    struct topic_subscription *s = into;
    uint64_t count;
    if (!slice_to_uint(value, UINT32_MAX, &count))
        return false;
    s->history = (uint32_t)count;
    return true;
}

static bool subscribe_last(struct slice value, void *into)
{
    struct topic_subscription *s = into;
    return read_bool(value, &s->last);
}

static bool subscribe_watch(struct slice value, void *into)
{
    struct topic_subscription *s = into;
    return read_bool(value, &s->watch);
}

static bool subscribe_self(struct slice value, void *into)
{
    struct topic_subscription *s = into;
    bool self;
    if (!read_bool(value, &self))
        return false;
    s->without_self = !self;
    return true;
}

static bool subscribe_to(struct slice value, void *into)
{
    struct topic_subscription *s = into;
    s->to_page = slice_equal(value, SLICE_LITERAL("\"page\""));
    return s->to_page || slice_equal(value, SLICE_LITERAL("\"program\""));
}

static bool subscribe_presence(struct slice value, void *into)
{
    struct topic_subscription *s = into;
    struct slice rest;
    s->presence = value;
    return json_walk_object(value, &rest);
}

static const char topic_why[] = "`topic`: expected 1 to 255 of A-Z a-z 0-9 _ - : / .";

static const struct member_row subscribe_rows[] = {
    {SLICE_LITERAL("topic"), subscribe_topic, topic_why},
    {SLICE_LITERAL("history"), subscribe_history, "`history`: expected a number of events"},
    {SLICE_LITERAL("last"), subscribe_last, "`last`: expected true or false"},
    {SLICE_LITERAL("presence"), subscribe_presence, "`presence`: expected an object"},
    {SLICE_LITERAL("watch"), subscribe_watch, "`watch`: expected true or false"},
    {SLICE_LITERAL("self"), subscribe_self, "`self`: expected true or false"},
    {SLICE_LITERAL("to"), subscribe_to, "`to`: expected \"page\" or \"program\""},
};

/* ---- .unsubscribe ---- */

static bool unsubscribe_topic(struct slice value, void *into)
{
    return read_topic(value, into);
}

static const struct member_row unsubscribe_rows[] = {
    {SLICE_LITERAL("topic"), unsubscribe_topic, topic_why},
};

/* ---- .publish ---- */

static bool publish_topic(struct slice value, void *into)
{
    struct topic_publication *p = into;
    return read_topic(value, &p->topic);
}

static bool publish_event(struct slice value, void *into)
{
    struct topic_publication *p = into;
    size_t len;
    if (!read_string(value, MESSAGE_NAME_MAX, p->event, &len) ||
        !message_is_name(slice_make(p->event, len)))
        return false;
    p->event_len = (uint8_t)len;
    return true;
}

static bool publish_data(struct slice value, void *into)
{
    struct topic_publication *p = into;
    p->data = value;
    return true;
}

static bool publish_keep(struct slice value, void *into)
{
    struct topic_publication *p = into;
    bool keep;
    if (!read_bool(value, &keep))
        return false;
    p->keep = keep ? TOPIC_KEEP_THIS : TOPIC_KEEP_NONE;
    return true;
}

static const struct member_row publish_rows[] = {
    {SLICE_LITERAL("topic"), publish_topic, topic_why},
    {SLICE_LITERAL("event"), publish_event,
     "`event`: expected 1 to 128 of A-Z a-z 0-9 _ - : / ., not beginning with a dot"},
    {SLICE_LITERAL("data"), publish_data, ""},
    {SLICE_LITERAL("keep"), publish_keep, "`keep`: expected true or false"},
};

/* ---- a whole command ---- */

static size_t find_row(const struct member_row *rows, size_t count, struct slice key)
{
    size_t i = 0;
    while (i < count && !json_key_is(key, rows[i].key))
        i++;
    return i;
}

static bool read_members(struct slice json, const struct member_row *rows, size_t count, void *into,
                         const char **why)
{
    struct slice rest;
    struct json_member member;
    unsigned seen = 0;
    *why = "expected an object";
    if (!json_walk_object(json, &rest))
        return false;
    while (json_next_member(&rest, &member)) {
        size_t row = find_row(rows, count, member.key);
        *why = row == count ? "a member that is not known" : "a member that is given twice";
        if (row == count || seen >> row & 1)
            return false;
        *why = rows[row].why;
        if (!rows[row].read(member.value, into))
            return false;
        seen |= 1u << row;
    }
    *why = topic_why;
    return seen & 1; /* the first row is `topic`, which each must have */
}

#define READ(json, rows, into, why)                                                                \
    read_members(json, rows, sizeof(rows) / sizeof(*(rows)), into, why)

bool topic_parse_subscribe(struct slice json, struct topic_subscription *ret, const char **why)
{
    *ret = (struct topic_subscription){0};
    return READ(json, subscribe_rows, ret, why);
}

bool topic_parse_unsubscribe(struct slice json, struct topic_name *ret, const char **why)
{
    ret->len = 0;
    return READ(json, unsubscribe_rows, ret, why);
}

bool topic_parse_publish(struct slice json, struct topic_publication *ret, const char **why)
{
    *ret = (struct topic_publication){0};
    if (!READ(json, publish_rows, ret, why))
        return false;
    *why = publish_rows[1].why;
    return ret->event_len;
}
