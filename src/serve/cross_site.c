/* SPDX-License-Identifier: MIT */
#include "serve/cross_site.h"

#include "serve/cors.h"
#include "serve/handshake.h"
#include "serve/pending.h"
#include "serve/server.h"
#include "serve/wiring.h"

#define ASKING_TYPE "application/httpsocket-refusal"

static bool is_read(struct slice method)
{
    return slice_equal(method, SLICE_LITERAL("GET")) || slice_equal(method, SLICE_LITERAL("HEAD"));
}

/* ---- why was I refused? (docs/protocol.md, section 5) ---- */

static void answer_allowed(struct worker *w, struct pending_request *p, enum access_reason reason)
{
    struct exchange *x = p->x;
    bool program = w->server->router->guards(w, x->path);
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
        .realm = p->x->host,
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

/* ---- what may start a program (Fetch Metadata) ---- */

static struct slice find(const struct exchange *x, const char *name)
{
    return http_head_find(x->request, slice_of(name));
}

static bool says(const struct exchange *x, const char *name, const char *value)
{
    return slice_equal(find(x, name), slice_of(value));
}

/* A browser says that the page which has it ask is of another origin. */
static bool is_from_elsewhere(const struct exchange *x)
{
    return says(x, "sec-fetch-site", "cross-site") || says(x, "sec-fetch-site", "same-site");
}

static bool is_ahead_of_time(const struct exchange *x)
{
    static const char *const names[] = {"sec-purpose", "purpose", "x-moz"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct slice value = find(x, names[i]);
        if (slice_starts_with(value, SLICE_LITERAL("prefetch")))
            return true;
    }
    return false;
}

static bool leads_here(const struct worker *w, const struct exchange *x)
{
    bool frames = strcmp(w->config->cross_site, "frames") == 0;
    if (!says(x, "sec-fetch-mode", "navigate") || is_ahead_of_time(x))
        return false;
    return !find(x, "sec-fetch-dest").ptr || says(x, "sec-fetch-dest", "document") ||
           (frames && (says(x, "sec-fetch-dest", "iframe") || says(x, "sec-fetch-dest", "frame")));
}

/* Whether a program stands here that the page of another origin must not start, unless script
 * access allows it. */
static bool is_guarded(struct worker *w, const struct exchange *x)
{
    return is_from_elsewhere(x) && strcmp(w->config->cross_site, "any") != 0 && !leads_here(w, x) &&
           w->server->router->guards(w, x->path);
}

static void refuse_start(struct exchange *x)
{
    struct http_header headers[] = {
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
        {SLICE_LITERAL("Vary"), SLICE_LITERAL("Sec-Fetch-Site")},
    };
    exchange_answer(x, 403,
                    SLICE_LITERAL("cross-site: pages of other sites may lead to this program, "
                                  "but not load it (see --cross-site)"),
                    headers, 2);
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
    if (!allowed && is_guarded(w, x)) {
        pending_refuse(p, result->reason, result->retry_s, NULL);
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
    bool foreign = is_foreign(origin, here);
    if (!asks && !foreign) {
        if (!is_guarded(w, x))
            return false;
        refuse_start(x);
        return true;
    }
    struct pending_request *p = pending_new(w->script_access, x, 0);
    if (!p)
        return true;
    pending_describe(p, here, ACCESS_PATH_WEB);
    p->owner = w;
    p->on_verdict = asks ? on_asked : on_verdict;
    pending_begin(p);
    return true;
}
