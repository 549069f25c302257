/* SPDX-License-Identifier: MIT */
/* pack.c - sessions, for the process that takes over. Its clients notice nothing if their wires are
 * taken over too, and come back by themselves otherwise. */
#include "session/pack.h"

#include "base/log.h"
#include "base/pack.h"
#include "session/ended.h"
#include "session/parts.h"
#include "session/state.h"
#include "session/table.h"

#include <stdlib.h>

enum {
    ID = 1,
    KEY,
    STATE,
    ORIGIN,
    PATH,
    /* the outbox */
    ACKED,
    TEXT, /* a message; in order, with BINARY */
    BINARY,
    SENDING, /* the number of sending.next, and 1; 0: all has been given to the wire */
    SENDING_AT,
    /* the inbox */
    RECEIVED,
    TAKEN,
    CARRIED,
    SIZES, /* 32 bits each */
    ACKNOWLEDGED,
    UNACKNOWLEDGED,
    WINDOW,
    STREAM_WINDOW,
    STREAMS_MAX,
    STREAM_MESSAGE_MAX,
    MESSAGE_MAX_TOLD,
    STREAMS,
    HEARD_MS,
    SAID_MS,
    DUE_MS,
    ACK_DUE_MS,
    ATTACHED_BEFORE,
    BLOCKED,
    GOODBYE,
    HELD_OFF,
    UNREAD,
    ANSWERS,
    WIRED,
    TAKES_STATE,
    RESTORING,
    PINGS,
    PONGS,
    SAVED,
    END_CODE,
    END_REASON,
    ENDED_AT_MS,
    GONE_MS,
};

static void pack_outbox(const struct session *s, struct pack *p)
{
    pack_number(p, ACKED, s->outbox.acked);
    struct outbox_place place = outbox_begin(&s->outbox);
    for (; place.block; place = outbox_behind(place)) {
        struct outbox_message m = outbox_at(place);
        pack_slice(p, m.binary ? BINARY : TEXT, slice_make(m.data, m.len));
    }
    if (!s->sending.next.block)
        return;
    pack_number(p, SENDING, s->sending.number + 1);
    pack_number(p, SENDING_AT, s->sending.at);
}

static void pack_inbox(const struct inbox *in, struct pack *p)
{
    struct text sizes = {0};
    for (uint64_t i = 0; i < in->received - in->taken; i++)
        text_put(&sizes, slice_make(&in->sizes[(in->first + i) % in->room], sizeof(uint32_t)));
    p->failed |= sizes.failed;
    pack_number(p, RECEIVED, in->received);
    pack_number(p, TAKEN, in->taken);
    pack_number(p, CARRIED, in->carried);
    pack_slice(p, SIZES, text_slice(&sizes));
    text_done(&sizes);
}

static void pack_times(const struct session *s, struct pack *p)
{
    pack_number(p, HEARD_MS, s->heard_ms);
    pack_number(p, SAID_MS, s->said_ms);
    pack_number(p, DUE_MS, timer_due_ms(&s->timer));
    pack_number(p, ACK_DUE_MS, timer_due_ms(&s->ack_timer));
    pack_number(p, ENDED_AT_MS, s->ended_ms);
    pack_number(p, GONE_MS, s->gone_ms);
}

static void pack_flags(const struct session *s, struct pack *p)
{
    pack_number(p, ATTACHED_BEFORE, s->attached_before);
    pack_number(p, BLOCKED, s->blocked);
    pack_number(p, GOODBYE, s->goodbye);
    pack_number(p, HELD_OFF, s->held_off);
    pack_number(p, UNREAD, s->unread);
    pack_number(p, ANSWERS, s->answers);
    pack_number(p, TAKES_STATE, s->takes_state);
    pack_number(p, RESTORING, s->restoring);
    pack_number(p, PINGS, s->pings);
    pack_number(p, PONGS, s->pongs);
    pack_number(p, WIRED, s->wire != NULL || s->wire_missed);
}

