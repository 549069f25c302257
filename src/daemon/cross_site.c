/* SPDX-License-Identifier: MIT */
#include "daemon/cross_site.h"

#include "daemon/cors.h"
#include "daemon/handshake.h"
#include "daemon/pending.h"
#include "daemon/wiring.h"

#include <unistd.h>

#define ASKING_TYPE "application/httpsocket-refusal"

static bool is_read(struct slice method)
{
    return slice_equal(method, SLICE_LITERAL("GET")) || slice_equal(method, SLICE_LITERAL("HEAD"));
}

/* ---- why was I refused? (docs/protocol.md, section 5) ---- */

static bool has_program(struct worker *w, struct slice path)
{
    struct site_found found;
    site_find(w->site, path, &found);
    if (found.kind == SITE_FILE)
        close(found.fd);
    return found.kind == SITE_PROGRAM || found.kind == SITE_FAILED;
}

static void answer_allowed(struct worker *w, struct pending_request *p, enum access_reason reason)
{
    struct exchange *x = p->x;
    bool program = has_program(w, x->path);
    struct slice token =
        program ? slice_of(access_reason_row(reason)->token) : SLICE_LITERAL("no-program");
    struct http_header headers[CORS_HEADERS_MAX];
    size_t count = cors_allow(p->check.request.origin, headers);
    headers[count++] =
        (struct http_header){SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")};
    headers[count++] = (struct http_header){SLICE_LITERAL("Script-Access-Reason"), token};
    headers[count++] = (struct http_header){SLICE_LITERAL("Access-Control-Expose-Headers"),
                                            SLICE_LITERAL("Script-Access-Reason")};
    exchange_respond(x, program ? 204 : 404, SLICE_NONE, headers, count, 0);
    exchange_end(x);
}

/* A ban always comes from a recent 401 of the program, so the page that asks is told that 401. */
static void on_asked(struct pending_request *p, const struct access_result *result)
{
    struct refusal_challenge challenge = {
        .realm = p->x->request->host,
        .policy_path = result->banned_path,
    };
    if (handshake_refuse_tcp_session(p))
        return;
    if (access_reason_row(result->reason)->verdict == ACCESS_ALLOW)
        answer_allowed(p->owner, p, result->reason);
    else if (result->reason == ACCESS_BANNED)
        pending_refuse(p, ACCESS_SCRIPT_DENIED, result->retry_s, &challenge);
    else
        pending_refuse(p, result->reason, result->retry_s, NULL);
}

/* ---- what a script may read ---- */

static void answer_preflight(struct exchange *x)
{
    struct http_header headers[CORS_HEADERS_MAX];
    size_t count = cors_allow_preflight(x->request, headers);
    exchange_respond(x, 204, SLICE_NONE, headers, count, 0);
    exchange_end(x);
}

static void on_verdict(struct pending_request *p, const struct access_result *result)
{
    struct worker *w = p->owner;
    struct exchange *x = p->x;
    struct http_header headers[CORS_HEADERS_MAX];
    bool allowed = access_reason_row(result->reason)->verdict == ACCESS_ALLOW;
    if (allowed && cors_is_preflight(x->request, x->request->method)) {
        answer_preflight(x);
        return;
    }
    size_t count = cors_allow(p->check.request.origin, headers);
    for (size_t i = allowed ? 0 : 1; i < count; i++)
        exchange_add_header(x, headers[i].name, headers[i].value);
    wiring_answer(w, x, &p->check.request.here);
}

/* ---- from outside ---- */

static bool is_foreign(struct slice origin, const struct origin *here)
{
    struct origin theirs;
    return origin.ptr && (!origin_parse(origin, &theirs) || !origin_equal(&theirs, here));
}

bool cross_site_begin(struct worker *w, struct exchange *x, const struct origin *here)
{
    struct slice origin = http_head_find(x->request, SLICE_LITERAL("origin"));
    bool asks = is_read(x->request->method) &&
                slice_equal(http_head_find(x->request, SLICE_LITERAL("accept")),
                            SLICE_LITERAL(ASKING_TYPE));
    if (!asks && !is_foreign(origin, here))
        return false;
    struct pending_request *p = pending_new(w->script_access, x, 0);
    if (!p)
        return true;
    pending_describe(p, here, ACCESS_PATH_WEB);
    p->owner = w;
    p->on_verdict = asks ? on_asked : on_verdict;
    pending_begin(p);
    return true;
}
