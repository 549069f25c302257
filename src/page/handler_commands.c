/* SPDX-License-Identifier: MIT */
/* handler_commands.c - the commands of handlers that have arguments of their own: each is the
 * message that other programs write. */
#include "page/handler_parts.h"
#include "page/host.h"
#include "page/streams.h"
#include "proto/json_text.h"
#include "proto/json_walk.h"

#include <errno.h>

/* Frees the JSON. */
static int say_json(struct handler *h, const char *head, struct text *json)
{
    struct handler_data data = handler_json(text_slice(json));
    int sent = json->failed ? -ENOMEM : handler_say(h, slice_of(head), &data);
    text_done(json);
    return sent;
}

/* ---- topics ---- */

static void put_subscription(struct text *json, const struct handler_subscription *how)
{
    if (how->history)
        json_text_number(json, "history", how->history);
    if (how->last)
        json_text_flag(json, "last", true);
    if (how->watch)
        json_text_flag(json, "watch", true);
    if (how->without_self)
        json_text_flag(json, "self", false);
    if (how->to_page)
        json_text_string(json, "to", SLICE_LITERAL("page"));
    if (how->presence.len)
        json_text_value(json, "presence", how->presence);
}

int handler_subscribe(struct handler *h, struct slice topic, const struct handler_subscription *how)
{
    struct text json = {0};
    struct slice none;
    if (!topic_name_valid(topic) ||
        (how && how->presence.len &&
         (!json_valid(how->presence, JSON_DEPTH_MAX) || !json_walk_object(how->presence, &none))))
        return -EINVAL;
    json_text_begin(&json);
    json_text_string(&json, "topic", topic);
    if (how)
        put_subscription(&json, how);
    json_text_end(&json);
    return say_json(h, ".subscribe", &json);
}

int handler_unsubscribe(struct handler *h, struct slice topic)
{
    struct text json = {0};
    if (!topic_name_valid(topic))
        return -EINVAL;
    json_text_begin(&json);
    json_text_string(&json, "topic", topic);
    json_text_end(&json);
    return say_json(h, ".unsubscribe", &json);
}

int handler_publish(struct handler *h, struct slice topic, struct slice event, struct slice data,
                    enum topic_keep keep)
{
    struct text json = {0};
    if (!topic_name_valid(topic) || !message_is_name(event) ||
        (data.len && !json_valid(data, JSON_DEPTH_MAX)))
        return -EINVAL;
    json_text_begin(&json);
    json_text_string(&json, "topic", topic);
    json_text_string(&json, "event", event);
    if (data.len)
        json_text_value(&json, "data", data);
    if (keep != TOPIC_KEEP_AS_IT_IS)
        json_text_flag(&json, "keep", keep == TOPIC_KEEP_THIS);
    json_text_end(&json);
    return say_json(h, ".publish", &json);
}

/* ---- the state ---- */

int handler_save(struct handler *h, const struct handler_data *state)
{
    static const struct handler_data null = {MESSAGE_JSON, SLICE_LITERAL("null")};
    bool empty = !state || (state->form == MESSAGE_JSON && !state->bytes.len);
    return handler_say(h, SLICE_LITERAL(".save"), empty ? &null : state);
}

int handler_confirm(struct handler *h, uint64_t count)
{
    struct text number = {0};
    text_printf(&number, "%llu", (unsigned long long)count);
    return say_json(h, ".confirm", &number);
}

/* ---- byte streams ---- */

/* Runs a command of streams.c; it is told to the page at once, whatever waits. Frees the JSON. */
static int about_stream(struct handler *h, uint32_t number,
                        void (*run)(struct page *p, const struct message *m), struct text *json)
{
    struct page *p = handler_enter(h);
    struct message m = {.kind = MESSAGE_CONTROL,
                        .head = SLICE_LITERAL(".stream"),
                        .name = SLICE_LITERAL("stream"),
                        .body = text_slice(json)};
    bool there = p && page_has_stream(p, number);
    int error = !p ? -ENOTCONN : !there ? -ENOENT : json->failed ? -ENOMEM : 0;
    if (!error)
        run(p, &m);
    if (p)
        handler_exit(h);
    text_done(json);
    return error;
}

static void begin_about(struct text *json, uint32_t number)
{
    json_text_begin(json);
    json_text_number(json, "id", number);
}

int handler_accept_stream(struct handler *h, uint32_t number, struct slice data)
{
    struct text json = {0};
    if (data.len && !json_valid(data, JSON_DEPTH_MAX))
        return -EINVAL;
    begin_about(&json, number);
    if (data.len)
        json_text_value(&json, "data", data);
    json_text_end(&json);
    return about_stream(h, number, page_stream_accept, &json);
}

int handler_end_stream(struct handler *h, uint32_t number)
{
    struct text json = {0};
    begin_about(&json, number);
    json_text_end(&json);
    return about_stream(h, number, page_stream_end, &json);
}

int handler_reset_stream(struct handler *h, uint32_t number, struct slice reason,
                         struct slice message)
{
    struct text json = {0};
    begin_about(&json, number);
    if (reason.len)
        json_text_string(&json, "reason", reason);
    if (message.len)
        json_text_string(&json, "message", message);
    json_text_end(&json);
    return about_stream(h, number, page_stream_reset, &json);
}

ssize_t handler_write_stream(struct handler *h, uint32_t number, struct slice data)
{
    struct page *p = handler_enter(h);
    if (!p)
        return -ENOTCONN;
    ssize_t written = page_stream_write(p, number, data);
    page_count(p);
    handler_exit(h);
    return written;
}