void session_pack(const struct session *s, struct pack *p)
{
    pack_slice(p, ID, slice_make(s->entry.id, SESSION_ID_LEN));
    pack_slice(p, KEY, entry_key(&s->entry));
    pack_number(p, STATE, s->state);
    pack_slice(p, ORIGIN, slice_make(s->text, s->origin_len));
    pack_slice(p, PATH, slice_make(s->text + s->origin_len, s->path_len));
    pack_outbox(s, p);
    pack_inbox(&s->inbox, p);
    pack_number(p, ACKNOWLEDGED, s->acknowledged);
    pack_number(p, UNACKNOWLEDGED, s->unacknowledged_bytes);
    pack_number(p, WINDOW, s->window);
    pack_number(p, STREAM_WINDOW, s->streams_config.window);
    pack_number(p, STREAMS_MAX, s->streams_config.channels_max);
    pack_number(p, STREAM_MESSAGE_MAX, s->streams_config.message_max);
    pack_number(p, MESSAGE_MAX_TOLD, s->message_max_told);
    if (s->streams) {
        size_t streams = pack_begin(p, STREAMS);
        session_streams_pack(s, p);
        pack_end(p, streams);
    }
    if (s->saved) {
        size_t saved = pack_begin(p, SAVED);
        session_state_pack(s, p);
        pack_end(p, saved);
    }
    pack_times(s, p);
    pack_flags(s, p);
    pack_number(p, END_CODE, s->end_code);
    if (s->end_reason)
        pack_slice(p, END_REASON, slice_of(s->end_reason));
}

/* ---- read ---- */

static bool unpack_outbox(struct session *s, struct slice in)
{
    struct outbox *o = &s->outbox;
    uint64_t next = packed_number(in, SENDING);
    size_t at = (size_t)packed_number(in, SENDING_AT);
    o->acked = o->sent = packed_number(in, ACKED);
    for (struct packed field; packed_next(&in, &field);) {
        if (field.tag != TEXT && field.tag != BINARY)
            continue;
        uint64_t number = o->sent;
        struct outbox_place place = outbox_push(o, field.tag == BINARY, &field.value, 1);
        if (!place.block)
            return false;
        if (next && number + 1 == next && at <= field.value.len)
            s->sending = (struct sending){.next = place, .number = number, .at = (uint32_t)at};
    }
    return true;
}

static bool unpack_inbox(struct session *s, struct slice in)
{
    struct slice sizes = packed_slice(in, SIZES);
    uint64_t received = packed_number(in, RECEIVED), taken = packed_number(in, TAKEN);
    if (taken > received || (received - taken) * sizeof(uint32_t) != sizes.len)
        return false;
    s->inbox.received = s->inbox.taken = taken;
    for (; sizes.len > 0; sizes = slice_skip(sizes, sizeof(uint32_t))) {
        uint32_t size;
        memcpy(&size, sizes.ptr, sizeof(size));
        if (!inbox_receive(&s->inbox, size))
            return false;
    }
    uint64_t carried = packed_number(in, CARRIED);
    s->inbox.carried = carried < s->inbox.bytes ? carried : s->inbox.bytes;
    return true;
}

static void unpack_numbers(struct session *s, struct slice in)
{
    s->acknowledged = packed_number(in, ACKNOWLEDGED);
    s->unacknowledged_bytes = packed_number(in, UNACKNOWLEDGED);
    s->window = (uint32_t)packed_number(in, WINDOW);
    s->streams_config = (struct channels_config){
        .window = (uint32_t)packed_number(in, STREAM_WINDOW),
        .channels_max = (uint32_t)packed_number(in, STREAMS_MAX),
        .message_max = (uint32_t)packed_number(in, STREAM_MESSAGE_MAX),
    };
    s->message_max_told = (uint32_t)packed_number(in, MESSAGE_MAX_TOLD);
    s->heard_ms = packed_number(in, HEARD_MS);
    s->said_ms = packed_number(in, SAID_MS);
    s->ended_ms = packed_number(in, ENDED_AT_MS);
    s->gone_ms = packed_number(in, GONE_MS);
    s->attached_before = packed_number(in, ATTACHED_BEFORE);
    s->blocked = packed_number(in, BLOCKED);
    s->goodbye = packed_number(in, GOODBYE);
    s->held_off = packed_number(in, HELD_OFF);
    s->unread = packed_number(in, UNREAD);
    s->answers = (size_t)packed_number(in, ANSWERS);
    s->wire_missed = packed_number(in, WIRED);
    s->takes_state = packed_number(in, TAKES_STATE);
    s->restoring = packed_number(in, RESTORING);
    s->pings = (uint32_t)packed_number(in, PINGS);
    s->pongs = (uint32_t)packed_number(in, PONGS);
    s->end_code = (uint16_t)packed_number(in, END_CODE);
}

