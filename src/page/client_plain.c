/* SPDX-License-Identifier: MIT */
/* client_plain.c - the plain form: a WebSocket client without our subprotocol talks with the
 * program directly (docs/protocol.md, section 8).
 *
 * No session: when the connection ends the program is let go, and the other way round. Each
 * direction waits for the slower side.
 */
#include "page/client.h"

#include "base/log.h"
#include "page/batch.h"
#include "page/grant.h"
#include "page/hear.h"
#include "page/host.h"
#include "page/subprotocol.h"
#include "page/wire.h"
#include "proto/close_code.h"

#include <stdlib.h>

/* ---- to the client ---- */

/* What the client sends is as long as what it gets: only the lines in between have escapes. */
static void send_body(struct page *p, enum ws_op op, struct slice body)
{
    if (body.len <= p->host->spec.session_config->message_max)
        ws_peer_send(p->plain, op, &body, 1);
    else
        page_breach(p, "a message that is too long", body);
    page_count(p);
}

static void send_json(struct page *p, struct slice json)
{
    struct slice plain;
    if (json.len == 0)
        json = SLICE_LITERAL("null");
    if (json_plain_text(json, &plain)) {
        send_body(p, WS_OP_TEXT, plain);
        return;
    }
    char *text = log_needed(malloc(json.len));
    size_t len;
    if (!text) {
        page_fault(p);
        return;
    }
    if (json_unquote_valid(json, text, &len))
        json = slice_make(text, len);
    send_body(p, WS_OP_TEXT, json);
    free(text);
}

static void send_message(struct page *p, const struct message *m)
{
    if (m->kind != MESSAGE_EVENT || !slice_equal(m->name, SLICE_LITERAL("message")))
        log_error("program.plain_form", page_cause(p), log_slice("program", page_file(p)),
                  log_int("pid", page_pid(p)), log_slice("line", m->head),
                  log_text("why", "the client takes only events `message`"));
    else if (m->binary || m->text)
        send_body(p, m->binary ? WS_OP_BINARY : WS_OP_TEXT, m->body);
    else
        send_json(p, m->body);
}

static bool send_batch(struct page *p, struct hub_batch *batch)
{
    struct outbox_frames frames;
    const struct session_config *config = p->host->spec.session_config;
    if (!batch_for_plain(batch, config->message_max, &frames) ||
        io_is_crowded(ws_peer_queued(p->plain) + frames.payload, config->buffer_max))
        return false;
    ws_peer_send_frames(p->plain, frames.shared, 0, frames.shared->len, frames.count, false);
    page_count(p);
    return true;
}

static bool command(struct page *p, const struct message *m)
{
    (void)p, (void)m;
    return false;
}

static size_t backlog(const struct page *p)
{
    return ws_peer_queued(p->plain);
}

static bool writable(const struct page *p)
{
    return !io_is_crowded(backlog(p), p->host->spec.session_config->buffer_max);
}

static bool present(const struct page *p)
{
    (void)p;
    return true;
}

static void program_drained(struct page *p)
{
    ws_peer_resume(p->plain);
}

static void end(struct page *p, unsigned code, struct slice reason, bool matters)
{
    (void)matters; /* there is no later */
    ws_peer_close(p->plain, code, reason);
}

static void abort_plain(struct page *p, unsigned code, struct slice reason)
{
    (void)p, (void)code, (void)reason; /* `end` has closed it */
}

static void drop(struct page *p)
{
    ws_peer_drop(p->plain);
    p->plain = NULL;
    p->client = NULL;
    page_grant_end(&p->grant);
}

const struct page_client_ops page_plain_client = {
    .send = send_message,
    .send_batch = send_batch,
    .writable = writable,
    .command = command,
    .present = present,
    .backlog = backlog,
    .program_drained = program_drained,
    .end = end,
    .abort = abort_plain,
    .drop = drop,
};

/* ---- from the client ---- */

static void on_message(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    struct page *p = ws_peer_owner(peer);
    struct message m = {
        .kind = MESSAGE_EVENT,
        .binary = op == WS_OP_BINARY,
        .text = op != WS_OP_BINARY,
        .head = SLICE_LITERAL("message"),
        .name = SLICE_LITERAL("message"),
        .body = slice_from_bytes(data),
        .whole = ws_peer_arriving(peer),
    };
    page_send_program(p, &m);
    page_count(p);
    if (page_crowded(p))
        ws_peer_pause(peer);
}

static void on_drain(struct ws_peer *peer)
{
    struct page *p = ws_peer_owner(peer);
    page_client_writable(p);
    page_settle(p);
}

static void on_end(struct ws_peer *peer, unsigned code, struct slice reason)
{
    struct page *p = ws_peer_owner(peer);
    p->plain = NULL;
    p->client = NULL;
    page_grant_end(&p->grant);
    if (p->state < PAGE_ENDED)
        page_client_detached(p, page_detach_reason(code, reason));
    page_stop(p, CLOSE_NORMAL, SLICE_LITERAL("left"));
    page_resume(p);
    page_settle(p);
}

static const struct ws_peer_ops peer_ops = {
    .on_message = on_message, .on_drain = on_drain, .on_end = on_end};

/* ---- let in ---- */

/* A program that knows nothing of WebSocket leaves the choice to the operator. */
static struct slice choose_subprotocol(const struct page *p, const struct cgi_head *head)
{
    const struct program_kinds *kinds = program_host_config(p->host->spec.programs)->kinds;
    if (head)
        return page_subprotocol_of(head);
    return p->seat->ops->only_messages ? page_subprotocol_for_lines(p->x, kinds) : SLICE_NONE;
}

void page_plain_open(struct page *p, const struct cgi_head *head)
{
    struct bytes rest = {0};
    struct exchange *x = p->x;
    struct page_welcome welcome = {choose_subprotocol(p, head), head};
    p->x = NULL;
    p->plain = page_upgrade(p->host, x, p->host->spec.ws_config, &welcome, &peer_ops, p, &rest);
    if (!p->plain) {
        page_grant_end(&p->grant);
        page_stop(p, CLOSE_NORMAL, SLICE_LITERAL("left"));
        return;
    }
    p->client = &page_plain_client;
    ws_peer_pay(p->plain, &p->account);
    page_client_attached(p, false);
    ws_peer_begin(p->plain, rest);
    page_resume(p);
}

bool page_unpack_plain(struct page *p, struct slice in)
{
    struct page_host *host = p->host;
    p->plain = ws_peer_unpack(host->spec.loop, in, host->spec.ws_config, &host->counts.websockets,
                              &peer_ops, p);
    if (!p->plain)
        return false;
    p->client = &page_plain_client;
    ws_peer_pay(p->plain, &p->account);
    return true;
}
