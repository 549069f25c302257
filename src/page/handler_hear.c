/* SPDX-License-Identifier: MIT */
/* handler_hear.c - what a handler hears: each message by the callback that it has.
 *
 * The page's own words come as the JSON that other programs read. Their members are looked up here;
 * it is JSON of the server's, or has been checked.
 */
#include "base/log.h"
#include "page/handler_parts.h"
#include "proto/json_walk.h"

#include <stdlib.h>

/* ---- members of an object ---- */

static struct slice member(struct slice json, struct slice name)
{
    struct slice rest;
    struct json_member m;
    if (!json_walk_object(json, &rest))
        return SLICE_NONE;
    while (json_next_member(&rest, &m))
        if (json_key_is(m.key, name))
            return m.value;
    return SLICE_NONE;
}

#define MEMBER(json, name) member((json), SLICE_LITERAL(name))

static uint64_t number_of(struct slice value)
{
    uint64_t number;
    return slice_to_uint(value, UINT64_MAX, &number) ? number : 0;
}

static bool is_true(struct slice value)
{
    return slice_equal(value, SLICE_LITERAL("true"));
}

/* A string whose characters need no escapes; empty: it is none. */
static struct slice plain(struct slice value)
{
    struct slice text;
    return value.len && json_plain_text(value, &text) ? text : SLICE_LITERAL("");
}

/* Any string. *heap is to be freed. */
static struct slice text_of(struct slice value, char **heap)
{
    struct slice text;
    size_t len;
    *heap = NULL;
    if (!value.len)
        return SLICE_LITERAL("");
    if (json_plain_text(value, &text))
        return text;
    *heap = log_needed(malloc(value.len));
    if (!*heap || !json_unquote_valid(value, *heap, &len))
        return SLICE_LITERAL("");
    return slice_make(*heap, len);
}

/* ---- from the client ---- */

static enum message_form form_of(const struct message *m)
{
    return m->binary ? MESSAGE_BYTES : m->text ? MESSAGE_TEXT : MESSAGE_JSON;
}

static void hear_event(struct handler *h, const struct message *m, const struct handler_data *data)
{
    if (h->ops->on_event)
        h->ops->on_event(h, m->name, data);
}

static void hear_call(struct handler *h, const struct message *m, const struct handler_data *data)
{
    if (h->ops->on_call)
        h->ops->on_call(h, m->name, m->call, data);
    else
        handler_fail_call(h, m->call, SLICE_LITERAL("this page answers no calls"));
}

static void hear_answer(struct handler *h, const struct message *m, const struct handler_data *data)
{
    if (h->ops->on_answer)
        h->ops->on_answer(h, m->call, m->kind, data);
}

/* ---- from the page ---- */

static void hear_attach(struct handler *h, const struct message *m)
{
    if (h->ops->on_attach)
        h->ops->on_attach(h, is_true(MEMBER(m->body, "resumed")));
}

static void hear_detach(struct handler *h, const struct message *m)
{
    if (h->ops->on_detach)
        h->ops->on_detach(h, plain(MEMBER(m->body, "reason")));
}

static void tell_state(struct handler *h, struct slice why, uint64_t resent,
                       struct handler_data state)
{
    if (h->ops->on_restore)
        h->ops->on_restore(h, why, resent, &state);
}

/* A state of bytes comes behind it. */
static void hear_restore(struct handler *h, const struct message *m)
{
    struct slice why = plain(MEMBER(m->body, "why"));
    uint64_t resent = number_of(MEMBER(m->body, "resent"));
    if (!is_true(MEMBER(m->body, "bytes"))) {
        tell_state(h, why, resent, handler_json(MEMBER(m->body, "state")));
        return;
    }
    struct slice kept = slice_first(why, sizeof(h->restore_why) - 1);
    memset(h->restore_why, 0, sizeof(h->restore_why));
    memcpy(h->restore_why, kept.ptr, kept.len);
    h->restore_resent = resent;
}

static void hear_state(struct handler *h, const struct message *m)
{
    tell_state(h, slice_of(h->restore_why), h->restore_resent,
               (struct handler_data){MESSAGE_BYTES, m->body});
}

