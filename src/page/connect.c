/* SPDX-License-Identifier: MIT */
/* connect.c - a WebSocket handshake for a program: to a session that is there, or to a program that
 * is started for it.
 *
 * A started program is asked like for a page: an empty header block, or one with a 2xx status,
 * accepts; another status refuses, with its headers where the client can see them. The client waits
 * meanwhile (waiting.h).
 */
#include "net/seal.h"
#include "page/grant.h"
#include "page/host.h"
#include "page/request.h"
#include "page/retry.h"
#include "page/tcp_session.h"
#include "page/waiting.h"
#include "page/wire.h"
#include "proto/close_code.h"

#include <stdio.h>

#define REASON_MAX 123

/* What every step below needs. */
struct handshake {
    struct page_host *host;
    struct exchange *x;
    const struct site_found *found;        /* NULL: a session without a program */
    const struct program_command *command; /* in the place of a file; NULL: none */
    struct slice origin;
    bool same_origin;
    struct page_grant *grant; /* NULL: none */
    struct page_subprotocol subprotocol;
};

static void turn_away(const struct handshake *h, unsigned code, struct slice token,
                      uint32_t retry_s)
{
    struct page_grant *grant = h->grant;
    page_grant_end(&grant);
    page_refuse(h->host, h->x, code, token, retry_s, true);
}

