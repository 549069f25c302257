/* SPDX-License-Identifier: MIT */
/* wire.c - the WebSockets of sessions: each joins a ws_peer with a session for as long as it lasts;
 * and those that are opened only to be refused, because a browser shows a page nothing but a close
 * code.
 *
 * A wire lives as long as its peer; the session lets go of it earlier when another one takes over.
 */
#include "page/wire.h"

#include "base/log.h"
#include "base/pack.h"
#include "base/pool.h"
#include "page/grant.h"
#include "page/lifecycle.h"
#include "proto/cgi_head.h"
#include "proto/close_code.h"
#include "proto/ws_handshake.h"
#include "session/pack.h"

#include <errno.h>
#include <stdlib.h>

#define WS_REASON_MAX     123
#define KERNEL_UNSENT_MAX 65536 /* of a WebSocket with byte streams: more carries no more */

/* Pays for a wire that has no session. */
struct wire_account {
    struct memory_account account;
    size_t counted;
    struct page_wire *wire; /* borrowed: owns us */
};

struct page_wire {
    struct session_wire wire;
    union {
        struct list node; /* page_host.wires */
        struct reap reap; /* once released */
    };
    struct page_host *host; /* borrowed */
    struct ws_peer *peer;
    struct page_grant *grant;        /* NULL: none */
    struct page_wire_filter *filter; /* borrowed until its `drop`; NULL: none */
    struct wire_account *own;        /* owned; NULL: it has always had a session */
};

_Static_assert(sizeof(struct page_wire) <= 112, "each idle session has one");

static _Thread_local struct pool page_wires = POOL_OF(struct page_wire);

