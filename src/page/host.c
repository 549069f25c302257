/* SPDX-License-Identifier: MIT */
/* host.c - all pages of one worker: from the first to the drain. */
#include "page/host.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/answer_head.h"
#include "page/grant.h"
#include "page/request.h"
#include "page/restart.h"
#include "page/retry.h"
#include "page/tcp_session.h"
#include "page/waiting.h"
#include "page/wire.h"
#include "program/shared.h"
#include "proto/close_code.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- a request that comes again ---- */

static void request_again(struct page_host *host, struct exchange *x,
                          const struct site_found *found, const struct page_visitor *visitor,
                          bool is_handshake)
{
    static const struct http_header retry = {SLICE_LITERAL("Retry-After"), SLICE_LITERAL("1")};
    struct page_grant *grant = visitor->grant;
    uint32_t worker = host->spec.worker;
    shared_worker(host->spec.programs, found->file, is_handshake ? page_connect_key(x) : SLICE_NONE,
                  &worker);
    if (x->request->body != HTTP_BODY_NONE) { /* it has begun to go to stdin */
        page_grant_end(&grant);
        exchange_answer(x, 503, SLICE_LITERAL("the program has only just started"), &retry, 1);
    } else if (worker != host->spec.worker) {
        page_grant_end(&grant);
        host->spec.hand_over(host->spec.owner, x, worker);
    } else if (is_handshake) {
        page_connect(host, x, found, visitor);
    } else {
        page_open(host, x, found, visitor->origin);
    }
}

/* ---- all of them ---- */

/* `each` may unlink the page that it is given, and no other. */
static void each_page(struct page_host *host, void (*each)(struct page *p))
{
    struct list *next;
    for (struct list *node = host->pages.next; node != &host->pages; node = next) {
        next = node->next;
        each(container_of(node, struct page, node));
    }
}

/* ---- the goodbye of a drain ---- */

static void begin_goodbye(struct page_host *host)
{
    timer_start(host->spec.loop, &host->goodbye_timer,
                host->spec.session_config->goodbye_timeout_ms);
}

static void give_up_client(struct page *p)
{
    if (p->client)
        p->client->drop(p);
    page_settle(p);
}

/* Whoever has not acknowledged the last messages by now, or not answered the close frame, is not
 * waited for. While the process stood still nobody could. */
static void on_goodbye_over(struct timer *timer)
{
    struct page_host *host = container_of(timer, struct page_host, goodbye_timer);
    if (loop_now_ms(host->spec.loop) - timer->due_ms >= LOOP_PAUSE_MS) {
        begin_goodbye(host);
        return;
    }
    each_page(host, give_up_client);
    page_wires_finish(host);
}

/* ---- its life ---- */

struct page_host *page_host_new(const struct page_host_spec *spec)
{
    struct page_host *host = log_needed(calloc(1, sizeof(*host)));
    if (!host)
        return NULL;
    host->spec = *spec;
    host->request_again = request_again;
    list_init(&host->pages);
    list_init(&host->waiting);
    page_counts_init(host);
    list_init(&host->wires);
    list_init(&host->tcp_sessions);
    timer_init(&host->goodbye_timer, on_goodbye_over);
    handler_desk_init(&host->handlers, host->spec.loop);
    page_restarts_init(host);
    return host;
}

void page_host_free(struct page_host *host)
{
    if (!host)
        return;
    timer_stop(&host->goodbye_timer);
    loop_after_stop(&host->count);
    page_restarts_stop(host);
    handler_desk_done(&host->handlers);
    free(host);
}

const struct page_counts *page_host_counts(const struct page_host *host)
{
    return &host->counts;
}

bool page_host_empty(const struct page_host *host)
{
    return list_empty(&host->pages) && list_empty(&host->wires);
}

/* ---- the drain ---- */

static void answer_stopping(struct page *p, uint32_t retry_s)
{
    struct page_refusal draining = {CLOSE_SERVICE_RESTART, SLICE_LITERAL("draining"), retry_s,
                                    NULL};
    if (page_waits(p))
        page_turn_away(p, &draining);
    else if (p->x && p->state == PAGE_SPOOLING)
        exchange_answer(page_take_exchange(p), 503, SLICE_LITERAL("the server is stopping"), NULL,
                        0);
}

/* Who is not connected can't come back to us. */
static void drain(struct page *p)
{
    char reason[32];
    uint32_t retry_s = page_retry_s(p->host);
    int len = snprintf(reason, sizeof(reason), "draining retry=%u", retry_s);
    answer_stopping(p, retry_s);
    page_answer_hurry(p);
    page_end(p, CLOSE_SERVICE_RESTART, slice_make(reason, (size_t)len));
    if (p->client && !p->client->present(p))
        page_abort(p, CLOSE_SERVICE_RESTART, slice_make(reason, (size_t)len));
    page_let_go(p);
    page_settle(p);
}

void page_host_drain(struct page_host *host, uint32_t retry_s, uint32_t back_a_second)
{
    page_restarts_stop(host);
    host->draining = true;
    host->retry_s = retry_s;
    host->back_a_second = back_a_second;
    tcp_sessions_drain(host);
    each_page(host, drain);
    begin_goodbye(host);
}

static void stop(struct page *p)
{
    struct exchange *x = page_take_exchange(p);
    if (x)
        exchange_fail(x);
    page_answer_drop(p);
    if (p->client)
        p->client->drop(p);
    page_end(p, CLOSE_SERVICE_RESTART, SLICE_LITERAL("draining"));
    page_let_go(p);
    p->seat->ops->kill(p->seat);
    page_settle(p);
}

void page_host_stop(struct page_host *host)
{
    page_wires_drop(host);
    tcp_sessions_stop(host);
    each_page(host, stop);
}

/* ---- a grant is taken back ---- */

void page_grant_revoke(struct page_grant *grant, struct slice token, uint32_t retry_s)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%.*s retry=%u", SLICE_ARG(token), retry_s);
    struct slice reason = slice_make(text, (size_t)len);
    struct page *p = grant->page;
    if (grant->on_revoke) {
        grant->on_revoke(grant, CLOSE_FORBIDDEN, reason);
        return;
    }
    if (grant->wire) {
        if (grant->wire->session)
            session_abort(grant->wire->session, CLOSE_FORBIDDEN, reason);
        return;
    }
    if (!p)
        return;
    if (p->x)
        page_turn_away(p, &(struct page_refusal){CLOSE_FORBIDDEN, token, retry_s, NULL});
    else
        page_stop(p, CLOSE_FORBIDDEN, reason);
    page_settle(p);
}
