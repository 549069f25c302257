/* SPDX-License-Identifier: MIT */
#include "serve/handshake.h"

#include "base/hash.h"
#include "base/log.h"
#include "program/shared.h"
#include "proto/close_code.h"
#include "serve/claim.h"
#include "serve/client_grant.h"
#include "serve/forward.h"
#include "serve/pending.h"
#include "serve/server.h"

#include <unistd.h>

/* ---- what it offers ---- */

static bool offers_session(const struct exchange *x)
{
    size_t at = 0;
    struct slice rest = SLICE_NONE, offered;
    while (ws_subprotocol_next(x->request, &at, &rest, &offered))
        if (slice_equal(offered, SLICE_LITERAL("httpsocket.v1")))
            return true;
    return false;
}

static bool is_tcp_session(const struct exchange *x)
{
    return slice_equal(x->path, SLICE_LITERAL("/.httpsocket/connect"));
}

/* Whether the Origin is another site's. Not if it is absent or opaque: script access itself refuses
 * those. */
static bool is_foreign(struct slice origin, const struct origin *here)
{
    struct origin theirs;
    return origin.ptr && origin_parse(origin, &theirs) && theirs.scheme != ORIGIN_OPAQUE &&
           !origin_equal(&theirs, here);
}

bool handshake_refuse_tcp_session(struct pending_request *p)
{
    const struct access_request *request = &p->check.request;
    if (!is_tcp_session(p->x) || !is_foreign(request->origin, &request->here))
        return false;
    pending_refuse(p, ACCESS_ORIGIN_FOREIGN, access_reason_row(ACCESS_ORIGIN_FOREIGN)->retry_s,
                   NULL);
    return true;
}

static bool is_own_page(struct slice origin, const struct origin *here)
{
    struct origin theirs;
    return origin.ptr && origin_parse(origin, &theirs) && origin_equal(&theirs, here);
}

/* ---- which worker ---- */

/* False: not now. */
static bool find_program(struct worker *w, struct slice path, struct site_found *ret)
{
    worker_find(w, path, ret);
    site_found_done(ret);
    return ret->kind != SITE_FAILED;
}

/* The worker that has the processes of the program at the request's path,
 * if that is a shared one. */
static bool find_shared(struct worker *w, struct exchange *x, struct slice key, uint32_t *ret)
{
    struct site_found found;
    return shared_any(w->programs) && find_program(w, x->path, &found) &&
           found.kind == SITE_PROGRAM && shared_worker(w->programs, found.file, key, ret);
}

/* The worker that has the session of this handshake, or shall have it. This worker if the handshake
 * names no session, or one of a worker that does not exist. */
static uint32_t worker_for(struct worker *w, struct exchange *x)
{
    uint32_t index;
    struct slice session = page_connect_session(x), key = page_connect_key(x);
    if (session.ptr) {
        index = session_id_worker(session);
        return index < w->server->worker_count ? index : w->index;
    }
    if (find_shared(w, x, key, &index))
        return index;
    return key.ptr ? (uint32_t)(hash_bytes(key) % w->server->worker_count) : w->index;
}

