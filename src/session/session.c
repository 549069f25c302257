#include "session/session.h"

#include "base/log.h"
#include "session/entry.h"
#include "session/inbox.h"
#include "session/table.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ACK_MESSAGES 64  /* acknowledge at once after so many */
#define ACK_DELAY_MS 200 /* and otherwise after this time */
#define REASON_MAX   120 /* bytes: a close frame has room for 123 */

enum state {
    WAITING,
    ATTACHED,
    DETACHED,
    LEAVING,
    ENDING,
    OVER
};
static const char *const state_names[] = {"waiting", "attached", "detached",
                                          "leaving", "ending",   "over"};

struct session {
    struct entry entry;
    struct reap reap;
    struct loop *loop;
    const struct session_config *config;
    struct session_counts *counts;
    struct session_table *table;
    const struct session_ops *ops;
    void *owner;
    struct session_wire *wire; /* NULL: away */
    struct timer timer;        /* grace while away, the ping's beat while attached */
    struct timer ack_timer;
    struct outbox outbox;
    struct inbox inbox;
    uint64_t acknowledged; /* how many of them the client knows to be taken */
    uint64_t unacknowledged_bytes;
    uint64_t heard_ms, said_ms; /* when something last came and went */
    char *text;                 /* origin, then path */
    uint16_t origin_len;
    uint16_t path_len;
    uint16_t end_code;
    uint8_t state;
    bool attached_before;
    bool blocked; /* on_writable is owed */
    bool goodbye;
    char *end_reason; /* NULL: none, or no memory for it */
    uint64_t ended_ms;
};

struct session *session_of_entry(struct entry *e)
{
    return container_of(e, struct session, entry);
}

/*   WAITING ──> ATTACHED <──> DETACHED      session_attach, session_detach
 *      any of them ──> LEAVING              the client's .close, grace over, a breach: on_close;
 * the owner answers by session_end any of them ──> ENDING               session_end, with something
 * left to deliver any ──> OVER                         finish
 */
static void set_state(struct session *s, enum state next)
{
    static const uint8_t allowed[] = {
        [WAITING] = 1 << ATTACHED | 1 << LEAVING | 1 << ENDING | 1 << OVER,
        [ATTACHED] = 1 << DETACHED | 1 << LEAVING | 1 << ENDING | 1 << OVER,
        [DETACHED] = 1 << ATTACHED | 1 << LEAVING | 1 << ENDING | 1 << OVER,
        [LEAVING] = 1 << OVER,
        [ENDING] = 1 << OVER,
        [OVER] = 0,
    };
    assert(allowed[s->state] >> next & 1);
    char id[SESSION_LOG_ID_LEN + 1];
    if (log_threshold <= LOG_DEBUG) {
        session_log_id(s, id);
        log_debug("session.state", log_text("session", id), log_text("from", state_names[s->state]),
                  log_text("to", state_names[next]));
    }
    s->state = next;
}

/* ---- what goes out ---- */

static void wire_send(struct session *s, bool binary, const struct slice *pieces, size_t count)
{
    s->said_ms = loop_now_ms(s->loop);
    s->wire->ops->send(s->wire, binary, pieces, count);
}

static void wire_send_text(struct session *s, const char *text, int len)
{
    struct slice piece = slice_make(text, (size_t)len);
    wire_send(s, false, &piece, 1);
}

/* Lets the wire go: it is closed, and forgets us. */
static void wire_drop(struct session *s, unsigned code, const char *reason)
{
    struct session_wire *wire = s->wire;
    if (!wire)
        return;
    s->wire = NULL;
    wire->session = NULL;
    timer_stop(&s->ack_timer);
    s->counts->attached_now--;
    wire->ops->close(wire, code, slice_of(reason));
}

static void send_welcome(struct session *s)
{
    char text[320];
    int len =
        snprintf(text, sizeof(text),
                 ".welcome {\"session\":\"%.*s\",\"resumed\":%s,\"received\":%llu,\"window\":%u,"
                 "\"maxMessage\":%u,\"ping\":%u,\"grace\":%u}",
                 SESSION_ID_LEN, s->entry.id, s->attached_before ? "true" : "false",
                 (unsigned long long)s->inbox.received, s->config->window, s->config->message_max,
                 s->config->ping_ms, s->config->detach_timeout_ms);
    wire_send_text(s, text, len);
}

static void send_ack(struct session *s)
{
    timer_stop(&s->ack_timer);
    if (!s->wire || s->acknowledged == s->inbox.taken)
        return;
    char text[32];
    int len = snprintf(text, sizeof(text), ".ack %llu", (unsigned long long)s->inbox.taken);
    s->acknowledged = s->inbox.taken;
    s->unacknowledged_bytes = 0;
    wire_send_text(s, text, len);
}