static void turn_away_busy(const struct handshake *h)
{
    if (h->host->draining)
        turn_away(h, CLOSE_SERVICE_RESTART, SLICE_LITERAL("draining"), page_retry_s(h->host));
    else
        turn_away(h, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"), page_retry_s(h->host));
}

/* The connection was lost with the close frame on it: the client hears it now. */
static bool tell_end(const struct handshake *h)
{
    struct slice reason;
    unsigned code =
        session_table_ended(h->host->spec.sessions, h->subprotocol.session, h->subprotocol.key,
                            loop_now_ms(h->host->spec.loop), &reason);
    if (code)
        turn_away(h, code, reason, 0);
    return code;
}

/* ---- to a session that is there ---- */

static void attach(const struct handshake *h, struct session *s)
{
    const struct page_subprotocol *subprotocol = &h->subprotocol;
    unsigned code =
        session_admits(s, h->x->path, h->origin, subprotocol->key, subprotocol->received);
    if (code) {
        turn_away(h, code,
                  code == CLOSE_FORBIDDEN       ? SLICE_LITERAL("origin-not-allowed")
                  : code == CLOSE_SESSION_TAKEN ? SLICE_LITERAL("session-taken")
                                                : SLICE_LITERAL("session-gone"),
                  0);
        return;
    }
    if (session_attached(s) &&
        (exchange_client_gone(h->x) || session_overtaken(s, exchange_arrived_ms(h->x)))) {
        turn_away(h, CLOSE_REPLACED, SLICE_LITERAL("replaced"), 0);
        return;
    }
    if (!h->found) {
        tcp_session_name_client(session_owner(s), h->x);
        page_wire_attach(h->host, h->x, s, NULL, tcp_session_account(session_owner(s)), subprotocol,
                         h->grant, NULL);
        return;
    }
    struct page *p = session_owner(s);
    page_name_client(p, h->x);
    page_wire_attach(h->host, h->x, s, p, &p->account, subprotocol, h->grant, NULL);
    page_settle(p);
}

static void wait_instead(const struct handshake *h, struct page *p)
{
    struct exchange *old = p->x;
    if (old && exchange_client_gone(h->x)) { /* and `old` came later: as session_overtaken() */
        turn_away(h, CLOSE_REPLACED, SLICE_LITERAL("replaced"), 0);
        return;
    }
    p->x = h->x;
    p->x->owner = p;
    p->x->ops = &page_exchange_ops;
    page_name_client(p, h->x);
    page_grant_end(&p->grant);
    page_hold_grant(p, h->grant);
    p->same_origin = h->same_origin;
    timer_stop(&p->leave_timer);
    if (old)
        page_refuse(h->host, old, CLOSE_REPLACED, SLICE_LITERAL("replaced"), 0, true);
    if (!p->answer) /* the program has let it in while it was not there */
        page_admit(p, NULL);
    page_settle(p);
}

/* ---- to a program that is started ---- */

static void turn_away_refused(const struct handshake *h, enum seat_refusal refusal, uint32_t wait_s)
{
    switch (refusal) {
    case SEAT_BROKEN:
        turn_away(h, CLOSE_BAD_GATEWAY, SLICE_LITERAL("program-answer"), 0);
        return;
    case SEAT_HELD_BACK:
    case SEAT_CROWDED:
        turn_away(h, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"), wait_s);
        return;
    case SEAT_FULL:
        turn_away_busy(h);
        return;
    }
}

static void refuse_unbegun(struct page *p, int error)
{
    struct page_refusal broken = {CLOSE_BAD_GATEWAY, SLICE_LITERAL("program-answer"), 0, NULL};
    struct page_refusal busy = {CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"),
                                page_retry_s(p->host), NULL};
    page_turn_away(p, seat_error_is_broken(error) ? &broken : &busy);
}

/* ---- with a state ---- */

static bool gives_states(const struct page_host *host)
{
    const struct sealer *sealer = host->spec.session_config->sealer;
    return sealer && sealer->keys;
}

/* Where no states are given, `.welcome` does not ask for one. */
static bool restores(const struct handshake *h)
{
    return h->subprotocol.session_protocol && h->subprotocol.restore && h->subprotocol.state &&
           gives_states(h->host);
}

/* A program that only has messages never gave a state: another program was here. */
static bool refuses_state(const struct handshake *h)
{
    bool stdio = h->command || (h->found && seat_reads_lines(h->host, h->found));
    return restores(h) && stdio;
}

static void connect_on(const struct handshake *h, struct seat *seat)
{
    bool in_place = h->command != NULL;
    size_t script_len = in_place ? h->command->path.len : h->found->script_len;
    struct page *p = page_new(&(struct page_spec){
        .host = h->host,
        .kind = h->subprotocol.session_protocol ? PAGE_DIRECT : PAGE_PLAIN,
        .x = h->x,
        .ops = &page_exchange_ops,
        .seat = seat,
        .file = slice_of(in_place ? h->command->file : h->found->file),
        .script = slice_first(h->x->path, script_len),
        .script_len = script_len,
        .origin = h->origin,
        .key = h->subprotocol.key,
        .restores = restores(h),
    });
    if (!p) {
        seat->ops->let_go(seat);
        seat->ops->free(seat);
        turn_away_busy(h);
        return;
    }
    p->same_origin = h->same_origin;
    page_hold_grant(p, h->grant);
    page_wait(p);
    int error = page_begin(p);
    if (error)
        refuse_unbegun(p, error);
    else if (seat->ops->only_messages) /* the program knows of no refusal */
        page_admit(p, NULL);
    page_settle(p);
}

static void start_program(const struct handshake *h)
{
    enum seat_refusal refusal;
    uint32_t wait_s = page_rate_wait_s(h->host, h->x);
    if (wait_s > 0) {
        turn_away(h, CLOSE_RATE_LIMITED, SLICE_LITERAL("rate-limited"),
                  page_retry_spread_s(h->host, wait_s));
        return;
    }
    struct seat_wish wish = {
        .found = h->found, .command = h->command, .client = page_client_key(h->x)};
    struct seat *seat = seat_find(h->host, &wish, &refusal, &wait_s);
    if (seat)
        connect_on(h, seat);
    else
        turn_away_refused(h, refusal, wait_s);
}

static void start_tcp_session(const struct handshake *h)
{
    struct tcp_session *t = h->host->draining ? NULL : tcp_session_new(h->host, h->x, h->origin);
    if (!t) {
        turn_away_busy(h);
        return;
    }
    struct session *s = tcp_session_base(t);
    page_wire_attach(h->host, h->x, s, NULL, tcp_session_account(t), &h->subprotocol, h->grant,
                     NULL);
    if (!session_attached(s)) /* the upgrade has failed: nobody knows of it */
        session_abort(s, CLOSE_NORMAL, SLICE_LITERAL("left"));
}

/* ---- which ---- */

static bool finds_program(const struct handshake *h)
{
    return h->command || (h->found && h->found->kind == SITE_PROGRAM);
}

static void connect_new(const struct handshake *h)
{
    struct slice key = h->subprotocol.key;
    struct session *s = session_table_find_key(h->host->spec.sessions, key);
    struct page *waiting = s ? NULL : page_find_waiting(h->host, key, h->origin, h->x->path);
    if (s)
        attach(h, s);
    else if (waiting)
        wait_instead(h, waiting);
    else if (tell_end(h))
        return;
    else if (!h->found)
        start_tcp_session(h);
    else if (!finds_program(h))
        turn_away(h, CLOSE_NO_PROGRAM, SLICE_LITERAL("no-program"), 0);
    else if (refuses_state(h))
        turn_away(h, CLOSE_STATE_REFUSED, SLICE_LITERAL("state-refused"), 0);
    else
        start_program(h);
}

static void connect_session(const struct handshake *h)
{
    struct session *s = session_table_find(h->host->spec.sessions, h->subprotocol.session);
    if (s)
        attach(h, s);
    else if (!tell_end(h))
        turn_away(h, CLOSE_SESSION_GONE, SLICE_LITERAL("session-gone"), 0);
}

void page_connect(struct page_host *host, struct exchange *x, const struct site_found *found,
                  const struct page_visitor *visitor)
{
    struct handshake h = {
        .host = host,
        .x = x,
        .found = found,
        .origin = visitor->origin,
        .same_origin = visitor->same_origin,
        .grant = visitor->grant,
    };
    if (found && found->kind != SITE_PROGRAM)
        h.command = program_kinds_stdio(program_host_config(host->spec.programs)->kinds, x->path);
    bool whole = page_subprotocol_read(x->request, &h.subprotocol);
    char why[REASON_MAX];
    if (!whole) {
        int len = snprintf(why, sizeof(why), "wire-protocol: %s", h.subprotocol.why);
        turn_away(&h, CLOSE_WIRE_PROTOCOL, slice_make(why, (size_t)len), 0);
    } else if (h.subprotocol.session.ptr) {
        connect_session(&h);
    } else if (h.subprotocol.session_protocol) {
        connect_new(&h);
    } else if (!finds_program(&h)) {
        turn_away(&h, CLOSE_NO_PROGRAM, SLICE_LITERAL("no-program"), 0);
    } else {
        start_program(&h);
    }
}

struct slice page_connect_session(struct exchange *x)
{
    struct page_subprotocol subprotocol;
    return page_subprotocol_read(x->request, &subprotocol) ? subprotocol.session : SLICE_NONE;
}

struct slice page_connect_key(struct exchange *x)
{
    struct page_subprotocol subprotocol;
    return page_subprotocol_read(x->request, &subprotocol) && !subprotocol.session.ptr
               ? subprotocol.key
               : SLICE_NONE;
}