static void hand_over(struct worker *w, struct exchange *x, uint32_t target, bool same_origin)
{
    struct http_parcel parcel;
    if (exchange_hand_over(x, &parcel) < 0)
        page_refuse(w->pages, x, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"), 1, same_origin);
    else
        worker_post_request(&w->server->workers[target], &parcel);
}

/* A request without a handshake is refused by status in any case. */
void handshake_hand_over(void *owner, struct exchange *x, uint32_t worker)
{
    hand_over(owner, x, worker, true);
}

bool handshake_is_elsewhere(struct worker *w, struct exchange *x)
{
    uint32_t target;
    if (!find_shared(w, x, SLICE_NONE, &target) || target == w->index)
        return false;
    hand_over(w, x, target, true);
    return true;
}

/* ---- refused ---- */

static void log_refusal(const struct access_request *request, enum access_reason reason)
{
    log_debug("access.refused", log_cause(net_client_slice(&request->client)),
              log_slice("origin", request->origin), log_slice("path", request->url_path),
              log_text("reason", access_reason_row(reason)->token));
}

static void refuse(struct worker *w, struct pending_request *p, const struct access_result *result)
{
    const struct access_request *request = &p->check.request;
    const struct access_reason_row *row = access_reason_row(result->reason);
    log_refusal(request, result->reason);
    if (is_own_page(request->origin, &request->here) && offers_session(p->x))
        page_refuse(w->pages, p->x, row->ws_close, slice_of(row->token), result->retry_s, true);
    else
        pending_refuse(p, result->reason, result->retry_s, NULL);
}

void handshake_denied(void *owner, struct exchange *x, uint32_t max_age_s, struct slice policy_path)
{
    struct worker *w = owner;
    struct origin here;
    if (!worker_is_ours(w, x, &here))
        return; /* a reload has taken the origin away */
    struct access_request request = pending_access_request(x, &here, ACCESS_PATH_WEB);
    access_ban(script_access_get(w->script_access), &request, max_age_s, policy_path,
               loop_now_ms(w->loop));
}

/* ---- let in ---- */

/* Clients of other origins are let in only with a grant. False without memory. */
static bool describe_client(struct worker *w, struct pending_request *p, enum access_reason reason,
                            char text[ORIGIN_TEXT_SIZE], struct page_visitor *ret)
{
    struct origin theirs;
    *ret = (struct page_visitor){.same_origin = reason == ACCESS_OK_SAME_ORIGIN};
    if (reason == ACCESS_OK_NO_ORIGIN || !origin_parse(p->check.request.origin, &theirs))
        return true;
    ret->origin = origin_write(&theirs, text);
    if (!ret->same_origin)
        ret->grant = client_grant_new(w, p);
    return ret->same_origin || ret->grant;
}

static void connect_client(struct worker *w, struct exchange *x, const struct page_visitor *client)
{
    if (is_tcp_session(x))
        page_connect(w->pages, x, NULL, client);
    else
        w->server->router->connect(w, x, client);
}

static void let_in(struct worker *w, struct pending_request *p, enum access_reason reason)
{
    char text[ORIGIN_TEXT_SIZE];
    struct page_visitor client;
    struct exchange *x = p->x;
    if (!describe_client(w, p, reason, text, &client))
        page_refuse(w->pages, x, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"), 1, true);
    else if (!claim_begin(w, x, &client, connect_client))
        connect_client(w, x, &client);
}

static void on_verdict(struct pending_request *p, const struct access_result *result)
{
    struct worker *w = p->owner;
    if (access_reason_row(result->reason)->verdict == ACCESS_ALLOW)
        let_in(w, p, result->reason);
    else
        refuse(w, p, result);
}

/* A page that comes back to its session, as all do after a break of the network: many of one house
 * may do so at once. */
static bool resumes(struct worker *w, struct exchange *x)
{
    struct slice id = page_connect_session(x);
    return id.ptr && session_table_find(w->sessions, id);
}

/* ---- from outside ---- */

static void begin_here(struct worker *w, struct exchange *x, const struct ws_handshake *handshake,
                       const struct origin *here)
{
    /* A handshake without an Origin is not from a page's script: it is allowed in the plain form,
     * but not for a session. */
    bool plain = !handshake->origin.ptr && !offers_session(x);
    if (w->server->no_gateway && is_tcp_session(x)) {
        exchange_answer(x, 404, SLICE_LITERAL("there are no TCPConnections here"), NULL, 0);
        return;
    }
    uint32_t target = worker_for(w, x);
    if (target != w->index) {
        hand_over(w, x, target, is_own_page(handshake->origin, here));
        return;
    }
    struct pending_request *p = pending_new(w->script_access, x, 0);
    if (!p)
        return;
    pending_describe(p, here, plain ? ACCESS_PATH_PLAIN : ACCESS_PATH_WEB);
    p->check.request.resumes = resumes(w, x);
    p->owner = w;
    p->on_verdict = on_verdict;
    if (handshake_refuse_tcp_session(p)) {
        pending_drop(p);
        return;
    }
    pending_begin(p);
}

void handshake_go_on_here(struct worker *w, struct exchange *x)
{
    struct ws_handshake handshake;
    struct origin here;
    if (ws_handshake_check(x->request, &handshake) == WS_HANDSHAKE_OK &&
        worker_is_ours(w, x, &here))
        begin_here(w, x, &handshake, &here);
    else /* a reload has taken the origin away meanwhile */
        exchange_answer(x, 421, SLICE_LITERAL("host-foreign"), NULL, 0);
}

void handshake_begin(struct worker *w, struct exchange *x, const struct ws_handshake *handshake,
                     const struct origin *here)
{
    struct slice session = w->cluster ? page_connect_session(x) : SLICE_NONE;
    if (!session.ptr || !forward_session(w, x, session, is_own_page(handshake->origin, here)))
        begin_here(w, x, handshake, here);
}
