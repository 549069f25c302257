/* SPDX-License-Identifier: MIT */
/* receive.c - the messages of the server: the protocol's own, and those for the user. */
#include "client/parts.h"

#include "proto/close_code.h"

#include <stdio.h>

enum {
    ACK_MS = 250,
    ACK_MESSAGES = 64
};

static void take_welcome(struct httpsocket *c, bool binary, const struct message *m)
{
    struct welcome w;
    if (binary || m->kind != MESSAGE_CONTROL || !slice_equal(m->name, SLICE_LITERAL("welcome"))) {
        link_breach(c, "no .welcome first");
        return;
    }
    const char *why = welcome_parse(m->body, &w);
    if (!why && c->greeted && strcmp(w.session, c->welcome.session) != 0)
        why = "another session than asked for";
    if (!why && c->greeted && !w.resumed)
        why = "a new session in the place of ours";
    if (!why && !outbox_window_rewind(&c->out, w.received))
        why = "the server has other messages than ours";
    if (why) {
        link_breach(c, why);
        return;
    }
    if (outbox_window_exceeds(&c->out, w.message_max)) {
        struct end end =
            end_make(CLOSE_TOO_BIG, SLICE_LITERAL("a message larger than the server takes"));
        link_end(c, &end);
        return;
    }
    link_opened(c, &w);
}

static void take_ack(struct httpsocket *c, uint64_t count)
{
    if (!outbox_window_ack(&c->out, count)) {
        link_breach(c, "an acknowledgement of what was not sent");
        return;
    }
    backoff_worked(&c->backoff);
    link_pump(c);
}

static void take_close(struct httpsocket *c, struct slice body)
{
    unsigned code;
    char reason[END_REASON_MAX];
    if (close_parse(body, &code, reason, sizeof(reason)))
        c->announced = end_make(code, slice_of(reason));
}

static void take_control(struct httpsocket *c, const struct message *m)
{
    if (slice_equal(m->name, SLICE_LITERAL("ack")))
        take_ack(c, m->call);
    else if (slice_equal(m->name, SLICE_LITERAL("ping")))
        link_say(c, ".pong");
    else if (slice_equal(m->name, SLICE_LITERAL("close")))
        take_close(c, m->body);
}

void receive_acknowledge(struct httpsocket *c)
{
    char text[32];
    timer_stop(&c->ack);
    if (!c->peer || c->acknowledged == c->received)
        return;
    snprintf(text, sizeof(text), ".ack %llu", (unsigned long long)c->received);
    c->acknowledged = c->received;
    c->unacknowledged_bytes = 0;
    link_say(c, text);
}

/* At once when much has come, otherwise soon. */
static void acknowledge_soon(struct httpsocket *c)
{
    if (!c->peer)
        return;
    if (c->received - c->acknowledged >= ACK_MESSAGES ||
        c->unacknowledged_bytes >= c->welcome.window / 4)
        receive_acknowledge(c);
    else if (!timer_active(&c->ack))
        timer_start(c->loop, &c->ack, ACK_MS);
}

static void deliver(struct httpsocket *c, const struct message *m)
{
    char name[MESSAGE_NAME_MAX + 1];
    if (m->kind == MESSAGE_COMMAND)
        return; /* for pages only, and this client is none */
    struct httpsocket_message told = form_public(m, name);
    if (!told.name && calls_answered(c, &told))
        return;
    if (c->options.on_message)
        c->options.on_message(c, &told);
    else if (m->kind == MESSAGE_CALL)
        httpsocket_fail(c, m->call, "no such call");
}

void receive(struct httpsocket *c, bool binary, struct slice data)
{
    struct message m;
    client_liveness_heard(c);
    enum parse_status status =
        binary ? message_parse_binary(data, &m) : message_parse_text(data, &m);
    if (status != PARSE_OK) {
        link_breach(c, m.why);
    } else if (c->state == CLIENT_GREETING) {
        take_welcome(c, binary, &m);
    } else if (message_is_problem(&m)) {
        link_breach(c, "a .problem, which only a client has");
    } else if (m.kind == MESSAGE_CONTROL) {
        take_control(c, &m);
    } else {
        backoff_worked(&c->backoff);
        c->received++;
        c->unacknowledged_bytes += data.len;
        deliver(c, &m);
        acknowledge_soon(c);
    }
}