static void replay(struct session *s)
{
    for (const struct outbox_message *m = s->outbox.first; m && s->wire; m = m->next) {
        struct slice piece = slice_make(m->data, m->len);
        wire_send(s, m->binary, &piece, 1);
        s->counts->replayed++;
    }
}

static void unblock(struct session *s)
{
    if (!s->blocked || s->outbox.bytes > s->config->buffer_max / 2)
        return;
    s->blocked = false;
    if (s->state <= DETACHED)
        s->ops->on_writable(s);
}

/* ---- the end ---- */

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

static void finish(struct session *s)
{
    timer_stop(&s->timer);
    timer_stop(&s->ack_timer);
    if (s->state != LEAVING)
        entry_remove(s->table, &s->entry);
    set_state(s, OVER);
    s->counts->now--;
    loop_reap(s->loop, &s->reap, free_session);
}

static const char *end_reason(const struct session *s)
{
    return s->end_reason ? s->end_reason : "";
}

/* The first end is the one that counts. */
static void set_end(struct session *s, unsigned code, struct slice reason)
{
    if (s->end_code)
        return;
    s->end_code = (uint16_t)code;
    s->end_reason = slice_to_string(slice_first(reason, REASON_MAX));
    s->ended_ms = loop_now_ms(s->loop);
}

static void send_close(struct session *s)
{
    char quoted[6 * REASON_MAX + 2], text[sizeof(quoted) + 64];
    size_t quoted_len = json_quote(slice_of(end_reason(s)), quoted);
    int len = snprintf(text, sizeof(text), ".close {\"code\":%u,\"reason\":%.*s}", s->end_code,
                       (int)quoted_len, quoted);
    wire_send_text(s, text, len);
}

/* Tells a client that is there, and is done. */
static void say_end(struct session *s)
{
    if (s->wire) {
        send_close(s);
        wire_drop(s, s->end_code, end_reason(s));
    }
    finish(s);
}

/* The client has no further part in it: what is left is for the owner to let its program go. */
static void leave(struct session *s, const char *reason)
{
    entry_remove(s->table, &s->entry);
    set_state(s, LEAVING);
    timer_stop(&s->timer);
    timer_stop(&s->ack_timer);
    outbox_clear(&s->outbox);
    s->ops->on_close(s, slice_of(reason));
}

static void breach(struct session *s, const char *why)
{
    char id[SESSION_LOG_ID_LEN + 1];
    char reason[96];
    session_log_id(s, id);
    log_info("session.breach", log_text("session", id), log_text("why", why));
    s->counts->breaches++;
    snprintf(reason, sizeof(reason), "wire-protocol: %s", why);
    wire_drop(s, 4400, reason);
    if (s->state == ENDING)
        finish(s);
    else
        leave(s, "wire-protocol");
}

/* ---- time ---- */

static void away(struct session *s)
{
    timer_start(s->loop, &s->timer,
                s->goodbye ? s->config->goodbye_timeout_ms : s->config->detach_timeout_ms);
}

static void lose_wire(struct session *s, const char *reason)
{
    s->counts->attached_now--;
    s->wire = NULL;
    timer_stop(&s->ack_timer);
    s->acknowledged = s->inbox.taken; /* the next `.welcome` says it */
    s->unacknowledged_bytes = 0;
    away(s);
    if (s->state == ENDING)
        return;
    set_state(s, DETACHED);
    s->ops->on_detach(s, slice_of(reason));
}

static void beat(struct session *s)
{
    uint64_t now = loop_now_ms(s->loop);
    if (now - s->heard_ms >= 2 * (uint64_t)s->config->ping_ms + 5000) {
        struct session_wire *wire = s->wire;
        wire->session = NULL;
        lose_wire(s, "dead-peer");
        wire->ops->close(wire, 1011, SLICE_LITERAL("dead-peer"));
        return;
    }
    if (s->state == ENDING && now - s->ended_ms >= s->config->detach_timeout_ms) {
        say_end(s); /* it is there, but acknowledges nothing */
        return;
    }
    if (now - s->said_ms >= s->config->ping_ms)
        wire_send_text(s, ".ping", 5);
    if (s->wire)
        timer_start(s->loop, &s->timer, s->config->ping_ms / 2 + 1);
}

