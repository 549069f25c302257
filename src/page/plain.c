/* SPDX-License-Identifier: MIT */
/* plain.c - the plain form: a WebSocket client without our subprotocol talks with the program
 * directly (docs/protocol.md, section 8).
 *
 * No session: when the connection ends the program is let go, and the other way round. Each
 * direction waits for the slower side.
 */
#include "page/parts.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/events.h"
#include "page/topics.h"
#include "page/wire.h"
#include "proto/close_code.h"

#include <stdlib.h>

static const struct message incoming = {
    .kind = MESSAGE_EVENT,
    .head = {"message", 7},
    .name = {"message", 7},
};

static void pass_text(struct page *p, struct slice text)
{
    char *json = malloc(6 * text.len + 2);
    if (!json) {
        page_end_session(p, CLOSE_INTERNAL_ERROR, SLICE_LITERAL("out of memory"));
        return;
    }
    struct message m = incoming;
    m.body = slice_make(json, json_quote(text, json));
    page_events_write(p, &m);
    free(json);
}

static void on_message(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    struct page *p = ws_peer_owner(peer);
    if (p->stdio) {
        page_stdio_write_line(p, slice_from_bytes(data));
    } else if (op == WS_OP_BINARY) {
        struct message m = incoming;
        m.binary = true;
        m.body = slice_from_bytes(data);
        page_events_write(p, &m);
    } else {
        pass_text(p, slice_from_bytes(data));
    }
    if (page_events_crowded(p))
        ws_peer_pause(peer);
}

static void on_drain(struct ws_peer *peer)
{
    struct page *p = ws_peer_owner(peer);
    page_topics_drained(p);
    page_events_resume(p);
    page_settle(p);
}

static void on_end(struct ws_peer *peer, unsigned code, struct slice reason)
{
    struct page *p = ws_peer_owner(peer);
    (void)reason;
    page_topics_leave(p);
    p->plain = NULL;
    page_grant_end(&p->grant);
    if (!p->session_done)
        page_events_detach(p, code == CLOSE_ABNORMAL ? SLICE_LITERAL("lost")
                                                     : SLICE_LITERAL("closed"));
    p->session_done = true;
    page_let_go(p);
    page_events_resume(p);
    page_settle(p);
}

static const struct ws_peer_ops peer_ops = {
    .on_message = on_message, .on_drain = on_drain, .on_end = on_end};

void page_plain_open(struct page *p)
{
    struct exchange *x = p->x;
    struct bytes rest = {0};
    p->x = NULL;
    p->plain = page_upgrade(p->host, x, SLICE_NONE, &peer_ops, p, &rest);
    if (!p->plain) {
        page_grant_end(&p->grant);
        p->session_done = true;
        page_let_go(p);
        return;
    }
    p->attached = true;
    page_events_attach(p, false);
    ws_peer_begin(p->plain, rest);
    page_events_resume(p);
}

static void send_text(struct page *p, struct slice json)
{
    if (json.len == 0)
        json = SLICE_LITERAL("null");
    char *text = malloc(json.len);
    size_t len;
    if (text && json_unquote(json, text, &len))
        json = slice_make(text, len);
    ws_peer_send(p->plain, WS_OP_TEXT, &json, 1);
    free(text);
}

void page_plain_send(struct page *p, const struct message *m)
{
    if (m->kind != MESSAGE_EVENT || !slice_equal(m->name, SLICE_LITERAL("message"))) {
        log_error("program.plain_form", log_quoted("program", p->file),
                  log_int("pid", p->process.pid), log_quoted("line", m->head),
                  log_text("why", "the client takes only events `message`"));
        return;
    }
    if (m->binary)
        ws_peer_send(p->plain, WS_OP_BINARY, &m->body, 1);
    else
        send_text(p, m->body);
}

bool page_plain_writable(const struct page *p)
{
    return ws_peer_queued(p->plain) < p->host->session_config->buffer_max;
}