static void free_memory(struct reap *reap)
{
    struct page_wire *wire = container_of(reap, struct page_wire, reap);
    free(wire->own);
    pool_give(&page_wires, wire);
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

static void close_account(struct page_wire *wire)
{
    if (wire->own)
        memory_close(&wire->own->account);
}

static void release(struct page_wire *wire)
{
    drop_filter(wire);
    list_remove(&wire->node);
    close_account(wire);
    page_grant_end(&wire->grant);
    loop_reap(wire->host->spec.loop, &wire->reap, free_memory);
}

/* ---- what it holds ---- */

size_t page_wire_held(const struct page_wire *wire)
{
    return wire->peer ? ws_peer_gathered(wire->peer) : 0;
}

/* The session is no longer there to count what is queued. */
static void count(struct page_wire *wire)
{
    struct wire_account *own = wire->own;
    bool alone = !wire->wire.session;
    if (own)
        memory_hold(&own->account, &own->counted, alone ? ws_peer_held_in_all(wire->peer) : 0);
}

static void let_go_of_memory(struct memory_account *a, enum memory_cause cause)
{
    struct page_wire *wire = container_of(a, struct wire_account, account)->wire;
    (void)cause;
    ws_peer_drop(wire->peer);
    if (wire->wire.session)
        session_detach(&wire->wire, SLICE_LITERAL("lost"));
    release(wire);
}

static void recount(struct memory_account *a)
{
    count(container_of(a, struct wire_account, account)->wire);
}

static const struct memory_ops memory_ops = {"websocket", let_go_of_memory, recount};

/* For the client that somebody else has paid for so far. Without memory nobody pays. */
static void open_account(struct page_wire *wire)
{
    const struct memory_account *before = ws_peer_payer(wire->peer);
    wire->own = log_needed(calloc(1, sizeof(*wire->own)));
    if (!wire->own)
        return;
    wire->own->wire = wire;
    memory_open(&wire->own->account, wire->host->spec.memory, &memory_ops,
                before && before->has_key ? &before->key : NULL);
}

static void pay_itself(struct page_wire *wire)
{
    if (!wire->own)
        open_account(wire);
    ws_peer_pay(wire->peer, wire->own ? &wire->own->account : NULL);
    count(wire);
}

void page_wire_let_go(struct page_wire *wire)
{
    ws_peer_close(wire->peer, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"));
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

/* A filter takes messages, one after the other. */
static void filter_frames(struct page_wire *wire, struct slice frames)
{
    struct ws_head head;
    while (frames.len && ws_head_parse(frames, &head) == PARSE_OK) {
        struct slice piece = slice_make(frames.ptr + head.size, (size_t)head.length);
        bool binary = head.op == WS_OP_BINARY;
        if (!filters(wire, true, binary, &piece, 1))
            ws_peer_send(wire->peer, head.op, &piece, 1);
        frames = slice_skip(frames, head.size + piece.len);
    }
}

static void send_frames(struct session_wire *sw, struct shared_bytes *frames, size_t at, size_t len,
                        uint32_t count)
{
    struct page_wire *wire = container_of(sw, struct page_wire, wire);
    if (wire->filter)
        filter_frames(wire, slice_make(frames->bytes + at, len));
    else
        ws_peer_send_frames(wire->peer, frames, at, len, count, true);
}

static void close_wire(struct session_wire *sw, unsigned code, struct slice reason)
{
    struct page_wire *wire = container_of(sw, struct page_wire, wire);
    if (wire->filter)
        wire->filter->hurry(wire->filter);
    pay_itself(wire);
    size_t held = ws_peer_gathered(wire->peer) + ws_peer_held_in_all(wire->peer);
    if (code == CLOSE_MEMORY && held > MEMORY_GRANULE) {
        ws_peer_drop(wire->peer); /* the close frame would wait behind all that is not read */
        release(wire);
        return;
    }
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

static size_t held(const struct session_wire *sw)
{
    return ws_peer_held(container_of(sw, struct page_wire, wire)->peer);
}

static void pause_wire(struct session_wire *sw, bool paused)
{
    struct page_wire *wire = container_of(sw, struct page_wire, wire);
    if (paused)
        ws_peer_pause(wire->peer);
    else
        ws_peer_resume(wire->peer);
}

static const struct session_wire_ops wire_ops = {
    .held = held,
    .pause = pause_wire,
    .send = send_message,
    .send_frames = send_frames,
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
    wire->wire.arriving = ws_peer_arriving(peer);
    if (wire->wire.session)
        session_receive(&wire->wire, binary, data);
    wire->wire.arriving = NULL;
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
    if (wire->wire.end_number && ws_peer_close_answered(peer))
        session_table_end_heard(wire->host->spec.sessions, wire->wire.end_number);
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

#define OWN_HEADERS 3

static void add(struct http_header *all, size_t *count, struct slice name, struct slice value)
{
    all[(*count)++] = (struct http_header){name, value};
}

/* Of the program's headers those that are about a body or the handshake have no place in a 101. */
static bool goes_along(struct slice name)
{
    static const char *const left_out[] = {"content-type", "location", "session-id"};
    bool handshake = slice_equal_nocase(slice_first(name, 14), SLICE_LITERAL("sec-websocket-")) ||
                     slice_equal_nocase(slice_first(name, 8), SLICE_LITERAL("content-"));
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        if (slice_equal_nocase(name, slice_of(left_out[i])))
            return false;
    return !handshake;
}

struct ws_peer *page_upgrade(struct page_host *host, struct exchange *x,
                             const struct ws_config *config, const struct page_welcome *welcome,
                             const struct ws_peer_ops *ops, void *owner, struct bytes *rest)
{
    struct http_header headers[HTTP_HEADERS_MAX + OWN_HEADERS];
    size_t count = 0;
    struct ws_handshake handshake;
    char accept[WS_ACCEPT_SIZE];
    if (ws_handshake_check(x->request, &handshake) != WS_HANDSHAKE_OK) {
        exchange_answer(x, 400, SLICE_LITERAL("no WebSocket handshake"), NULL, 0);
        return NULL;
    }
    ws_accept_of(handshake.key, accept);
    add(headers, &count, SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket"));
    add(headers, &count, SLICE_LITERAL("Sec-WebSocket-Accept"), slice_make(accept, WS_ACCEPT_SIZE));
    if (welcome->subprotocol.len > 0)
        add(headers, &count, SLICE_LITERAL("Sec-WebSocket-Protocol"), welcome->subprotocol);
    for (size_t i = 0; welcome->head && i < welcome->head->header_count; i++)
        if (goes_along(welcome->head->headers[i].name))
            headers[count++] = welcome->head->headers[i];
    struct stream *stream = exchange_upgrade(x, headers, count, rest);
    if (!stream)
        return NULL;
    struct ws_peer *peer = ws_peer_new(stream, config, &host->counts.websockets, ops, owner);
    if (!peer)
        log_error("page.upgrade_failed", log_errno("error", ENOMEM));
    return peer;
}

static struct page_wire *make_wire(struct page_host *host)
{
    struct page_wire *wire = log_needed(pool_take(&page_wires));
    if (wire)
        *wire = (struct page_wire){.wire.ops = &wire_ops, .host = host};
    return wire;
}

static struct page_wire *open_wire(struct page_host *host, struct exchange *x,
                                   const struct ws_config *config, const struct cgi_head *head,
                                   struct bytes *rest)
{
    struct page_welcome welcome = {SLICE_LITERAL("httpsocket.v1"), head};
    struct page_wire *wire = make_wire(host);
    if (!wire) {
        log_error("page.upgrade_failed", log_errno("error", ENOMEM));
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
        return NULL;
    }
    wire->peer = page_upgrade(host, x, config, &welcome, &peer_ops, wire, rest);
    if (!wire->peer) {
        pool_give(&page_wires, wire);
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
                      struct memory_account *account, const struct page_subprotocol *subprotocol,
                      struct page_grant *grant, const struct cgi_head *head)
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
    uint64_t arrived_ms = exchange_arrived_ms(x);
    const struct ws_config *config = p ? host->spec.ws_config : host->spec.tcp_ws_config;
    struct page_wire *wire = open_wire(host, x, config, head, &rest);
    if (!wire) {
        page_grant_end(&grant);
        return;
    }
    if (watcher)
        watcher->ops->on_wire(watcher, p, wire);
    hold_grant(wire, grant);
    wire->wire.parts = subprotocol->parts;
    wire->wire.state = subprotocol->state;
    wire->wire.arrived_ms = arrived_ms;
    wire->wire.has_of_next = subprotocol->has_of_next;
    ws_peer_pay(wire->peer, account);
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
    struct page_wire *wire = open_wire(host, x, host->spec.ws_config, NULL, &rest);
    if (!wire)
        return;
    pay_itself(wire);
    ws_peer_close(wire->peer, code, slice_make(text, reason.len));
    ws_peer_begin(wire->peer, rest);
}

static void let_go_of_all(struct page_host *host, void (*let_go)(struct ws_peer *))
{
    struct list *node;
    while ((node = list_pop(&host->wires)) != NULL) {
        struct page_wire *wire = container_of(node, struct page_wire, node);
        drop_filter(wire);
        let_go(wire->peer);
        if (wire->wire.session)
            session_detach(&wire->wire, SLICE_LITERAL("stopped"));
        page_grant_end(&wire->grant);
        close_account(wire);
        loop_reap(host->spec.loop, &wire->reap, free_memory);
    }
}

void page_wires_drop(struct page_host *host)
{
    let_go_of_all(host, ws_peer_drop);
}

void page_wires_finish(struct page_host *host)
{
    let_go_of_all(host, ws_peer_finish);
}

/* ---- for the process that takes over ---- */

enum {
    PEER = 1,
    END_NUMBER,
    PARTS,
    HAS_OF_NEXT,
    ARRIVED_MS,
    TAKES_STATE,
    WIRE = 1, /* of page_wires_pack() */
};

/* A grant belongs to the script access of this process: its client comes again, and is asked again.
 */
static bool may_pack(const struct page_wire *wire)
{
    return wire->peer && !wire->grant && ws_peer_may_pack(wire->peer);
}

void page_wire_part(struct session *s)
{
    struct session_wire *sw = session_wire_of(s);
    struct page_wire *wire = sw ? container_of(sw, struct page_wire, wire) : NULL;
    if (!wire || may_pack(wire))
        return;
    session_detach(sw, SLICE_LITERAL("server-replaced"));
    pay_itself(wire);
    ws_peer_close(wire->peer, CLOSE_GOING_AWAY, SLICE_LITERAL("server-replaced"));
}

static void pack_fields(const struct page_wire *wire, struct pack *p)
{
    size_t peer = pack_begin(p, PEER);
    ws_peer_pack(wire->peer, p);
    pack_end(p, peer);
    pack_number(p, END_NUMBER, wire->wire.end_number);
    pack_number(p, PARTS, wire->wire.parts);
    pack_number(p, HAS_OF_NEXT, wire->wire.has_of_next);
    pack_number(p, ARRIVED_MS, wire->wire.arrived_ms);
    pack_number(p, TAKES_STATE, wire->wire.state);
}

void page_wire_pack(const struct session *s, uint32_t tag, struct pack *p)
{
    const struct session_wire *sw = session_wire_of(s);
    const struct page_wire *wire = sw ? container_of(sw, const struct page_wire, wire) : NULL;
    if (!wire || !may_pack(wire))
        return;
    size_t field = pack_begin(p, tag);
    pack_fields(wire, p);
    pack_end(p, field);
}

void page_wires_pack(const struct page_host *host, struct pack *p)
{
    for (struct list *node = host->wires.next; node != &host->wires; node = node->next) {
        const struct page_wire *wire = container_of(node, struct page_wire, node);
        if (wire->wire.session || !may_pack(wire))
            continue;
        size_t field = pack_begin(p, WIRE);
        pack_fields(wire, p);
        pack_end(p, field);
    }
}

static struct page_wire *unpack(struct page_host *host, const struct ws_config *config,
                                struct slice in)
{
    struct page_wire *wire = make_wire(host);
    if (!wire)
        return NULL;
    wire->wire.end_number = packed_number(in, END_NUMBER);
    wire->wire.parts = packed_number(in, PARTS);
    wire->wire.has_of_next = packed_number(in, HAS_OF_NEXT);
    wire->wire.arrived_ms = packed_number(in, ARRIVED_MS);
    wire->wire.state = packed_number(in, TAKES_STATE);
    wire->peer = ws_peer_unpack(host->spec.loop, packed_slice(in, PEER), config,
                                &host->counts.websockets, &peer_ops, wire);
    if (!wire->peer) {
        pool_give(&page_wires, wire);
        return NULL;
    }
    list_append(&host->wires, &wire->node);
    return wire;
}

void page_wire_unpack(struct page_host *host, struct session *s, const struct ws_config *config,
                      struct memory_account *account, struct slice in)
{
    struct page_wire *wire = in.len ? unpack(host, config, in) : NULL;
    if (!wire)
        return;
    ws_peer_pay(wire->peer, account);
    session_go_on(s, &wire->wire);
}

void page_wires_unpack(struct page_host *host, struct slice in)
{
    for (struct packed field; packed_next(&in, &field);) {
        struct page_wire *wire =
            field.tag == WIRE ? unpack(host, host->spec.ws_config, field.value) : NULL;
        if (wire)
            pay_itself(wire);
    }
}
