/* SPDX-License-Identifier: MIT */
/* wire.c - the WebSockets of sessions: each joins a ws_peer with a session for as long as it lasts;
 * and those that are opened only to be refused, because a browser shows a page nothing but a close
 * code.
 *
 * A wire lives as long as its peer; the session lets go of it earlier when another one takes over.
 */
#include "page/wire.h"

#include "base/log.h"
#include "page/grant.h"
#include "page/lifecycle.h"
#include "proto/close_code.h"
#include "proto/ws_handshake.h"

#include <errno.h>
#include <stdlib.h>

#define WS_REASON_MAX     123
#define KERNEL_UNSENT_MAX 65536 /* of a WebSocket with byte streams: more carries no more */

struct page_wire {
    struct session_wire wire;
    struct list node; /* page_host.wires */
    struct ws_peer *peer;
    struct page_grant *grant;        /* NULL: none */
    struct page_wire_filter *filter; /* borrowed until its `drop`; NULL: none */
    struct loop *loop;
    struct reap reap;
};

static void free_memory(struct reap *reap)
{
    struct page_wire *wire = container_of(reap, struct page_wire, reap);
    free(wire);
}

static void drop_filter(struct page_wire *wire)
{
    struct page_wire_filter *filter = wire->filter;
    wire->filter = NULL;
    if (filter)
        filter->drop(filter);
}

static bool filters(struct page_wire *wire, bool to_page, bool binary, const struct slice *pieces,
                    size_t count)
{
    return wire->filter && wire->filter->take(wire->filter, to_page, binary, pieces, count);
}

static void release(struct page_wire *wire)
{
    drop_filter(wire);
    list_remove(&wire->node);
    page_grant_end(&wire->grant);
    loop_reap(wire->loop, &wire->reap, free_memory);
}

/* ---- from the session ---- */

static void send_message(struct session_wire *sw, bool binary, const struct slice *pieces,
                         size_t count)
{
    struct page_wire *wire = container_of(sw, struct page_wire, wire);
    if (filters(wire, true, binary, pieces, count))
        return;
    ws_peer_send(wire->peer, binary ? WS_OP_BINARY : WS_OP_TEXT, pieces, count);
}

static void close_wire(struct session_wire *sw, unsigned code, struct slice reason)
{
    struct page_wire *wire = container_of(sw, struct page_wire, wire);
    if (wire->filter)
        wire->filter->hurry(wire->filter);
    ws_peer_close(wire->peer, code, reason);
}

static void send_shared(struct session_wire *sw, struct slice head, struct shared_bytes *body,
                        size_t at, size_t len)
{
    struct page_wire *wire = container_of(sw, struct page_wire, wire);
    struct slice pieces[] = {head, body ? slice_make(body->bytes + at, len) : SLICE_NONE};
    if (filters(wire, true, true, pieces, 2))
        return;
    ws_peer_send_shared(wire->peer, head, body, at, len);
}

static size_t queued(const struct session_wire *sw)
{
    return ws_peer_queued(container_of(sw, struct page_wire, wire)->peer);
}

static uint64_t alive_ms(struct session_wire *sw)
{
    return ws_peer_alive_ms(container_of(sw, struct page_wire, wire)->peer);
}

static void keep_shallow(struct session_wire *sw)
{
    struct page_wire *wire = container_of(sw, struct page_wire, wire);
    stream_keep_shallow(ws_peer_stream(wire->peer), KERNEL_UNSENT_MAX);
}

static const struct session_wire_ops wire_ops = {
    .send = send_message,
    .send_shared = send_shared,
    .queued = queued,
    .alive_ms = alive_ms,
    .keep_shallow = keep_shallow,
    .close = close_wire,
};

/* ---- from the peer ---- */

static void on_message(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    struct page_wire *wire = ws_peer_owner(peer);
    struct slice piece = slice_from_bytes(data);
    bool binary = op == WS_OP_BINARY;
    if (filters(wire, false, binary, &piece, 1))
        return;
    if (wire->wire.session)
        session_receive(&wire->wire, binary, data);
}

static void on_too_long(struct ws_peer *peer)
{
    struct page_wire *wire = ws_peer_owner(peer);
    session_receive_too_long(&wire->wire);
}

static void on_drain(struct ws_peer *peer)
{
    struct page_wire *wire = ws_peer_owner(peer);
    session_drained(&wire->wire);
}

/* With 1006 the reason is ours; a reason of the peer is no token. */
struct slice page_detach_reason(unsigned code, struct slice reason)
{
    bool is_dead = slice_equal(reason, SLICE_LITERAL("dead-peer"));
    if (code != CLOSE_ABNORMAL)
        return SLICE_LITERAL("closed");
    return is_dead ? SLICE_LITERAL("dead-peer") : SLICE_LITERAL("lost");
}

static void on_end(struct ws_peer *peer, unsigned code, struct slice reason)
{
    struct page_wire *wire = ws_peer_owner(peer);
    /* Firefox closes a page's sockets with 1001 (RFC 6455, 7.4.1) before the page can say it. */
    if (wire->wire.session && code == CLOSE_GOING_AWAY)
        session_receive(&wire->wire, false, (struct bytes){(char[]){".bye"}, 4});
    if (wire->wire.session)
        session_detach(&wire->wire, page_detach_reason(code, reason));
    release(wire);
}

static const struct ws_peer_ops peer_ops = {
    .on_message = on_message, .on_drain = on_drain, .on_too_long = on_too_long, .on_end = on_end};

