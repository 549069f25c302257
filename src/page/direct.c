/* SPDX-License-Identifier: MIT */
/* direct.c - a WebSocket handshake for a program: to a session that is there, or to a program that
 * is started for it.
 *
 * A started program is asked like for a page: an empty header block, or one with a 2xx status,
 * accepts; another status refuses, with its headers where the client can see them. The client waits
 * meanwhile; if it comes again with the same key, the new connection waits in its place. A client of
 * httpsocket.v1 that breaks off may do so too, for goodbye-timeout.
 *
 * How a refusal is told: refuse.c.
 */
#include "page/parts.h"

#include "page/answer.h"
#include "page/events.h"
#include "page/member.h"
#include "page/offer.h"
#include "page/streams.h"
#include "page/wire.h"
#include "proto/cgi_head.h"
#include "proto/close_code.h"

#include <errno.h>
#include <stdio.h>

#define REASON_MAX 123

/* ---- a program's decision ---- */

static void refuse_waiting(struct page *p, const struct page_refusal *refusal)
{
    struct exchange *x = p->x;
    p->x = NULL;
    list_remove(&p->connecting);
    page_grant_end(&p->grant);
    if (x)
        page_refuse_program(p->host, x, p->same_origin, refusal);
    page_end_session(p, refusal->code, refusal->token);
    page_let_go(p);
    timer_stop(&p->answer_timer);
    page_answer_free(p); /* last: the refusal may be the program's own */
}

void page_direct_refuse(struct page *p, unsigned code, struct slice reason, uint32_t retry_s)
{
    refuse_waiting(p, &(struct page_refusal){code, reason, retry_s, NULL});
}

static void accept_session(struct page *p)
{
    struct exchange *x = p->x;
    struct page_offer offer;
    page_offer_read(x->request, &offer);
    struct page_grant *grant = p->grant;
    p->x = NULL;
    p->grant = NULL;
    page_wire_attach(p->host, x, p->session, &offer, grant);
    page_events_resume(p);
}

void page_direct_accept(struct page *p)
{
    if (p->kind == PAGE_DIRECT && p->session_done) { /* the program was too slow for its session */
        page_direct_refuse(p, CLOSE_GATEWAY_TIMEOUT, SLICE_LITERAL("program-timeout"), 0);
        return;
    }
    if (!p->x) /* the client has broken off: it is let in when it comes again */
        return;
    list_remove(&p->connecting);
    if (p->kind == PAGE_PLAIN)
        page_plain_open(p);
    else
        accept_session(p);
}

void page_direct_answer(struct page *p, const struct cgi_head *head)
{
    if (head->status < 200 || head->status > 299) {
        struct page_refusal refusal = page_refusal_of(head);
        refuse_waiting(p, &refusal);
        return;
    }
    page_direct_accept(p);
}

/* ---- handshakes ---- */

/* What every step below needs. */
struct knock {
    struct page_host *host;
    struct exchange *x;
    const struct site_found *found;         /* NULL: a session without a program */
    const struct page_stdio_command *stdio; /* in the place of a file; NULL: none */
    struct slice origin;
    bool same_origin;
    struct page_grant *grant; /* NULL: none */
    struct page_offer offer;
};

static void turn_away(const struct knock *k, unsigned code, struct slice token, uint32_t retry_s)
{
    struct page_grant *grant = k->grant;
    page_grant_end(&grant);
    page_refuse(k->host, k->x, code, token, retry_s, true);
}

