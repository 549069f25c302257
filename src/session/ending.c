/* SPDX-License-Identifier: MIT */
/* ending.c - how a session ends: said, left, broken, over. */
#include "session/parts.h"

#include "base/log.h"
#include "base/utf8.h"
#include "proto/close_code.h"
#include "session/table.h"

#include <stdio.h>
#include <stdlib.h>

static void free_session(struct reap *reap)
{
    struct session *s = container_of(reap, struct session, reap);
    s->ops->on_over(s);
    outbox_clear(&s->outbox);
    inbox_clear(&s->inbox);
    free(s->end_reason);
    free(s->text);
    free(s);
}

void session_finish(struct session *s)
{
    timer_stop(&s->timer);
    timer_stop(&s->ack_timer);
    if (s->state != SESSION_LEAVING)
        entry_remove(s->table, &s->entry);
    session_set_state(s, SESSION_OVER);
    s->counts->now--;
    loop_reap(s->loop, &s->reap, free_session);
}

static const char *end_reason(const struct session *s)
{
    return s->end_reason ? s->end_reason : "";
}

void session_set_end(struct session *s, unsigned code, struct slice reason)
{
    if (s->end_code)
        return;
    s->end_code = (uint16_t)code;
    s->end_reason = slice_to_string(utf8_first(reason, SESSION_REASON_MAX));
    s->ended_ms = loop_now_ms(s->loop);
}

static void send_close(struct session *s)
{
    char quoted[6 * SESSION_REASON_MAX + 2], text[sizeof(quoted) + 64];
    size_t quoted_len = json_quote(slice_of(end_reason(s)), quoted);
    int len = snprintf(text, sizeof(text), ".close {\"code\":%u,\"reason\":%.*s}", s->end_code,
                       (int)quoted_len, quoted);
    session_say(s, text, len);
}

void session_say_end(struct session *s)
{
    if (s->wire) {
        send_close(s);
        session_drop_wire(s, s->end_code, end_reason(s));
    }
    session_finish(s);
}

void session_leave(struct session *s, const char *reason)
{
    entry_remove(s->table, &s->entry);
    session_set_state(s, SESSION_LEAVING);
    timer_stop(&s->timer);
    timer_stop(&s->ack_timer);
    outbox_clear(&s->outbox);
    session_streams_end(s, slice_of(reason));
    s->ops->on_close(s, slice_of(reason));
}

void session_breach(struct session *s, const char *why)
{
    char id[SESSION_LOG_ID_LEN + 1];
    char reason[96];
    session_log_id(s, id);
    log_info("session.breach", log_text("session", id), log_text("why", why));
    s->counts->breaches++;
    snprintf(reason, sizeof(reason), "wire-protocol: %s", why);
    session_drop_wire(s, CLOSE_WIRE_PROTOCOL, reason);
    if (s->state == SESSION_ENDING)
        session_finish(s);
    else
        session_leave(s, "wire-protocol");
}
