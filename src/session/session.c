/* SPDX-License-Identifier: MIT */
#include "session/parts.h"

#include "base/log.h"
#include "base/pool.h"
#include "base/utf8.h"
#include "proto/close_code.h"
#include "proto/json_text.h"
#include "session/state.h"
#include "session/table.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OVERHEAD_MIN = 65536 /* of messages in the outbox, that is not looked at */
};

/* What two times of arrival may be wrong by. Nobody takes a connection for dead sooner. */
enum {
    ARRIVED_PRECISION_MS = 50
};

static _Thread_local struct pool sessions = POOL_OF(struct session);

static const char *const state_names[] = {"waiting", "attached", "detached",
                                          "leaving", "ending",   "over"};

struct session *session_of_entry(struct entry *e)
{
    return container_of(e, struct session, entry);
}

const char *session_state_name(const struct session *s)
{
    return state_names[s->state];
}

void session_set_state(struct session *s, enum session_state next)
{
    static const uint8_t allowed[] = {
        [SESSION_WAITING] =
            1 << SESSION_ATTACHED | 1 << SESSION_LEAVING | 1 << SESSION_ENDING | 1 << SESSION_OVER,
        [SESSION_ATTACHED] =
            1 << SESSION_DETACHED | 1 << SESSION_LEAVING | 1 << SESSION_ENDING | 1 << SESSION_OVER,
        [SESSION_DETACHED] =
            1 << SESSION_ATTACHED | 1 << SESSION_LEAVING | 1 << SESSION_ENDING | 1 << SESSION_OVER,
        [SESSION_LEAVING] = 1 << SESSION_OVER,
        [SESSION_ENDING] = 1 << SESSION_OVER,
        [SESSION_OVER] = 0,
    };
    assert(allowed[s->state] >> next & 1);
    char id[SESSION_LOG_ID_LEN + 1];
    if (log_threshold <= LOG_DEBUG) {
        session_log_id(s, id);
        log_debug("session.state", log_text("session", id), log_text("from", session_state_name(s)),
                  log_text("to", state_names[next]));
    }
    s->state = next;
}

/* ---- a full table ---- */

struct search {
    struct session *chosen;
};

/* Its program has ended, and its client is there but does not acknowledge the last messages: no
 * limit of programs counts it any more. */
static bool dawdles(const struct session *s)
{
    return s->wire && s->state == SESSION_ENDING &&
           loop_now_ms(s->loop) - s->ended_ms >= s->config->goodbye_timeout_ms;
}

/* Less claim has who never did anything, then who is gone, and of these who is gone for longest. */
static bool goes_before(const struct session *a, const struct session *b)
{
    if (!a->wire != !b->wire)
        return !a->wire;
    if (a->wire)
        return a->ended_ms < b->ended_ms;
    if (session_was_used(a) != session_was_used(b))
        return session_was_used(b);
    return a->gone_ms < b->gone_ms;
}

static void consider(struct session *s, void *arg)
{
    struct search *search = arg;
    bool is_away = !s->wire && s->state != SESSION_LEAVING && s->state != SESSION_OVER;
    if ((is_away || dawdles(s)) && (!s->ops->may_go || s->ops->may_go(s)) &&
        (!search->chosen || goes_before(s, search->chosen)))
        search->chosen = s;
}

static bool make_room(struct session_table *t)
{
    struct search search = {0};
    session_table_each(t, consider, &search);
    struct session *s = search.chosen;
    if (s && s->ops->on_given_up)
        s->ops->on_given_up(s);
    else if (s)
        session_give_up(s);
    return s;
}

static int add_to_table(struct session *s)
{
    int error = entry_add(s->table, &s->entry);
    return error == -ENOSPC && make_room(s->table) ? entry_add(s->table, &s->entry) : error;
}

struct session *session_make(struct loop *loop, const struct session_spec *spec)
{
    struct session *s = log_needed(pool_take(&sessions));
    char *text = log_needed(malloc(spec->origin.len + spec->path.len + 1));
    if (!s || !text) {
        if (s)
            pool_give(&sessions, s);
        free(text);
        return NULL;
    }
    *s = (struct session){
        .loop = loop,
        .config = spec->config,
        .counts = spec->counts,
        .table = spec->table,
        .ops = spec->ops,
        .owner = spec->owner,
        .window = spec->config->window,
        .streams_config = {.window = spec->config->stream_window,
                           .channels_max = spec->config->streams_max},
        .text = text,
        .origin_len = (uint16_t)spec->origin.len,
        .path_len = (uint16_t)spec->path.len,
    };
    slice_copy(&text, spec->origin);
    slice_copy(&text, spec->path);
    session_liveness_init(s);
    s->counts->now++;
    return s;
}

void session_free(struct session *s)
{
    entry_done(&s->entry);
    outbox_clear(&s->outbox);
    inbox_clear(&s->inbox);
    session_state_free(s);
    free(s->end_reason);
    free(s->text);
    pool_give(&sessions, s);
}