static bool unpack_texts(struct session *s, struct slice in)
{
    struct slice reason = packed_slice(in, END_REASON);
    if (reason.len)
        s->end_reason = slice_to_string(slice_first(reason, SESSION_REASON_MAX));
    return !reason.len || s->end_reason;
}

static bool unpack_rest(struct session *s, struct slice in)
{
    struct slice streams = packed_slice(in, STREAMS), saved = packed_slice(in, SAVED);
    return unpack_texts(s, in) && unpack_outbox(s, in) && unpack_inbox(s, in) &&
           (!saved.len || session_state_unpack(s, saved)) &&
           (!streams.len || session_streams_unpack(s, streams));
}

/* Nobody has heard of it. */
static void give_back(struct session *s)
{
    session_streams_end(s, SLICE_LITERAL("overload"));
    timer_stop(&s->timer);
    entry_remove(s->table, &s->entry);
    s->counts->now--;
    session_free(s);
}

struct session *session_unpack(struct loop *loop, const struct session_spec *own, struct slice in)
{
    struct session_spec spec = *own;
    uint64_t state = packed_number(in, STATE);
    struct slice id = packed_slice(in, ID), key = packed_slice(in, KEY);
    spec.origin = packed_slice(in, ORIGIN);
    spec.path = packed_slice(in, PATH);
    if (state >= SESSION_OVER || state == SESSION_LEAVING || !session_id_valid(id) ||
        key.len > SESSION_KEY_MAX)
        return NULL;
    struct session *s = session_make(loop, &spec);
    if (!s)
        return NULL;
    entry_put(s->table, &s->entry, id);
    bool bound = !key.len || entry_bind_key(s->table, &s->entry, key);
    unpack_numbers(s, in);
    s->state = (uint8_t)state;
    timer_stop(&s->timer);
    if (!bound || !unpack_rest(s, in)) {
        give_back(s);
        return NULL;
    }
    timer_start_at(loop, &s->timer, packed_number(in, DUE_MS));
    timer_start_at(loop, &s->ack_timer, packed_number(in, ACK_DUE_MS));
    return s;
}

struct session_wire *session_wire_of(const struct session *s)
{
    return s->wire;
}

void session_go_on(struct session *s, struct session_wire *wire)
{
    s->wire = wire;
    s->wire_missed = false;
    wire->session = s;
    s->counts->attached_now++;
    if (s->state == SESSION_ATTACHED)
        session_streams_go_on(s);
    session_state_go_on(s);
    session_steer(s);
}

void session_miss_wire(struct session *s, const char *reason)
{
    if (!s->wire_missed)
        return;
    s->wire_missed = false;
    s->counts->attached_now++; /* session_lose_wire() takes it back */
    session_lose_wire(s, reason);
}

void session_reset_unclaimed(struct session *s, struct slice json)
{
    session_streams_reset_unclaimed(s, json);
}

/* ---- those that have ended ---- */

void session_table_pack(const struct session_table *t, struct pack *p)
{
    ended_pack(session_table_ends(t), p);
}

void session_table_unpack(struct session_table *t, struct slice in)
{
    ended_unpack(session_table_ends(t), in);
}
