/* SPDX-License-Identifier: MIT */
/* link.c - the client's connection: any number of them one after the other (docs/protocol.md, 1 and
 * 3 to 5). parts.h has the diagram. */
#include "client/parts.h"

#include "client/bans.h"
#include "proto/channel_frame.h"
#include "proto/close_code.h"
#include "proto/json_text.h"

#include <assert.h>
#include <stdio.h>
#include <sys/random.h>

enum {
    ATTEMPT_MS = 60000, /* to the welcome: the start of the program is in it */
    LEAVE_MS = 10000    /* for the server's answer to .close */
};

static void set_state(struct httpsocket *c, enum client_state next)
{
    assert(c->state != CLIENT_OVER);
    c->state = (uint8_t)next;
}

static uint32_t chance(void)
{
    uint32_t number = 0;
    ssize_t n = getrandom(&number, sizeof(number), GRND_NONBLOCK);
    (void)n; /* without a random number all clients come back at the earliest time: no harm */
    return number;
}

void link_say(struct httpsocket *c, const char *text)
{
    struct slice piece = slice_of(text);
    if (c->peer)
        ws_peer_send(c->peer, WS_OP_TEXT, &piece, 1);
}

/* Drops the connection, in whatever state. */
static void discard(struct httpsocket *c)
{
    client_liveness_stop(c);
    streams_detach(c);
    timer_stop(&c->ack);
    timer_stop(&c->retry);
    dial_stop(&c->dial);
    if (c->peer)
        ws_peer_drop(c->peer);
    c->peer = NULL;
}

/* ---- the end ---- */

static struct httpsocket_end public_end(const struct end *end)
{
    return (struct httpsocket_end){end->code, end->reason, end->retry_s};
}

static void part_message(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    (void)peer;
    (void)op;
    (void)data;
}

static void parted(struct ws_peer *peer, unsigned code, struct slice reason)
{
    struct httpsocket *c = ws_peer_owner(peer);
    (void)code;
    (void)reason;
    c->parting = NULL;
}

/* Tells the server, without waiting for its answer. */
static void part(struct httpsocket *c, const struct end *end)
{
    static const struct ws_peer_ops ops = {.on_message = part_message, .on_end = parted};
    if (!c->peer)
        return;
    streams_detach(c);
    c->parting = c->peer;
    c->peer = NULL;
    ws_peer_own(c->parting, &ops, c);
    ws_peer_close(c->parting, end->code == CLOSE_WIRE_PROTOCOL ? CLOSE_WIRE_PROTOCOL : CLOSE_NORMAL,
                  slice_of(end->reason));
}

void link_end(struct httpsocket *c, const struct end *end)
{
    if (c->state == CLIENT_OVER)
        return;
    part(c, end);
    c->end = *end;
    c->public_end = public_end(&c->end);
    discard(c);
    timer_stop(&c->give_up);
    timer_stop(&c->finish);
    timer_stop(&c->work);
    set_state(c, CLIENT_OVER);
    tcp_fail(c);
    calls_fail(c);
    if (c->options.on_close)
        c->options.on_close(c, &c->public_end);
}

void link_breach(struct httpsocket *c, const char *why)
{
    char reason[END_REASON_MAX];
    snprintf(reason, sizeof(reason), "wire-protocol: %s", why);
    struct end end = end_make(CLOSE_WIRE_PROTOCOL, slice_of(reason));
    link_end(c, &end);
}

static void left(struct httpsocket *c)
{
    struct end end = end_make(CLOSE_NORMAL, slice_of(c->close_reason));
    link_end(c, &end);
}

/* ---- losing and coming back ---- */

/* A server that TLS refuses at the first connection has a wrong name or an unknown CA, which stays
 * so. Later the cause is a certificate that has run out, or a network that wants a login: both
 * pass. */
static bool stays_lost(const struct httpsocket *c, const struct end *why)
{
    return c->options.retry == HTTPSOCKET_RETRY_NEVER ||
           (c->options.retry == HTTPSOCKET_RETRY_AFTER_OPEN && !c->greeted) ||
           (why->code == CLOSE_TLS_HANDSHAKE && !c->greeted);
}

/* The user closes, no session has ever answered, and no message waits. */
static bool nothing_to_come_back_for(const struct httpsocket *c)
{
    return c->finishing && !c->greeted && !c->out.kept.first;
}

