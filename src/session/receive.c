/* SPDX-License-Identifier: MIT */
/* receive.c - the messages of a client: those for the owner, and the protocol's own. */
#include "session/parts.h"

#include "proto/channel_frame.h"
#include "proto/close_code.h"
#include "proto/state_message.h"
#include "session/state.h"

/* ---- answers that are not read ---- */

#define QUEUED_MAX  262144 /* of anything, before answers are counted */
#define ANSWERS_MAX 65536

static size_t queued(const struct session *s)
{
    return s->wire && s->wire->ops->queued ? s->wire->ops->queued(s->wire) : 0;
}

/* `before` bytes were queued before what the client asked for. */
static void count_answers(struct session *s, size_t before)
{
    size_t after = queued(s);
    if (after <= before || after <= QUEUED_MAX)
        return;
    s->answers += after - before;
    if (s->answers <= ANSWERS_MAX || s->unread)
        return;
    s->unread = true;
    session_steer(s);
}

void session_answers_left(struct session *s)
{
    s->answers = 0;
    if (!s->unread)
        return;
    s->unread = false;
    session_steer(s);
}

/* ---- what comes ---- */

static void receive_message(struct session *s, struct message *m, size_t size)
{
    if (s->state == SESSION_ENDING)
        return; /* never acknowledged: the client learns by the end that it did not arrive */
    if (!inbox_admits(&s->inbox, size, s->window)) {
        session_breach(s, "more than the window");
        return;
    }
    if (!inbox_receive(&s->inbox, (uint32_t)size)) {
        session_abort(s, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"));
        return;
    }
    s->counts->messages_in++;
    m->whole = s->wire->arriving;
    s->ops->on_message(s, m);
}

static void receive_ack(struct session *s, struct slice number)
{
    uint64_t n;
    if (!slice_to_uint(number, MESSAGE_CALL_MAX, &n) || !session_has_put(s, n) ||
        !outbox_ack(&s->outbox, n)) {
        session_breach(s, ".ack of what was not sent");
        return;
    }
    if (s->state == SESSION_ENDING && !s->outbox.first)
        session_say_end(s);
    else
        session_unblock(s);
}

static void receive_close(struct session *s)
{
    session_drop_wire(s, CLOSE_NORMAL, "");
    if (s->state == SESSION_ENDING)
        session_finish(s);
    else
        session_leave(s, "client-closed");
}

static void say_pong(struct session *s)
{
    size_t before = queued(s);
    session_say(s, ".pong", 5);
    count_answers(s, before);
}

static void take_pong(struct session *s)
{
    if (s->pongs < s->pings)
        s->pongs++;
    session_streams_ponged(s);
    session_state_ponged(s);
}

static void receive_control(struct session *s, const struct message *m)
{
    if (slice_equal(m->name, SLICE_LITERAL("ack")))
        receive_ack(s, m->body);
    else if (slice_equal(m->name, SLICE_LITERAL("ping")))
        say_pong(s);
    else if (slice_equal(m->name, SLICE_LITERAL("pong")))
        take_pong(s);
    else if (slice_equal(m->name, SLICE_LITERAL("stored")))
        session_state_stored(s, m->body);
    else if (slice_equal(m->name, SLICE_LITERAL("bye")))
        s->goodbye = true;
    else if (slice_equal(m->name, SLICE_LITERAL("close")))
        receive_close(s);
}

/* A reload may have lowered what the client was told, which is not its fault. */
static void refuse_long(struct session *s)
{
    static const char why[] = "more than maxMessage";
    if (s->message_max_told > s->config->message_max)
        session_abort(s, CLOSE_TOO_BIG, slice_of(why));
    else
        session_breach(s, why);
}

static void receive(struct session *s, bool binary, struct slice data)
{
    struct message m;
    enum parse_status status =
        binary ? message_parse_binary(data, &m) : message_parse_text(data, &m);
    if (status != PARSE_OK)
        session_breach(s, m.why);
    else if (data.len > s->config->message_max)
        refuse_long(s);
    else if (m.kind == MESSAGE_COMMAND && !message_is_problem(&m))
        session_breach(s, "a command of the server, from the client");
    else if (m.kind == MESSAGE_CONTROL)
        receive_control(s, &m);
    else if (s->restoring)
        session_breach(s, "a message before .restore");
    else
        receive_message(s, &m, data.len);
}

void session_receive(struct session_wire *wire, bool binary, struct bytes data)
{
    struct session *s = wire->session;
    if (!s)
        return;
    s->heard_ms = loop_now_ms(s->loop);
    if (binary && state_is_restore(slice_from_bytes(data))) {
        session_state_restore(s, slice_from_bytes(data));
    } else if (binary && s->restoring) {
        session_breach(s, "a message before .restore");
    } else if (binary && channel_frame_is(slice_from_bytes(data))) {
        size_t before = queued(s);
        session_streams_receive(s, data);
        count_answers(s, before);
    } else {
        receive(s, binary, slice_from_bytes(data));
    }
}

void session_receive_too_long(struct session_wire *wire)
{
    struct session *s = wire->session;
    if (s && s->ops->on_too_long)
        s->ops->on_too_long(s);
    else if (s)
        refuse_long(s);
}