static void on_timer(struct timer *timer)
{
    struct session *s = container_of(timer, struct session, timer);
    if (s->wire) {
        beat(s);
    } else if (s->state == ENDING) {
        finish(s);
    } else {
        s->counts->ended_by_grace++;
        leave(s, s->state == WAITING ? "never-attached" : "grace-over");
    }
}

static void on_ack_timer(struct timer *timer)
{
    send_ack(container_of(timer, struct session, ack_timer));
}

/* ---- what comes in ---- */

static void receive_message(struct session *s, const struct message *m, size_t size)
{
    if (s->state == ENDING)
        return; /* never acknowledged: the client learns by the end that it did not arrive */
    if (!inbox_admits(&s->inbox, size, s->config->window)) {
        breach(s, "more than the window");
        return;
    }
    if (!inbox_receive(&s->inbox, (uint32_t)size)) {
        session_abort(s, 1013, SLICE_LITERAL("overload"));
        return;
    }
    s->counts->messages_in++;
    s->ops->on_message(s, m);
}

static void receive_ack(struct session *s, struct slice number)
{
    uint64_t n;
    if (!slice_to_uint(number, MESSAGE_CALL_MAX, &n) || !outbox_ack(&s->outbox, n)) {
        breach(s, ".ack of what was not sent");
        return;
    }
    if (s->state == ENDING && !s->outbox.first)
        say_end(s);
    else
        unblock(s);
}

static void receive_close(struct session *s)
{
    wire_drop(s, 1000, "");
    if (s->state == ENDING)
        finish(s);
    else
        leave(s, "client-closed");
}

static void receive_control(struct session *s, const struct message *m)
{
    if (slice_equal(m->name, SLICE_LITERAL("ack")))
        receive_ack(s, m->body);
    else if (slice_equal(m->name, SLICE_LITERAL("ping")))
        wire_send_text(s, ".pong", 5);
    else if (slice_equal(m->name, SLICE_LITERAL("bye")))
        s->goodbye = true;
    else if (slice_equal(m->name, SLICE_LITERAL("close")))
        receive_close(s);
}

void session_receive(struct session_wire *wire, bool binary, struct slice data)
{
    struct session *s = wire->session;
    struct message m;
    if (!s)
        return;
    s->heard_ms = loop_now_ms(s->loop);
    enum parse_status status =
        binary ? message_parse_binary(data, &m) : message_parse_text(data, &m);
    if (status != PARSE_OK)
        breach(s, m.why);
    else if (data.len > s->config->message_max)
        breach(s, "more than maxMessage");
    else if (m.kind == MESSAGE_CONTROL)
        receive_control(s, &m);
    else
        receive_message(s, &m, data.len);
}

void session_taken(struct session *s)
{
    s->unacknowledged_bytes += inbox_take(&s->inbox);
    if (!s->wire)
        return;
    if (s->unacknowledged_bytes >= s->config->window / 4 ||
        s->inbox.taken - s->acknowledged >= ACK_MESSAGES)
        send_ack(s);
    else if (!timer_active(&s->ack_timer))
        timer_start(s->loop, &s->ack_timer, ACK_DELAY_MS);
}

/* ---- making, attaching ---- */

struct session *session_new(struct loop *loop, const struct session_spec *spec)
{
    struct session *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    *s = (struct session){
        .loop = loop,
        .config = spec->config,
        .counts = spec->counts,
        .table = spec->table,
        .ops = spec->ops,
        .owner = spec->owner,
        .text = malloc(spec->origin.len + spec->path.len + 1),
        .origin_len = (uint16_t)spec->origin.len,
        .path_len = (uint16_t)spec->path.len,
    };
    int error = s->text ? entry_add(spec->table, &s->entry) : -ENOMEM;
    if (error < 0) {
        free(s->text);
        free(s);
        errno = -error;
        return NULL;
    }
    memcpy(s->text, spec->origin.ptr, spec->origin.len);
    memcpy(s->text + spec->origin.len, spec->path.ptr, spec->path.len);
    timer_init(&s->timer, on_timer);
    timer_init(&s->ack_timer, on_ack_timer);
    timer_start(loop, &s->timer, s->config->attach_timeout_ms);
    s->counts->started++;
    s->counts->now++;
    return s;
}

struct slice session_id(const struct session *s)
{
    return slice_make(s->entry.id, SESSION_ID_LEN);
}

void *session_owner(const struct session *s)
{
    return s->owner;
}

bool session_attached(const struct session *s)
{
    return s->wire;
}

static void describe_text(struct text *out, const char *key, struct slice value)
{
    char quoted[6 * 256 + 2];
    size_t len = json_quote(slice_first(value, 256), quoted);
    text_printf(out, ",\"%s\":%.*s", key, (int)len, quoted);
}