void link_lost(struct httpsocket *c, const struct end *why)
{
    if (c->announced.code) {
        link_end(c, &c->announced);
        return;
    }
    if (stays_lost(c, why) || nothing_to_come_back_for(c)) {
        link_end(c, why);
        return;
    }
    discard(c);
    c->end = *why;
    uint64_t pause = backoff_delay_after(&c->backoff, why, loop_now_ms(c->loop), chance());
    set_state(c, CLIENT_WAITING);
    timer_start(c->loop, &c->retry, pause);
    if (c->options.give_up_ms && !timer_active(&c->give_up))
        timer_start(c->loop, &c->give_up, c->options.give_up_ms);
    struct httpsocket_end told = public_end(&c->end);
    if (c->options.on_lost)
        c->options.on_lost(c, &told);
}

void link_drop(struct httpsocket *c, const char *why)
{
    struct end end = end_make(CLOSE_ABNORMAL, slice_of(why));
    link_lost(c, &end);
}

static void closed(struct httpsocket *c, const struct end *end)
{
    bool gone = end->code == CLOSE_NORMAL || end->code == CLOSE_NO_STATUS ||
                end->code == CLOSE_SESSION_GONE;
    if (c->said_close && gone)
        left(c);
    else if (end_then(end) == THEN_FINAL)
        link_end(c, c->announced.code ? &c->announced : end);
    else
        link_lost(c, end);
}

/* ---- the WebSocket ---- */

static void on_message(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    struct httpsocket *c = ws_peer_owner(peer);
    if (op == WS_OP_BINARY && channel_frame_is(slice_from_bytes(data)))
        streams_receive(c, data);
    else
        receive(c, op == WS_OP_BINARY, slice_from_bytes(data));
}

static void on_drain(struct ws_peer *peer)
{
    streams_drained(ws_peer_owner(peer));
}

static void on_peer_end(struct ws_peer *peer, unsigned code, struct slice reason)
{
    struct httpsocket *c = ws_peer_owner(peer);
    streams_detach(c);
    c->peer = NULL;
    struct end end = end_make(code, reason);
    client_program_ban_add(&c->target, &end, "");
    closed(c, &end);
}

static const struct ws_peer_ops peer_ops = {
    .on_message = on_message, .on_drain = on_drain, .on_end = on_peer_end};

static void dial_opened(struct dial *d, struct stream *stream, struct bytes rest)
{
    struct httpsocket *c = container_of(d, struct httpsocket, dial);
    c->peer = ws_peer_new(stream, &c->ws_config, &c->ws_counts, &peer_ops, c);
    if (!c->peer) {
        link_drop(c, "no memory");
        return;
    }
    set_state(c, CLIENT_GREETING);
    ws_peer_begin(c->peer, rest);
}

static void dial_failed(struct dial *d, const struct end *why)
{
    struct httpsocket *c = container_of(d, struct httpsocket, dial);
    client_program_ban_add(&c->target, why, d->policy_path);
    closed(c, why);
}

static const struct dial_ops dial_ops = {dial_opened, dial_failed};

static void dial_banned(struct dial *d, const struct end *why)
{
    closed(container_of(d, struct httpsocket, dial), why);
}

static const struct dial_ops banned_ops = {NULL, dial_banned};

static void connect_now(struct httpsocket *c)
{
    char subprotocols[256];
    int len = snprintf(subprotocols, sizeof(subprotocols), "httpsocket.v1, key.%s", c->key);
    if (c->greeted)
        snprintf(subprotocols + len, sizeof(subprotocols) - (size_t)len,
                 ", session.%s, received.%llu", c->welcome.session,
                 (unsigned long long)c->received);
    set_state(c, CLIENT_CONNECTING);
    uint32_t banned_s = client_program_ban_s(&c->target);
    if (banned_s) {
        struct end banned = end_make(CLOSE_RATE_LIMITED, SLICE_LITERAL("banned"));
        banned.retry_s = banned_s;
        dial_refuse(c->loop, &c->dial, &banned, &banned_ops);
        return;
    }
    dial_start(c->loop, &c->dial, &c->target, subprotocols, &dial_ops);
    timer_start(c->loop, &c->retry, ATTEMPT_MS);
}

