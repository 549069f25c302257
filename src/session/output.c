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

/* From this size on a copy costs more than a reference. */
#define KEPT_MIN 65536

void session_put_kept(struct session *s, const struct outbox_message *m)
{
    struct slice piece = slice_make(m->data, m->len);
    struct shared_bytes *shared = outbox_shared(m);
    if (m->len < KEPT_MIN || !s->wire->ops->send_kept) {
        session_put(s, m->binary, &piece, 1);
        return;
    }
    s->said_ms = loop_now_ms(s->loop);
    s->wire->ops->send_kept(s->wire, m->binary, shared, (size_t)(m->data - shared->bytes), m->len);
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
    PART_MAX = 16384,       /* bytes; a larger message goes in parts */
    WIRE_QUEUED_MAX = 65536 /* what comes between two parts waits behind no more */
};

static bool in_parts(const struct session *s, const struct outbox_message *m)
{
    return s->wire->parts && m->len > PART_MAX;
}

/* How much of the first message that it has not the client got on an older wire. */
static size_t goes_on_at(const struct session *s)
{
    const struct outbox_message *first = s->outbox.first;
    uint64_t has = s->wire->has_of_next;
    return first && in_parts(s, first) && has < first->len ? (size_t)has : 0;
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
        json_text_number(&t, "parts", (int64_t)goes_on_at(s));
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

static void put_part(struct session *s, const struct outbox_message *m)
{
    if (s->sending.at == 0)
        s->wire->ops->keep_shallow(s->wire);
    size_t left = m->len - s->sending.at, len = left < PART_MAX ? left : PART_MAX;
    enum message_part part = len < left  ? MESSAGE_PART_MORE
                             : m->binary ? MESSAGE_PART_LAST_BINARY
                                         : MESSAGE_PART_LAST_TEXT;
    struct slice pieces[] = {slice_make(&(char){(char)part}, 1),
                             slice_make(m->data + s->sending.at, len)};
    session_put(s, true, pieces, 2);
    s->sending.at += len;
}

void session_pump(struct session *s)
{
    struct sending *sending = &s->sending;
    const struct outbox_message *m;
    while (s->wire && (m = sending->next) &&
           (!s->wire->parts || s->wire->ops->queued(s->wire) < WIRE_QUEUED_MAX)) {
        if (in_parts(s, m))
            put_part(s, m);
        else
            session_put_kept(s, m);
        if (in_parts(s, m) && sending->at < m->len)
            continue;
        *sending = (struct sending){.next = m->next, .number = sending->number + 1};
    }
    if (s->saved)
        session_state_pump(s);
}

static void send_from(struct session *s, const struct outbox_message *m, uint64_t number, size_t at)
{
    s->sending = (struct sending){.next = m, .number = number, .at = at};
    session_pump(s);
}

void session_put_last(struct session *s, const struct outbox_message *m)
{
    if (!s->sending.next)
        send_from(s, m, s->outbox.sent - 1, 0);
}

bool session_has_put(const struct session *s, uint64_t number)
{
    return !s->sending.next || number <= s->sending.number;
}

void session_replay(struct session *s)
{
    s->counts->replayed += s->outbox.sent - s->outbox.acked;
    size_t at = goes_on_at(s);
    if (at)
        s->wire->ops->keep_shallow(s->wire);
    send_from(s, s->outbox.first, s->outbox.acked, at);
}

void session_unblock(struct session *s)
{
    if (!s->blocked || session_holds(s, s->config->buffer_max / 2))
        return;
    s->blocked = false;
    if (s->state <= SESSION_DETACHED)
        s->ops->on_writable(s);
}
