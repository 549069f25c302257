/* SPDX-License-Identifier: MIT */
/* send.c - the user's messages: checked as strictly as by the server, and queued. */
#include "client/parts.h"

#include "base/utf8.h"
#include "proto/json_text.h"

#include <errno.h>

/* A head that the codec reads as the kind that was meant: a name with a `?` in it is no event. */
static bool head_is(struct slice head, const struct httpsocket_message *m)
{
    struct message parsed;
    struct slice name = slice_of(m->name ? m->name : "");
    bool plain = m->kind == HTTPSOCKET_EVENT, named = plain || m->kind == HTTPSOCKET_CALL;
    if (!named)
        return m->call <= MESSAGE_CALL_MAX;
    return message_parse_text(head, &parsed) == PARSE_OK &&
           parsed.kind == (plain ? MESSAGE_EVENT : MESSAGE_CALL) && slice_equal(parsed.name, name);
}

static bool body_is(const struct httpsocket_message *m)
{
    struct slice body = slice_make(m->data, m->size);
    if (m->bytes)
        return m->kind != HTTPSOCKET_FAILURE;
    if (body.len == 0)
        return m->kind != HTTPSOCKET_PART && m->kind != HTTPSOCKET_FAILURE;
    return body.ptr[0] != ' ' && body.ptr[0] != '\t' && utf8_valid(body) &&
           json_valid(body, MESSAGE_JSON_DEPTH_MAX);
}

static int check_room(struct httpsocket *c, size_t size)
{
    size_t held = c->out.kept.bytes, max = c->options.buffer_max;
    if (size > c->options.message_max || (c->greeted && size > c->welcome.message_max))
        return -EMSGSIZE;
    if (held == 0 || (size <= max && held <= max - size))
        return 0;
    c->wants_room = true;
    return -EAGAIN;
}

int send_checked(struct httpsocket *c, const struct httpsocket_message *m)
{
    char head[MESSAGE_HEAD_MAX + 2];
    if (c->state == CLIENT_OVER || c->finishing)
        return -EPIPE;
    int len = form_head(m, head, sizeof(head) - 1);
    if (len <= 0 || len > MESSAGE_HEAD_MAX || !head_is(slice_make(head, (size_t)len), m) ||
        !body_is(m))
        return -EINVAL;
    if (m->bytes || m->size)
        head[len++] = m->bytes ? '\n' : ' ';
    int error = check_room(c, (size_t)len + m->size);
    if (error)
        return error;
    struct slice pieces[] = {slice_make(head, (size_t)len), slice_make(m->data, m->size)};
    if (!outbox_window_push(&c->out, m->bytes, pieces, 2))
        return -ENOMEM;
    client_wake(c);
    return 0;
}

int httpsocket_send(struct httpsocket *c, const struct httpsocket_message *m)
{
    if (m->kind == HTTPSOCKET_CALL && m->call >= CLIENT_CALLS_FROM)
        return -EINVAL;
    return send_checked(c, m);
}

static int send_json(struct httpsocket *c, enum httpsocket_kind kind, const char *name,
                     uint64_t call, const char *json)
{
    struct httpsocket_message m = {
        .kind = kind, .name = name, .call = call, .data = json, .size = json ? strlen(json) : 0};
    return send_checked(c, &m);
}

int httpsocket_emit(struct httpsocket *c, const char *name, const char *json)
{
    return send_json(c, HTTPSOCKET_EVENT, name, 0, json);
}

int httpsocket_emit_bytes(struct httpsocket *c, const char *name, const void *data, size_t size)
{
    struct httpsocket_message m = {
        .kind = HTTPSOCKET_EVENT, .bytes = true, .name = name, .data = data, .size = size};
    return send_checked(c, &m);
}

int httpsocket_part(struct httpsocket *c, uint64_t call, const char *json)
{
    return send_json(c, HTTPSOCKET_PART, NULL, call, json);
}

int httpsocket_answer(struct httpsocket *c, uint64_t call, const char *json)
{
    return send_json(c, HTTPSOCKET_ANSWER, NULL, call, json);
}

int httpsocket_fail(struct httpsocket *c, uint64_t call, const char *message)
{
    struct text json = {0};
    if (!utf8_valid(slice_of(message)))
        return -EINVAL;
    json_text_begin(&json);
    json_text_string(&json, "message", slice_of(message));
    json_text_end(&json);
    text_put(&json, slice_make("", 1));
    int error = json.failed ? -ENOMEM : send_json(c, HTTPSOCKET_FAILURE, NULL, call, json.ptr);
    text_done(&json);
    return error;
}

size_t httpsocket_buffered(const struct httpsocket *c)
{
    return c->out.kept.bytes;
}
