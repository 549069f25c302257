/* SPDX-License-Identifier: MIT */
/* request.c - see request.h. A body of unknown length is spooled to a nameless file if the program
 * wants to know its length before it begins (CGI); any other body goes to the program as it comes,
 * and the client waits while the program does not read. */
#include "page/request.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/answer_head.h"
#include "page/grant.h"
#include "page/host.h"
#include "page/retry.h"
#include "page/spool.h"
#include "page/waiting.h"
#include "program/diagnosis.h"
#include "proto/close_code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct net_client_key page_client_key(struct exchange *x)
{
    struct net_address peer = {0};
    return exchange_peer(x, &peer) < 0 ? (struct net_client_key){0} : net_client_key_of(&peer);
}

uint32_t page_rate_wait_s(struct page_host *host, struct exchange *x)
{
    struct net_address peer;
    if (!host->spec.rates || exchange_peer(x, &peer) < 0)
        return 0;
    struct net_client_key client = net_client_key_of(&peer);
    uint32_t wait_s =
        rates_take(host->spec.rates, &host->spec.config->rate_programs, LIMIT_STARTS,
                   slice_make(client.bytes, sizeof(client.bytes)), loop_now_ms(host->spec.loop));
    host->counts.refused_rate += wait_s > 0;
    return wait_s;
}

/* ---- what can't be answered ---- */

void page_answer_later(struct exchange *x, int status, struct slice text, uint32_t wait_s)
{
    char buffer[16];
    struct slice seconds =
        slice_make(buffer, (size_t)snprintf(buffer, sizeof(buffer), "%u", wait_s));
    struct http_header headers[3] = {{SLICE_LITERAL("Retry-After"), seconds}};
    size_t count = 1;
    if (slice_equal(x->request->method, SLICE_LITERAL("GET")))
        headers[count++] = (struct http_header){SLICE_LITERAL("Refresh"), seconds};
    if (status == 429)
        headers[count++] = (struct http_header){SLICE_LITERAL("Script-Access-Reason"),
                                                SLICE_LITERAL("rate-limited")};
    exchange_answer(x, status, text, headers, count);
}

static void answer_later(struct exchange *x, struct slice text, uint32_t wait_s)
{
    page_answer_later(x, 503, text, wait_s);
}

void page_answer_refused(struct page_host *host, struct exchange *x, enum seat_refusal refusal,
                         uint32_t wait_s)
{
    switch (refusal) {
    case SEAT_BROKEN:
        exchange_answer(x, 500, SLICE_LITERAL("the program can't be started"), NULL, 0);
        return;
    case SEAT_HELD_BACK:
        answer_later(x, SLICE_LITERAL("the program has failed; it is started again in a while"),
                     wait_s);
        return;
    case SEAT_CROWDED:
        answer_later(x, SLICE_LITERAL("the program is behind with what its pages have sent"),
                     wait_s);
        return;
    case SEAT_FULL:
        answer_later(x,
                     host->draining ? SLICE_LITERAL("the server is stopping")
                                    : SLICE_LITERAL("too many programs are running"),
                     page_retry_s(host));
        return;
    }
}

void page_answer_error(struct page *p, int error)
{
    struct page_watcher *watcher = p->host->spec.watcher;
    if (watcher && seat_error_is_broken(error)) {
        char bytes[512];
        struct text hint = TEXT_IN(bytes);
        program_diagnose(page_file(p).ptr, error, &hint);
        watcher->ops->on_no_answer(watcher, p, page_take_exchange(p), 500,
                                   "the program can't be started", text_slice(&hint));
        return;
    }
    page_answer_refused(p->host, page_take_exchange(p),
                        seat_error_is_broken(error) ? SEAT_BROKEN : SEAT_FULL, 0);
}

/* ---- beginning ---- */

/* 0, or a negative errno: the client has gone. */
static int describe(struct page *p, struct program_request *ret)
{
    struct exchange *x = p->x;
    uint64_t length = x->request->body == HTTP_BODY_LENGTH ? x->request->content_length
                      : p->spool                           ? page_spool_bytes(p->spool)
                                                           : 0;
    *ret = (struct program_request){
        .head = x->request,
        .path = x->path,
        .script_len = p->script_end,
        .query = x->query,
        .secure = x->secure,
        .host = x->host,
        .port = x->port,
        .base = x->base,
        .base_cut = x->base_cut,
        .has_length = x->request->body != HTTP_BODY_NONE,
        .content_length = length,
        .session = p->session ? session_id(p->session) : SLICE_NONE,
        .origin = page_origin(p),
        .address = slice_of(page_address(p)),
        .connect = page_waits(p),
        .restore = p->restores,
    };
    int error = exchange_peer(x, &ret->peer);
    return error < 0 ? error : exchange_local(x, &ret->local);
}