static void hear_topic(struct handler *h, const struct message *m)
{
    struct handler_topic_event e = {0};
    struct slice rest;
    struct json_member member;
    if (!h->ops->on_topic || !json_walk_object(m->body, &rest))
        return;
    while (json_next_member(&rest, &member)) {
        struct slice key = plain(member.key);
        if (slice_equal(key, SLICE_LITERAL("topic")))
            e.topic = plain(member.value);
        else if (slice_equal(key, SLICE_LITERAL("event")))
            e.event = plain(member.value);
        else if (slice_equal(key, SLICE_LITERAL("data")))
            e.data = member.value;
        else if (slice_equal(key, SLICE_LITERAL("from")))
            e.from = plain(member.value);
        else if (slice_equal(key, SLICE_LITERAL("seq")))
            e.seq = number_of(member.value);
        else if (slice_equal(key, SLICE_LITERAL("time")))
            e.time_ms = number_of(member.value);
        else if (slice_equal(key, SLICE_LITERAL("lost")))
            e.lost = number_of(member.value);
        else if (slice_equal(key, SLICE_LITERAL("self")))
            e.self = is_true(member.value);
        else if (slice_equal(key, SLICE_LITERAL("past")))
            e.past = is_true(member.value);
    }
    h->ops->on_topic(h, &e);
}

static void hear_body(struct handler *h, const struct message *m)
{
    if (m->binary && h->ops->on_body)
        h->ops->on_body(h, m->body);
    else if (!m->binary && h->ops->on_body_end)
        h->ops->on_body_end(h);
}

/* ---- byte streams ---- */

static uint32_t stream_of(const struct message *m)
{
    return (uint32_t)number_of(MEMBER(m->body, "id"));
}

static void hear_stream(struct handler *h, const struct message *m)
{
    if (h->ops->on_stream)
        h->ops->on_stream(h, stream_of(m), plain(MEMBER(m->body, "name")), MEMBER(m->body, "data"));
    else
        handler_reset_stream(h, stream_of(m), SLICE_LITERAL("stream-unsupported"), SLICE_NONE);
}

static void hear_stream_end(struct handler *h, const struct message *m)
{
    if (h->ops->on_stream_end)
        h->ops->on_stream_end(h, stream_of(m));
}

static void hear_stream_reset(struct handler *h, const struct message *m)
{
    char *reason_heap, *message_heap;
    struct slice reason = text_of(MEMBER(m->body, "reason"), &reason_heap);
    struct slice message = text_of(MEMBER(m->body, "message"), &message_heap);
    if (h->ops->on_stream_reset)
        h->ops->on_stream_reset(h, stream_of(m), reason, message);
    free(reason_heap);
    free(message_heap);
}

static void hear_stream_data(struct handler *h, const struct message *m)
{
    struct slice number = slice_skip(m->name, sizeof("stream/") - 1);
    if (h->ops->on_stream_data)
        h->ops->on_stream_data(h, (uint32_t)number_of(number), m->body);
}

static void hear_stream_room(struct handler *h, const struct message *m)
{
    struct slice number = slice_skip(m->name, sizeof("room/") - 1);
    if (h->ops->on_stream_room)
        h->ops->on_stream_room(h, (uint32_t)number_of(number));
}

/* ---- which ---- */

static const struct word {
    struct slice name; /* with a slash at its end: more follows */
    void (*hear)(struct handler *h, const struct message *m);
} words[] = {
    {SLICE_LITERAL("topic"), hear_topic},       {SLICE_LITERAL("stream/"), hear_stream_data},
    {SLICE_LITERAL("attach"), hear_attach},     {SLICE_LITERAL("detach"), hear_detach},
    {SLICE_LITERAL("body"), hear_body},         {SLICE_LITERAL("restore"), hear_restore},
    {SLICE_LITERAL("state"), hear_state},       {SLICE_LITERAL("stream"), hear_stream},
    {SLICE_LITERAL("end"), hear_stream_end},    {SLICE_LITERAL("reset"), hear_stream_reset},
    {SLICE_LITERAL("room/"), hear_stream_room}, /* of seat_handler.c */
};

static bool is_word(struct slice name, struct slice word)
{
    bool open = word.ptr[word.len - 1] == '/';
    return open ? slice_starts_with(name, word) : slice_equal(name, word);
}

static void hear_command(struct handler *h, const struct message *m)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!is_word(m->name, words[i].name))
            continue;
        words[i].hear(h, m);
        return;
    }
    if (h->ops->on_command)
        h->ops->on_command(h, m->name, m->body);
}

void handler_hear(struct handler *h, const struct message *m)
{
    struct handler_data data = {form_of(m), m->body};
    switch (m->kind) {
    case MESSAGE_EVENT:
        hear_event(h, m, &data);
        return;
    case MESSAGE_CALL:
        hear_call(h, m, &data);
        return;
    case MESSAGE_ANSWER:
    case MESSAGE_PART:
    case MESSAGE_FAILURE:
        hear_answer(h, m, &data);
        return;
    case MESSAGE_COMMAND:
    case MESSAGE_CONTROL:
        hear_command(h, m);
        return;
    }
}
