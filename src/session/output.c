/* SPDX-License-Identifier: MIT */
/* output.c - the messages of a session to its client. */
#include "session/parts.h"

#include "net/seal.h"
#include "proto/json_text.h"
#include "session/state.h"

#include <assert.h>
#include <stdio.h>

void session_put(struct session *s, bool binary, const struct slice *pieces, size_t count)
{
    s->said_ms = loop_now_ms(s->loop);
    s->wire->ops->send(s->wire, binary, pieces, count);
}

void session_say(struct session *s, const char *text, int len)
{
    struct slice piece = slice_make(text, (size_t)len);
    session_put(s, false, &piece, 1);
}

void session_steer(struct session *s)
{
    if (s->wire && s->wire->ops->pause)
        s->wire->ops->pause(s->wire, s->held_off || s->unread);
}

void session_hold_off(struct session *s, bool held_off)
{
    if (s->held_off == held_off)
        return;
    s->held_off = held_off;
    session_steer(s);
}

void session_say_ping(struct session *s)
{
    session_streams_pinged(s);
    s->pings++;
    session_say(s, ".ping", 5);
}

bool session_tell(struct session *s, struct slice text)
{
    session_flush(s);
    if (s->wire)
        session_put(s, false, &text, 1);
    return s->wire;
}

void session_drop_wire(struct session *s, unsigned code, const char *reason)
{
    struct session_wire *wire = s->wire;
    if (!wire)
        return;
    session_streams_detach(s);
    session_state_detached(s);
    s->sending = (struct sending){0};
    s->wire = NULL;
    wire->session = NULL;
    timer_stop(&s->ack_timer);
    s->counts->attached_now--;
    wire->ops->close(wire, code, slice_of(reason));
}

enum {
    PART_MAX = SESSION_SHARED_MAX, /* bytes; a larger message goes in parts */
    WIRE_QUEUED_MAX = 65536        /* what comes between two parts waits behind no more */
};

/* Such a message has a block of its own. */
static bool in_parts(const struct session *s, const struct outbox_block *b)
{
    return s->wire->parts && b->count == 1 && b->payload > PART_MAX;
}

/* How much of the first message that it has not the client got on an older wire. */
static uint32_t goes_on_at(const struct session *s)
{
    const struct outbox_block *first = s->outbox.first;
    uint64_t has = s->wire->has_of_next;
    return first && in_parts(s, first) && has < first->payload ? (uint32_t)has : 0;
}

void session_say_welcome(struct session *s)
{
    char buffer[400];
    struct text t = TEXT_IN(buffer);
    text_put(&t, SLICE_LITERAL(".welcome "));
    json_text_begin(&t);
    json_text_string(&t, "session", slice_make(s->entry.id, SESSION_ID_LEN));
    json_text_flag(&t, "resumed", s->attached_before);
    json_text_number(&t, "received", (int64_t)s->inbox.received);
    json_text_number(&t, "window", s->window);
    s->message_max_told = s->config->message_max;
    json_text_number(&t, "maxMessage", s->message_max_told);
    json_text_number(&t, "ping", s->config->ping_ms);
    json_text_number(&t, "grace", s->config->detach_timeout_ms);
    json_text_number(&t, "streamWindow", s->streams_config.window);
    json_text_number(&t, "streams", s->streams_config.channels_max);
    if (goes_on_at(s))
        json_text_number(&t, "parts", goes_on_at(s));
    if (s->wire->state && s->config->sealer && s->config->sealer->keys)
        json_text_flag(&t, "state", true);
    if (s->restoring)
        json_text_flag(&t, "restore", true);
    json_text_end(&t);
    assert(!t.failed);
    session_say(s, t.ptr, (int)t.len);
}

void session_say_ack(struct session *s)
{
    timer_stop(&s->ack_timer);
    if (!s->wire || s->inbox.taken <= s->acknowledged)
        return;
    char text[32];
    int len = snprintf(text, sizeof(text), ".ack %llu", (unsigned long long)s->inbox.taken);
    s->acknowledged = s->inbox.taken;
    s->unacknowledged_bytes = 0;
    session_say(s, text, len);
}