/* ---- for the watcher ---- */

struct page_wire_filter *page_wire_filter(const struct page_wire *wire)
{
    return wire->filter;
}

void page_wire_set_filter(struct page_wire *wire, struct page_wire_filter *filter)
{
    wire->filter = filter;
}

void page_wire_pass(struct page_wire *wire, bool to_page, bool binary, struct bytes data)
{
    struct slice piece = slice_from_bytes(data);
    if (to_page)
        ws_peer_send(wire->peer, binary ? WS_OP_BINARY : WS_OP_TEXT, &piece, 1);
    else if (wire->wire.session)
        session_receive(&wire->wire, binary, data);
}

struct page_wire *page_wire_of(struct page *p)
{
    struct list *wires = &p->host->wires;
    for (struct list *node = wires->next; node != wires; node = node->next) {
        struct page_wire *wire = container_of(node, struct page_wire, node);
        if (p->session && wire->wire.session == p->session)
            return wire;
    }
    return NULL;
}

void page_cut(struct page *p)
{
    struct page_wire *wire = page_wire_of(p);
    if (!wire)
        return;
    ws_peer_drop(wire->peer);
    session_detach(&wire->wire, SLICE_LITERAL("lost"));
    release(wire);
}

/* ---- opening ---- */

struct ws_peer *page_upgrade(struct page_host *host, struct exchange *x, struct slice subprotocol,
                             const struct ws_peer_ops *ops, void *owner, struct bytes *rest)
{
    struct ws_handshake handshake;
    if (ws_handshake_check(x->request, &handshake) != WS_HANDSHAKE_OK) {
        exchange_answer(x, 400, SLICE_LITERAL("no WebSocket handshake"), NULL, 0);
        return NULL;
    }
    struct http_header headers[] = {
        {SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket")},
        {SLICE_LITERAL("Sec-WebSocket-Accept"), slice_make(handshake.accept, WS_ACCEPT_SIZE)},
        {SLICE_LITERAL("Sec-WebSocket-Protocol"), subprotocol},
    };
    struct stream *stream = exchange_upgrade(x, headers, subprotocol.len > 0 ? 3 : 2, rest);
    if (!stream)
        return NULL;
    struct ws_peer *peer =
        ws_peer_new(stream, host->spec.ws_config, &host->counts.websockets, ops, owner);
    if (!peer)
        log_error("page.upgrade_failed", log_errno("error", ENOMEM));
    return peer;
}

static struct page_wire *open_wire(struct page_host *host, struct exchange *x, struct bytes *rest)
{
    struct page_wire *wire = calloc(1, sizeof(*wire));
    if (!wire) {
        log_error("page.upgrade_failed", log_errno("error", ENOMEM));
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
        return NULL;
    }
    wire->wire.ops = &wire_ops;
    wire->loop = host->spec.loop;
    wire->peer = page_upgrade(host, x, SLICE_LITERAL("httpsocket.v1"), &peer_ops, wire, rest);
    if (!wire->peer) {
        free(wire);
        return NULL;
    }
    list_append(&host->wires, &wire->node);
    return wire;
}

static void hold_grant(struct page_wire *wire, struct page_grant *grant)
{
    wire->grant = grant;
    if (!grant)
        return;
    grant->page = NULL;
    grant->wire = &wire->wire;
}

void page_wire_attach(struct page_host *host, struct exchange *x, struct session *s, struct page *p,
                      const struct page_subprotocol *subprotocol, struct page_grant *grant)
{
    struct page_watcher *watcher = p ? host->spec.watcher : NULL;
    char key[SESSION_KEY_MAX]; /* the request is over after the upgrade */
    size_t key_len = subprotocol->key.len;
    memcpy(key, subprotocol->key.ptr, key_len);

    if (watcher && !watcher->ops->admits(watcher, p)) {
        page_grant_end(&grant);
        exchange_fail(x);
        return;
    }
    struct bytes rest = {0};
    struct page_wire *wire = open_wire(host, x, &rest);
    if (!wire) {
        page_grant_end(&grant);
        return;
    }
    if (watcher)
        watcher->ops->on_wire(watcher, p, wire);
    hold_grant(wire, grant);
    wire->wire.parts = subprotocol->parts;
    session_attach(s, &wire->wire, slice_make(key, key_len), subprotocol->received);
    ws_peer_begin(wire->peer, rest);
}

void page_wire_refuse(struct page_host *host, struct exchange *x, unsigned code,
                      struct slice reason)
{
    char text[WS_REASON_MAX];
    reason = slice_first(reason, sizeof(text));
    memcpy(text, reason.ptr, reason.len);
    exchange_log_refusal(x, close_code_status(code), reason);

    struct bytes rest = {0};
    struct page_wire *wire = open_wire(host, x, &rest);
    if (!wire)
        return;
    ws_peer_close(wire->peer, code, slice_make(text, reason.len));
    ws_peer_begin(wire->peer, rest);
}

void page_wires_drop(struct page_host *host)
{
    struct list *node;
    while ((node = list_pop(&host->wires)) != NULL) {
        struct page_wire *wire = container_of(node, struct page_wire, node);
        drop_filter(wire);
        ws_peer_drop(wire->peer);
        if (wire->wire.session)
            session_detach(&wire->wire, SLICE_LITERAL("stopped"));
        page_grant_end(&wire->grant);
        loop_reap(wire->loop, &wire->reap, free_memory);
    }
}