void session_describe(const struct session *s, struct text *out)
{
    char id[SESSION_LOG_ID_LEN + 1];
    session_log_id(s, id);
    text_printf(out, "{\"session\":\"%s\",\"state\":\"%s\"", id, state_names[s->state]);
    describe_text(out, "path", slice_make(s->text + s->origin_len, s->path_len));
    describe_text(out, "origin", slice_make(s->text, s->origin_len));
    text_printf(out, ",\"received\":%llu,\"taken\":%llu,\"sent\":%llu,\"unacknowledgedBytes\":%zu}",
                (unsigned long long)s->inbox.received, (unsigned long long)s->inbox.taken,
                (unsigned long long)s->outbox.sent, s->outbox.bytes);
}

unsigned session_admits(const struct session *s, struct slice path, struct slice origin,
                        struct slice key, uint64_t received)
{
    if (!slice_equal(origin, slice_make(s->text, s->origin_len)))
        return 4403;
    if (!slice_equal(path, slice_make(s->text + s->origin_len, s->path_len)))
        return 4410;
    if (s->entry.key_len && !slice_equal(key, slice_make(s->entry.key, s->entry.key_len)))
        return 4409;
    return outbox_serves(&s->outbox, received) ? 0 : 4410;
}

void session_attach(struct session *s, struct session_wire *wire, struct slice key,
                    uint64_t received)
{
    assert(s->state != LEAVING && s->state != OVER);
    bool taken_over = s->wire;
    wire_drop(s, 4000, "replaced");
    if (taken_over && s->state == ATTACHED) {
        set_state(s, DETACHED);
        s->ops->on_detach(s, SLICE_LITERAL("replaced"));
        if (s->state != DETACHED) { /* the owner has ended it */
            wire->ops->close(wire, 4410, SLICE_LITERAL("session-gone"));
            return;
        }
    }
    if (!s->entry.key_len)
        entry_bind_key(s->table, &s->entry, key);
    bool resumed = s->attached_before;
    s->counts->attached_now++;
    s->counts->attaches++;
    s->counts->resumes += resumed;
    s->wire = wire;
    wire->session = s;
    s->goodbye = false;
    s->heard_ms = loop_now_ms(s->loop);
    s->acknowledged = s->inbox.taken;
    s->unacknowledged_bytes = 0;
    outbox_ack(&s->outbox, received);
    send_welcome(s);
    s->attached_before = true;
    timer_start(s->loop, &s->timer, s->config->ping_ms / 2 + 1);
    replay(s);
    if (s->state == ENDING) {
        if (!s->outbox.first)
            say_end(s);
        return;
    }
    set_state(s, ATTACHED);
    s->ops->on_attach(s, resumed);
    unblock(s);
}

void session_detach(struct session_wire *wire, struct slice reason)
{
    struct session *s = wire->session;
    char token[64];
    if (!s)
        return;
    wire->session = NULL;
    snprintf(token, sizeof(token), "%.*s", SLICE_ARG(reason));
    lose_wire(s, s->goodbye ? "goodbye" : token);
}

/* ---- the owner's calls ---- */

bool session_writable(const struct session *s)
{
    return s->state > DETACHED || s->outbox.bytes < s->config->buffer_max;
}

void session_send(struct session *s, const struct message *m)
{
    if (s->state > DETACHED)
        return;
    struct slice pieces[3] = {m->head, m->binary ? SLICE_LITERAL("\n") : SLICE_LITERAL(" "),
                              m->body};
    size_t count = m->binary || m->body.len ? 3 : 1;
    if (!outbox_push(&s->outbox, m->binary, pieces, count)) {
        session_abort(s, 1013, SLICE_LITERAL("overload"));
        return;
    }
    s->counts->messages_out++;
    if (!session_writable(s))
        s->blocked = true;
    if (s->wire)
        wire_send(s, m->binary, pieces, count);
}

void session_end(struct session *s, unsigned code, struct slice reason)
{
    if (s->state == LEAVING) {
        finish(s);
        return;
    }
    if (s->state > DETACHED)
        return;
    bool nobody = s->state == WAITING && !s->outbox.first;
    set_end(s, code, reason);
    send_ack(s);
    if (nobody || (s->wire && !s->outbox.first))
        say_end(s);
    else
        set_state(s, ENDING);
}

void session_abort(struct session *s, unsigned code, struct slice reason)
{
    if (s->state == OVER)
        return;
    set_end(s, code, reason);
    say_end(s);
}