/* The answer to `.close` waits behind what is still on its way. */
static bool answer_comes(struct httpsocket *c)
{
    return c->state == CLIENT_LEAVING &&
           loop_now_ms(c->loop) - ws_peer_alive_ms(c->peer) < LEAVE_MS;
}

static void retry(struct timer *timer)
{
    struct httpsocket *c = container_of(timer, struct httpsocket, retry);
    if (c->state == CLIENT_WAITING)
        connect_now(c);
    else if (answer_comes(c))
        timer_start(c->loop, timer, LEAVE_MS);
    else
        link_drop(c, c->state == CLIENT_LEAVING ? "no answer to .close" : "no welcome in time");
}

static void give_up(struct timer *timer)
{
    struct httpsocket *c = container_of(timer, struct httpsocket, give_up);
    struct end end = c->end;
    if (c->state != CLIENT_WAITING || !end.code)
        end = end_make(CLOSE_ABNORMAL, SLICE_LITERAL("no connection in time"));
    link_end(c, &end);
}

static void work(struct timer *timer)
{
    link_pump(container_of(timer, struct httpsocket, work));
}

static void ack_due(struct timer *timer)
{
    receive_acknowledge(container_of(timer, struct httpsocket, ack));
}

/* ---- open ---- */

void link_opened(struct httpsocket *c, const struct welcome *welcome)
{
    bool again = c->greeted;
    c->welcome = *welcome;
    c->greeted = true;
    c->acknowledged = c->received; /* `received.N` of the handshake has said it */
    c->unacknowledged_bytes = 0;
    set_state(c, CLIENT_OPEN);
    timer_stop(&c->retry);
    timer_stop(&c->give_up);
    backoff_opened(&c->backoff, loop_now_ms(c->loop));
    client_liveness_start(c);
    streams_attach(c);
    if (c->paused)
        ws_peer_pause(c->peer);
    client_wake(c);
    if (c->options.on_open)
        c->options.on_open(c, again);
}

static void say_close(struct httpsocket *c)
{
    char buffer[sizeof(c->close_reason) * 6 + 32];
    struct text t = TEXT_IN(buffer);
    text_put(&t, SLICE_LITERAL(".close "));
    json_text_begin(&t);
    json_text_string(&t, "reason", slice_of(c->close_reason));
    json_text_end(&t);
    text_put(&t, slice_make("", 1));
    assert(!t.failed);
    receive_acknowledge(c);
    link_say(c, t.ptr);
    c->said_close = true;
    set_state(c, CLIENT_LEAVING);
    timer_start(c->loop, &c->retry, LEAVE_MS);
}

/* Messages that the program has not taken by now are given up. */
static void finish_over(struct timer *timer)
{
    struct httpsocket *c = container_of(timer, struct httpsocket, finish);
    struct end end = end_make(CLOSE_ABNORMAL, SLICE_LITERAL("close-timeout"));
    if (c->state == CLIENT_OPEN)
        say_close(c);
    link_end(c, &end);
}

static void tell_room(struct httpsocket *c)
{
    if (!c->wants_room || c->state == CLIENT_OVER || c->out.kept.bytes > c->options.buffer_max / 2)
        return;
    c->wants_room = false;
    if (c->options.on_room)
        c->options.on_room(c);
}

void link_pump(struct httpsocket *c)
{
    if (c->state == CLIENT_OPEN) {
        const struct outbox_message *m;
        while (c->peer && (m = outbox_window_next(&c->out, c->welcome.window))) {
            struct slice piece = slice_make(m->data, m->len);
            ws_peer_send(c->peer, m->binary ? WS_OP_BINARY : WS_OP_TEXT, &piece, 1);
        }
        tcp_turns(c);
        if (c->state == CLIENT_OPEN && c->finishing && !c->out.kept.first)
            say_close(c);
    } else if (c->state == CLIENT_WAITING && nothing_to_come_back_for(c)) {
        struct end last = c->end;
        link_end(c, &last);
        return;
    }
    tell_room(c);
}

void link_start(struct httpsocket *c)
{
    timer_init(&c->work, work);
    timer_init(&c->retry, retry);
    timer_init(&c->give_up, give_up);
    timer_init(&c->finish, finish_over);
    timer_init(&c->ack, ack_due);
    client_liveness_init(c);
    if (c->options.give_up_ms)
        timer_start(c->loop, &c->give_up, c->options.give_up_ms);
    connect_now(c);
}