struct session *session_new(struct loop *loop, const struct session_spec *spec)
{
    struct session *s = session_make(loop, spec);
    bool good = s && (!spec->restores || session_state_await(s));
    int error = good ? add_to_table(s) : -ENOMEM;
    if (!error) {
        s->counts->started++;
        return s;
    }
    if (error != -ENOSPC) /* sessions-max */
        log_lack("begin a session", error);
    if (s) {
        timer_stop(&s->timer);
        s->counts->now--;
        session_free(s);
    }
    errno = -error;
    return NULL;
}

struct slice session_id(const struct session *s)
{
    return slice_make(s->entry.id, SESSION_ID_LEN);
}

void *session_owner(const struct session *s)
{
    return s->owner;
}

void session_own(struct session *s, const struct session_ops *ops, void *owner)
{
    s->ops = ops;
    s->owner = owner;
}

size_t session_unacknowledged(const struct session *s)
{
    return s->outbox.bytes;
}

/* The wire does not count what the session keeps until it is acknowledged. A client may acknowledge
 * what has not left yet: then the wire alone has it. */
static size_t held_in_wire(const struct session *s, size_t kept)
{
    const struct session_wire *w = s->wire;
    if (!w || !w->ops->held)
        return 0;
    size_t own = w->ops->held(w), queued = w->ops->queued(w);
    return queued > own + kept ? queued - kept : own;
}

size_t session_held(const struct session *s)
{
    size_t kept = s->outbox.held + session_streams_held(s);
    return kept + inbox_held(&s->inbox) + session_state_held(s) + held_in_wire(s, kept);
}

bool session_attached(const struct session *s)
{
    return s->wire;
}

bool session_ends(const struct session *s)
{
    return s->state > SESSION_DETACHED;
}

bool session_restoring(const struct session *s)
{
    return s->restoring;
}

bool session_met(const struct session *s)
{
    return s->wire || s->attached_before;
}

bool session_was_used(const struct session *s)
{
    return s->inbox.received > 0 || s->streams || (s->saved && !s->restoring);
}

static void describe_text(struct text *out, const char *key, struct slice value)
{
    if (!utf8_valid(value)) /* a path may hold any bytes */
        value = SLICE_LITERAL("(not UTF-8)");
    json_text_string(out, key, utf8_first(value, 256));
}

void session_describe(const struct session *s, struct text *out)
{
    char id[SESSION_LOG_ID_LEN + 1];
    session_log_id(s, id);
    json_text_begin(out);
    json_text_string(out, "session", slice_of(id));
    json_text_string(out, "state", slice_of(session_state_name(s)));
    describe_text(out, "path", slice_make(s->text + s->origin_len, s->path_len));
    describe_text(out, "origin", slice_make(s->text, s->origin_len));
    json_text_number(out, "received", (int64_t)s->inbox.received);
    json_text_number(out, "taken", (int64_t)s->inbox.taken);
    json_text_number(out, "sent", (int64_t)s->outbox.sent);
    json_text_number(out, "unacknowledgedBytes", (int64_t)s->outbox.bytes);
    json_text_number(out, "streams", session_streams_count(s));
    json_text_number(out, "streamBytes", (int64_t)session_streams_kept(s));
    json_text_end(out);
}

unsigned session_admits(const struct session *s, struct slice path, struct slice origin,
                        struct slice key, uint64_t received)
{
    if (!slice_equal(origin, slice_make(s->text, s->origin_len)))
        return CLOSE_FORBIDDEN;
    if (!slice_equal(path, slice_make(s->text + s->origin_len, s->path_len)))
        return CLOSE_SESSION_GONE;
    if (s->entry.key_len && !entry_has_key(&s->entry, key))
        return CLOSE_SESSION_TAKEN;
    return outbox_serves(&s->outbox, received) ? 0 : CLOSE_SESSION_GONE;
}

bool session_overtaken(const struct session *s, uint64_t arrived_ms)
{
    return s->wire && arrived_ms + ARRIVED_PRECISION_MS < s->wire->arrived_ms;
}