static int begin(struct page *p)
{
    struct page_watcher *watcher = p->host->spec.watcher;
    struct program_request request;
    int error = page_make_session(p);
    if (!error && !p->seat->ops->only_messages && !page_answer_begin(p))
        error = -ENOMEM;
    if (!error)
        error = describe(p, &request);
    if (error == -ENOTCONN) /* nobody has failed */
        log_debug("program.not_wanted", log_slice("program", page_file(p)));
    if (error == -ENOSPC) /* sessions-max */
        log_warn("session.refused", page_cause(p), log_slice("program", page_file(p)),
                 log_text("client", page_address(p)), log_text("reason", "too many sessions"));
    else if (error)
        log_lack("begin a page", error);
    if (error)
        return error;
    if (watcher)
        watcher->ops->on_begin(watcher, p);
    int body = p->spool ? page_spool_take(p->spool) : -1;
    return p->seat->ops->begin(p->seat, &request, body);
}

int page_begin(struct page *p)
{
    int error = begin(p);
    if (error) {
        page_answer_free(p);
        page_abort(p, CLOSE_PROGRAM_FAILED, SLICE_LITERAL("program-failed"));
        page_let_go(p);
        return error;
    }
    page_set_state(p, PAGE_OPEN);
    if (p->kind == PAGE_HEAD)
        p->seat->ops->shut(p->seat);
    return 0;
}

/* ---- the body ---- */

int page_begin_spooling(struct page *p)
{
    p->spool = page_spool_new(p->host->spec.spool);
    if (p->spool)
        return 0;
    page_stop(p, CLOSE_PROGRAM_FAILED, SLICE_LITERAL("program-failed"));
    return -EMFILE;
}

static void fail_spooling(struct page *p, int error)
{
    log_error("page.spool_failed", log_errno("error", error));
    exchange_answer(page_take_exchange(p), 507, SLICE_LITERAL("no room for the request's body"),
                    NULL, 0);
    page_stop(p, CLOSE_PROGRAM_FAILED, SLICE_LITERAL("program-failed"));
}

static void refuse_spooling(struct page *p, enum spool_bound bound)
{
    static const struct slice texts[] = {
        [SPOOL_CLIENT] =
            SLICE_LITERAL("too much of bodies without Content-Length is kept for your address: "
                          "send it with Content-Length, or try again later"),
        [SPOOL_WHOLE] = SLICE_LITERAL("too much of bodies without Content-Length is kept: send it "
                                      "with Content-Length, or try again later"),
    };
    log_warn("page.spool_refused", page_cause(p), log_slice("program", page_file(p)),
             log_text("client", page_address(p)), log_int("bytes", page_spool_bytes(p->spool)),
             log_text("why", bound == SPOOL_CLIENT ? "its client is above spool-per-client"
                                                   : "all together are above spool-max"));
    p->host->counts.refused_spool[bound]++;
    answer_later(page_take_exchange(p), texts[bound], page_retry_s(p->host));
    page_stop(p, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"));
}

static void spool(struct page *p, struct slice data)
{
    int error;
    enum spool_bound bound = page_spool_write(p->spool, &p->client_key, data, &error);
    if (bound != SPOOL_FITS)
        refuse_spooling(p, bound);
    else if (error)
        fail_spooling(p, -error);
    else
        page_count(p);
}

static void on_body(struct exchange *x, struct slice data)
{
    struct page *p = x->owner;
    if (p->state == PAGE_SPOOLING) {
        spool(p, data);
    } else {
        page_answer_prolong(p); /* a slow upload is not the program's fault */
        if (!p->seat->ops->body(p->seat, data))
            exchange_pause(x);
        page_count(p);
    }
    page_settle(p);
}

static void on_body_end(struct exchange *x)
{
    struct page *p = x->owner;
    if (p->state == PAGE_SPOOLING) {
        int error = page_begin(p);
        if (error)
            page_answer_error(p, error);
    } else {
        p->seat->ops->body_end(p->seat);
    }
    page_settle(p);
}

/* ---- the client ---- */

static void on_writable(struct exchange *x)
{
    struct page *p = x->owner;
    p->seat->ops->pause_answer(p->seat, false);
}

/* It may come, or come again, for goodbye-timeout after it left. */
static void wait_for_client(struct page *p, struct exchange *x)
{
    uint64_t wait_ms = p->host->spec.session_config->goodbye_timeout_ms;
    uint64_t gone_ms = exchange_departed_ms(x);
    timer_start(p->host->spec.loop, &p->leave_timer, wait_ms > gone_ms ? wait_ms - gone_ms : 0);
}

/* The client broke off. A page that has its connection keeps it; one that has not may still be
 * coming, as after a goodbye; so may a direct client that has not been let in. */
static void on_abort(struct exchange *x)
{
    struct page *p = x->owner;
    p->x = NULL;
    page_grant_end(&p->grant);
    if (!list_empty(&p->waiting)) { /* the program's word is for the next connection */
        wait_for_client(p, x);
        page_note_claim(p);
        return;
    }
    bool may_come = p->kind == PAGE_ORDINARY && p->session && p->state < PAGE_ENDED && p->answer &&
                    p->answer->part == ANSWER_BODY;
    if (may_come)
        wait_for_client(p, x);
    else
        page_stop(p, CLOSE_NORMAL, SLICE_LITERAL("page-left"));
    page_answer_drop(p);
    page_settle(p);
}

const struct exchange_ops page_exchange_ops = {on_body, on_body_end, on_writable, on_abort};