/* ---- messages ---- */

static void put_part(struct session *s)
{
    struct outbox_message m = outbox_at(s->sending.next);
    if (s->sending.at == 0)
        s->wire->ops->keep_shallow(s->wire);
    size_t left = m.len - s->sending.at, len = left < PART_MAX ? left : PART_MAX;
    enum message_part part = len < left ? MESSAGE_PART_MORE
                             : m.binary ? MESSAGE_PART_LAST_BINARY
                                        : MESSAGE_PART_LAST_TEXT;
    struct slice pieces[] = {slice_make(&(char){(char)part}, 1),
                             slice_make(m.data + s->sending.at, len)};
    session_put(s, true, pieces, 2);
    s->sending.at += (uint32_t)len;
    if (len == left)
        s->sending = (struct sending){.next = outbox_behind(s->sending.next),
                                      .number = s->sending.number + 1};
}

/* How many messages there are from `sending.next` to the end of its block. */
static uint32_t count_rest(const struct session *s)
{
    struct outbox_place place = s->sending.next;
    struct outbox_block *b = place.block;
    uint32_t count = 0;
    if (b == s->outbox.last)
        return (uint32_t)(s->outbox.sent - s->sending.number);
    if (place.at == b->at)
        return b->count;
    for (; place.block == b; place = outbox_behind(place))
        count++;
    return count;
}

static void put_one_by_one(struct session *s)
{
    struct outbox_block *b = s->sending.next.block;
    for (struct outbox_place at = s->sending.next; at.block == b; at = outbox_behind(at)) {
        struct outbox_message m = outbox_at(at);
        session_put(s, m.binary, &(struct slice){m.data, m.len}, 1);
    }
}

/* All the messages of the block. */
static void put_block(struct session *s)
{
    struct outbox_place from = s->sending.next;
    struct outbox_block *b = from.block;
    uint32_t count = count_rest(s);
    s->said_ms = loop_now_ms(s->loop);
    if (s->wire->ops->send_frames)
        s->wire->ops->send_frames(s->wire, b->shared, from.at, b->end - from.at, count);
    else
        put_one_by_one(s);
    s->sending = (struct sending){.next = {b->next, b->next ? b->next->at : 0},
                                  .number = s->sending.number + count};
}

void session_pump(struct session *s)
{
    struct outbox_block *b;
    while (s->wire && (b = s->sending.next.block) &&
           (!s->wire->parts || s->wire->ops->queued(s->wire) < WIRE_QUEUED_MAX)) {
        if (in_parts(s, b))
            put_part(s);
        else
            put_block(s);
    }
    if (s->saved)
        session_state_pump(s);
}

void session_put_last(struct session *s, struct outbox_place from, uint64_t number)
{
    if (s->sending.next.block)
        return;
    s->sending = (struct sending){.next = from, .number = number};
    s->unsent = true;
}

void session_flush(struct session *s)
{
    bool unsent = s->unsent;
    s->unsent = false;
    if (!unsent || !s->wire)
        return;
    session_ack_along(s);
    session_pump(s);
}

bool session_has_put(const struct session *s, uint64_t number)
{
    return !s->sending.next.block || number <= s->sending.number;
}

void session_replay(struct session *s)
{
    s->counts->replayed += s->outbox.sent - s->outbox.acked;
    uint32_t at = goes_on_at(s);
    if (at)
        s->wire->ops->keep_shallow(s->wire);
    s->sending =
        (struct sending){.next = outbox_begin(&s->outbox), .number = s->outbox.acked, .at = at};
    session_pump(s);
}

void session_unblock(struct session *s)
{
    if (!s->blocked || session_holds(s, s->config->buffer_max / 2))
        return;
    s->blocked = false;
    if (s->state <= SESSION_DETACHED)
        s->ops->on_writable(s);
}