static void turn_away_busy(const struct knock *k)
{
    if (k->host->draining)
        turn_away(k, CLOSE_SERVICE_RESTART, SLICE_LITERAL("draining"), page_retry_s(k->host));
    else
        turn_away(k, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"), page_retry_s(k->host));
}

static void attach(const struct knock *k, struct session *s)
{
    const struct page_offer *offer = &k->offer;
    unsigned code = session_admits(s, k->x->path, k->origin, offer->key, offer->received);
    if (code) {
        turn_away(k, code,
                  code == CLOSE_FORBIDDEN       ? SLICE_LITERAL("origin-not-allowed")
                  : code == CLOSE_SESSION_TAKEN ? SLICE_LITERAL("session-taken")
                                                : SLICE_LITERAL("session-gone"),
                  0);
        return;
    }
    if (!k->found) {
        lobby_name_client(session_owner(s), k->x);
        page_wire_attach(k->host, k->x, s, offer, k->grant);
        return;
    }
    struct page *p = session_owner(s);
    page_name_client(p, k->x);
    page_wire_attach(k->host, k->x, s, offer, k->grant);
    page_settle(p);
}

static struct page *find_waiting(const struct knock *k)
{
    struct list *all = &k->host->connecting;
    for (struct list *node = all->next; node != all; node = node->next) {
        struct page *p = container_of(node, struct page, connecting);
        if (slice_equal(p->key, k->offer.key) &&
            session_admits(p->session, k->x->path, k->origin, k->offer.key, 0) == 0)
            return p;
    }
    return NULL;
}

static void wait_instead(const struct knock *k, struct page *p)
{
    struct exchange *old = p->x;
    p->x = k->x;
    p->x->owner = p;
    p->x->ops = &page_exchange_ops;
    page_name_client(p, k->x);
    page_grant_end(&p->grant);
    page_hold_grant(p, k->grant);
    p->same_origin = k->same_origin;
    timer_stop(&p->leave_timer);
    if (old)
        page_refuse(k->host, old, CLOSE_REPLACED, SLICE_LITERAL("replaced"), 0, true);
    if (!p->answer) /* the program accepted while nobody was there */
        page_direct_accept(p);
    page_settle(p);
}

static bool is_broken(int error)
{
    return error == -ENOEXEC || error == -EACCES || error == -ENOENT;
}

/* Of a shared program. False: the client has been turned away. */
static bool find_process(const struct knock *k, struct page_spec *spec)
{
    uint32_t wait_s;
    int error;
    uint32_t share = k->stdio ? 0 : page_shared_share(k->host, k->found->file);
    if (share == 0)
        return true;
    spec->process = page_shared_pick(k->host, k->found, share, &wait_s, &error);
    if (spec->process)
        return true;
    if (wait_s > 0)
        turn_away(k, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"), wait_s);
    else if (is_broken(error))
        turn_away(k, CLOSE_BAD_GATEWAY, SLICE_LITERAL("program-answer"), 0);
    else
        turn_away_busy(k);
    return false;
}

static void start_program(const struct knock *k)
{
    uint32_t wait_s = page_rate_wait_s(k->host, k->x);
    if (wait_s) {
        turn_away(k, CLOSE_RATE_LIMITED, SLICE_LITERAL("rate-limited"), wait_s);
        return;
    }
    struct page_spec spec = {
        .host = k->host,
        .x = k->x,
        .found = k->found,
        .origin = k->origin,
        .key = k->offer.key,
        .kind = k->offer.session_protocol ? PAGE_DIRECT : PAGE_PLAIN,
        .stdio = k->stdio,
    };
    if (!find_process(k, &spec))
        return;
    struct page *p = page_new(&spec);
    if (!p) {
        turn_away_busy(k);
        return;
    }
    p->same_origin = k->same_origin;
    page_hold_grant(p, k->grant);
    if (p->kind == PAGE_DIRECT)
        list_append(&k->host->connecting, &p->connecting);
    int error = p->member ? page_member_join(p) : page_start(p);
    if (is_broken(error))
        page_direct_refuse(p, CLOSE_BAD_GATEWAY, SLICE_LITERAL("program-answer"), 0);
    else if (error)
        page_direct_refuse(p, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"),
                           page_retry_s(k->host));
    if (error)
        page_set_state(p, PAGE_GONE);
    else if (p->stdio) /* it knows of no refusal */
        page_direct_accept(p);
    page_settle(p);
}

static void start_lobby(const struct knock *k)
{
    struct lobby *lobby = k->host->draining ? NULL : lobby_new(k->host, k->x, k->origin);
    if (lobby)
        page_wire_attach(k->host, k->x, lobby_session(lobby), &k->offer, k->grant);
    else
        turn_away_busy(k);
}

static bool finds_program(const struct knock *k)
{
    return k->stdio || (k->found && k->found->kind == SITE_PROGRAM);
}

static void connect_new(const struct knock *k)
{
    struct session *s = session_table_find_key(k->host->sessions, k->offer.key);
    struct page *waiting = s ? NULL : find_waiting(k);
    if (s)
        attach(k, s);
    else if (waiting)
        wait_instead(k, waiting);
    else if (!k->found)
        start_lobby(k);
    else if (!finds_program(k))
        turn_away(k, CLOSE_NO_PROGRAM, SLICE_LITERAL("no-program"), 0);
    else
        start_program(k);
}

static void connect_session(const struct knock *k)
{
    struct session *s = session_table_find(k->host->sessions, k->offer.session);
    if (s)
        attach(k, s);
    else
        turn_away(k, CLOSE_SESSION_GONE, SLICE_LITERAL("session-gone"), 0);
}

void page_connect(struct page_host *host, struct exchange *x, const struct site_found *found,
                  const struct page_client *client)
{
    struct knock k = {
        .host = host,
        .x = x,
        .found = found,
        .origin = client->origin,
        .same_origin = client->same_origin,
        .grant = client->grant,
    };
    if (found && found->kind != SITE_PROGRAM)
        k.stdio = page_programs_stdio(host->config->programs, x->path);
    bool whole = page_offer_read(x->request, &k.offer);
    char why[REASON_MAX];
    if (!whole) {
        int len = snprintf(why, sizeof why, "wire-protocol: %s", k.offer.why);
        turn_away(&k, CLOSE_WIRE_PROTOCOL, slice_make(why, (size_t)len), 0);
    } else if (k.offer.session.ptr) {
        connect_session(&k);
    } else if (k.offer.session_protocol) {
        connect_new(&k);
    } else if (!finds_program(&k)) {
        turn_away(&k, CLOSE_NO_PROGRAM, SLICE_LITERAL("no-program"), 0);
    } else {
        start_program(&k);
    }
}

struct slice page_connect_session(struct exchange *x)
{
    struct page_offer offer;
    return page_offer_read(x->request, &offer) ? offer.session : SLICE_NONE;
}

struct slice page_connect_key(struct exchange *x)
{
    struct page_offer offer;
    return page_offer_read(x->request, &offer) && !offer.session.ptr ? offer.key : SLICE_NONE;
}
