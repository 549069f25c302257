/* SPDX-License-Identifier: MIT */
/* liveness.c - a session's timers: the grace of a client that is gone, pings to one that is there,
 * and delayed acknowledgements. */
#include "session/parts.h"

#include "proto/close_code.h"
#include "session/state.h"

#define ACK_MESSAGES 64  /* acknowledge at once after so many */
#define ACK_DELAY_MS 200 /* and otherwise after this time */

static void start_grace(struct session *s)
{
    s->gone_ms = loop_now_ms(s->loop);
    timer_start(s->loop, &s->timer,
                s->goodbye     ? s->config->goodbye_timeout_ms
                : s->restoring ? s->config->attach_timeout_ms
                               : s->config->detach_timeout_ms);
}

void session_lose_wire(struct session *s, const char *reason)
{
    s->counts->attached_now--;
    session_streams_detach(s);
    session_state_detached(s);
    s->sending = (struct sending){0};
    s->wire = NULL;
    timer_stop(&s->ack_timer);
    s->unacknowledged_bytes = 0; /* the next `.welcome` says what has been received */
    start_grace(s);
    if (s->state == SESSION_ENDING)
        return;
    session_set_state(s, SESSION_DETACHED);
    if (!s->restoring)
        s->ops->on_detach(s, slice_of(reason));
}

/* Nobody listened while the process did not run. */
static bool paused(const struct session *s)
{
    return loop_now_ms(s->loop) - s->timer.due_ms >= LOOP_PAUSE_MS;
}

/* How long the client has given no sign of life. Life is bytes, not messages: a large one may take
 * minutes. */
static uint64_t silence_ms(struct session *s)
{
    uint64_t now = loop_now_ms(s->loop);
    if (paused(s))
        s->heard_ms = now;
    if (now - s->heard_ms >= s->config->ping_ms && s->wire->ops->alive_ms) {
        uint64_t alive = s->wire->ops->alive_ms(s->wire);
        if (alive > s->heard_ms)
            s->heard_ms = alive;
    }
    return now - s->heard_ms;
}

static void start_beat(struct session *s)
{
    uint64_t ms = s->config->ping_ms / 2 + 1;
    bool soon = s->restoring && s->config->attach_timeout_ms < ms;
    timer_start(s->loop, &s->timer, soon ? s->config->attach_timeout_ms : ms);
}

static void beat(struct session *s)
{
    uint64_t now = loop_now_ms(s->loop);
    if (s->held_off || s->unread) /* nobody listens; the wire finds out that it is broken */
        s->heard_ms = now;
    if (silence_ms(s) >= 2 * (uint64_t)s->config->ping_ms + 5000) {
        struct session_wire *wire = s->wire;
        wire->session = NULL;
        s->counts->dead_peers++;
        session_lose_wire(s, "dead-peer");
        wire->ops->close(wire, CLOSE_INTERNAL_ERROR, SLICE_LITERAL("dead-peer"));
        return;
    }
    if (s->state == SESSION_ENDING && now - s->ended_ms >= s->config->detach_timeout_ms) {
        session_say_end(s); /* it is there, but acknowledges nothing */
        return;
    }
    if (session_state_is_late(s)) {
        session_breach(s, "no .restore in time");
        return;
    }
    if (now - s->said_ms >= s->config->ping_ms)
        session_say_ping(s);
    if (s->wire)
        start_beat(s);
}

static void on_timer(struct timer *timer)
{
    struct session *s = container_of(timer, struct session, timer);
    if (s->wire) {
        beat(s);
    } else if (paused(s)) { /* a client that has come back waits to be read */
        timer_start(s->loop, &s->timer, s->config->goodbye_timeout_ms);
    } else if (s->state == SESSION_ENDING) {
        session_finish(s);
    } else {
        s->counts->ended_by_grace++;
        session_leave(s, s->state == SESSION_WAITING ? "never-attached" : "grace-over");
    }
}

static void on_ack_timer(struct timer *timer)
{
    session_say_ack(container_of(timer, struct session, ack_timer));
}

void session_ack_soon(struct session *s)
{
    if (!s->wire)
        return;
    if (s->unacknowledged_bytes >= s->window / 4 ||
        s->inbox.taken - s->acknowledged >= ACK_MESSAGES)
        session_say_ack(s);
    else if (!timer_active(&s->ack_timer))
        timer_start(s->loop, &s->ack_timer, ACK_DELAY_MS);
}

void session_ack_along(struct session *s)
{
    if (s->unacknowledged_bytes >= s->window / 8 ||
        s->inbox.taken - s->acknowledged >= ACK_MESSAGES / 2)
        session_say_ack(s);
}

void session_liveness_init(struct session *s)
{
    timer_init(&s->timer, on_timer);
    timer_init(&s->ack_timer, on_ack_timer);
    s->gone_ms = loop_now_ms(s->loop);
    timer_start(s->loop, &s->timer, s->config->attach_timeout_ms);
}

void session_liveness_attached(struct session *s)
{
    s->goodbye = false;
    s->heard_ms = loop_now_ms(s->loop);
    start_beat(s);
}
