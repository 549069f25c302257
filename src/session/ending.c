/* SPDX-License-Identifier: MIT */
/* ending.c - how a session ends: said, left, broken, over. */
#include "session/parts.h"

#include "base/log.h"
#include "base/utf8.h"
#include "proto/close_code.h"
#include "proto/json_text.h"
#include "session/state.h"
#include "session/table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void free_session(struct reap *reap)
{
    struct session *s = container_of(reap, struct session, reap);
    s->ops->on_over(s);
    session_free(s);
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
    char buffer[6 * SESSION_REASON_MAX + 64];
    struct text t = TEXT_IN(buffer);
    text_put(&t, SLICE_LITERAL(".close "));
    json_text_begin(&t);
    json_text_number(&t, "code", s->end_code);
    json_text_string(&t, "reason", slice_of(end_reason(s)));
    json_text_end(&t);
    assert(!t.failed);
    session_say(s, t.ptr, (int)t.len);
}

void session_say_end(struct session *s)
{
    uint64_t number = entry_note_end(s->table, &s->entry, s->end_code, slice_of(end_reason(s)),
                                     loop_now_ms(s->loop));
    if (s->wire) {
        if (s->end_code != CLOSE_MEMORY) {
            session_flush(s);
            session_state_flush(s);
        }
        send_close(s);
        s->wire->end_number = number;
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
    s->sending = (struct sending){0};
    outbox_clear(&s->outbox);
    session_streams_end(s, slice_of(reason));
    if (s->state == SESSION_LEAVING) /* still: the owner of a stream may have ended it */
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