void session_attach(struct session *s, struct session_wire *wire, struct slice key,
                    uint64_t received)
{
    if (s->state == SESSION_LEAVING || s->state == SESSION_OVER) { /* in this very turn */
        bool said = s->end_code != 0;
        wire->ops->close(wire, said ? s->end_code : CLOSE_SESSION_GONE,
                         said && s->end_reason ? slice_of(s->end_reason)
                                               : SLICE_LITERAL("session-gone"));
        return;
    }
    bool taken_over = s->wire;
    session_drop_wire(s, CLOSE_REPLACED, "replaced");
    if (taken_over && s->state == SESSION_ATTACHED) {
        session_set_state(s, SESSION_DETACHED);
        if (!s->restoring)
            s->ops->on_detach(s, SLICE_LITERAL("replaced"));
        if (s->state != SESSION_DETACHED) { /* the owner has ended it */
            wire->ops->close(wire, CLOSE_SESSION_GONE, SLICE_LITERAL("session-gone"));
            return;
        }
    }
    if (!s->entry.key_len && !entry_bind_key(s->table, &s->entry, key)) {
        wire->ops->close(wire, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"));
        return;
    }
    bool resumed = s->attached_before;
    s->counts->attached_now++;
    s->counts->attaches++;
    s->counts->resumes += resumed;
    s->wire = wire;
    wire->session = s;
    session_liveness_attached(s);
    s->acknowledged = s->inbox.received; /* as `.welcome` says */
    s->unacknowledged_bytes = 0;
    inbox_welcome(&s->inbox);
    s->unread = false;
    s->answers = 0;
    s->pings = s->pongs = 0;
    s->takes_state = wire->state;
    if (s->held_off)
        session_steer(s);
    outbox_ack(&s->outbox, received);
    session_say_welcome(s);
    s->attached_before = true;
    if (s->ops->on_greeted)
        s->ops->on_greeted(s);
    if (s->wire != wire) /* the owner has ended it */
        return;
    session_replay(s);
    if (s->state == SESSION_ENDING) {
        if (!s->outbox.first)
            session_say_end(s);
        return;
    }
    session_set_state(s, SESSION_ATTACHED);
    session_streams_attach(s);
    session_state_attached(s);
    if (!s->restoring)
        s->ops->on_attach(s, resumed);
    session_unblock(s);
}

void session_detach(struct session_wire *wire, struct slice reason)
{
    struct session *s = wire->session;
    char token[64];
    if (!s)
        return;
    wire->session = NULL;
    snprintf(token, sizeof(token), "%.*s", SLICE_ARG(reason));
    session_lose_wire(s, s->goodbye ? "goodbye" : token);
}

/* ---- the owner's calls ---- */

/* Small messages take more of memory than they are long. */
bool session_holds(const struct session *s, size_t bytes)
{
    size_t overhead = bytes > OVERHEAD_MIN ? bytes : OVERHEAD_MIN;
    return s->outbox.bytes > bytes || s->outbox.held > bytes + overhead;
}

bool session_writable(struct session *s)
{
    bool is_writable = s->state > SESSION_DETACHED || !session_holds(s, s->config->buffer_max - 1);
    if (!is_writable)
        s->blocked = true;
    return is_writable;
}

bool session_has_room(const struct session *s, size_t bytes)
{
    size_t max = s->config->buffer_max;
    return s->state > SESSION_DETACHED || (bytes <= max && !session_holds(s, max - bytes));
}

static void pushed(struct session *s, struct outbox_place place, uint32_t count)
{
    if (!place.block) {
        session_abort(s, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"));
        return;
    }
    s->counts->messages_out += count;
    if (s->wire)
        session_put_last(s, place, s->outbox.sent - count);
}

void session_queue(struct session *s, const struct message *m)
{
    if (s->state > SESSION_DETACHED)
        return;
    struct slice pieces[3] = {m->head, m->binary ? SLICE_LITERAL("\n") : SLICE_LITERAL(" "),
                              m->body};
    size_t count = m->binary || m->body.len ? 3 : 1;
    pushed(s, outbox_push(&s->outbox, m->binary, pieces, count), 1);
}

void session_send(struct session *s, const struct message *m)
{
    session_queue(s, m);
    session_flush(s);
}

void session_send_frames(struct session *s, const struct outbox_frames *frames)
{
    if (s->state > SESSION_DETACHED)
        return;
    pushed(s, outbox_push_frames(&s->outbox, frames), frames->count);
    session_flush(s);
}

void session_taken(struct session *s)
{
    uint32_t size = inbox_take(&s->inbox);
    if (s->inbox.taken <= s->acknowledged)
        return; /* it came before this connection */
    s->unacknowledged_bytes += size;
    session_ack_soon(s);
}

void session_end(struct session *s, unsigned code, struct slice reason)
{
    if (s->state == SESSION_LEAVING) {
        session_finish(s);
        return;
    }
    if (s->state > SESSION_DETACHED)
        return;
    /* A plain CGI program has made its page and never had a message: its client need not hear of
     * the end, unless the end is a failure. */
    bool nobody = s->state == SESSION_WAITING && !s->outbox.first && code == CLOSE_NORMAL;
    session_set_end(s, code, reason);
    session_say_ack(s);
    if (nobody || (s->wire && !s->outbox.first))
        session_say_end(s);
    else
        session_set_state(s, SESSION_ENDING);
    session_streams_end(s, reason);
}

void session_abort(struct session *s, unsigned code, struct slice reason)
{
    if (s->state == SESSION_OVER)
        return;
    session_set_end(s, code, reason);
    session_say_end(s);
    session_streams_end(s, reason);
}

void session_give_up(struct session *s)
{
    s->counts->given_up++;
    session_abort(s, CLOSE_SESSION_GONE, SLICE_LITERAL("given-up"));
}
