/* SPDX-License-Identifier: MIT */
/* open.c - a request for a page. */
#include "page/parts.h"

#include "page/answer.h"
#include "page/dev.h"
#include "page/events.h"
#include "page/member.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void answer_busy(struct page_host *host, struct exchange *x)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%u", page_retry_s(host));
    struct http_header retry = {SLICE_LITERAL("Retry-After"), slice_make(text, (size_t)len)};
    exchange_answer(x, 503,
                    host->draining ? SLICE_LITERAL("the server is stopping")
                                   : SLICE_LITERAL("too many programs are running"),
                    &retry, 1);
}

static void answer_too_often(struct exchange *x, uint32_t wait_s)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%u", wait_s);
    struct http_header headers[] = {
        {SLICE_LITERAL("Retry-After"), slice_make(text, (size_t)len)},
        {SLICE_LITERAL("Script-Access-Reason"), SLICE_LITERAL("rate-limited")},
    };
    exchange_answer(x, 429, SLICE_LITERAL("too many pages in a short time"), headers, 2);
}

static void answer_error(struct page_host *host, struct exchange *x, int error)
{
    bool is_broken = error == -ENOEXEC || error == -EACCES || error == -ENOENT;
    if (is_broken)
        exchange_answer(x, 500, SLICE_LITERAL("the program can't be started"), NULL, 0);
    else
        answer_busy(host, x);
}

static void answer_unstarted(struct page *p, int error)
{
    struct exchange *x = p->x;
    p->x = NULL;
    answer_error(p->host, x, error);
    page_set_state(p, PAGE_GONE);
}

static void answer_held_back(struct exchange *x, uint32_t wait_s)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%u", wait_s);
    struct http_header retry = {SLICE_LITERAL("Retry-After"), slice_make(text, (size_t)len)};
    exchange_answer(x, 503, SLICE_LITERAL("the program has failed; it is started again in a while"),
                    &retry, 1);
}

/* One more page of a process that has many. */
static void open_shared(struct page_spec *spec, uint32_t share)
{
    uint32_t wait_s;
    int error;
    struct page_host *host = spec->host;
    spec->process = page_shared_pick(host, spec->found, share, &wait_s, &error);
    if (!spec->process && wait_s > 0) {
        answer_held_back(spec->x, wait_s);
        return;
    }
    if (!spec->process) {
        answer_error(host, spec->x, error);
        return;
    }
    struct page *p = page_new(spec);
    if (!p) {
        answer_busy(host, spec->x);
        return;
    }
    error = page_member_join(p);
    if (error)
        answer_unstarted(p, error);
    page_settle(p);
}

void page_begin(struct page *p)
{
    int error = page_start(p);
    if (error)
        answer_unstarted(p, error);
}

uint32_t page_rate_wait_s(struct page_host *host, struct exchange *x)
{
    struct net_address peer;
    if (!host->rates || exchange_peer(x, &peer) < 0)
        return 0;
    struct net_client_key client = net_client_key_of(&peer);
    uint32_t wait_s =
        rates_take(host->rates, &host->config->rate_programs, LIMIT_STARTS,
                   slice_make(client.bytes, sizeof client.bytes), loop_now_ms(host->loop));
    host->counts.refused_rate += wait_s > 0;
    return wait_s;
}

void page_open(struct page_host *host, struct exchange *x, const struct site_found *found,
               struct slice origin)
{
    if (page_is_stdio(host, found)) {
        page_stdio_answer(x);
        return;
    }
    bool head = slice_equal(x->request->method, SLICE_LITERAL("HEAD"));
    if (host->config->dev && page_dev_wait(host, x, found))
        return;
    uint32_t wait_s = page_rate_wait_s(host, x);
    if (wait_s) {
        answer_too_often(x, wait_s);
        return;
    }
    struct page_spec spec = {
        .host = host,
        .x = x,
        .found = found,
        .origin = origin,
        .kind = head ? PAGE_HEAD : PAGE_ORDINARY,
    };
    uint32_t share = page_shared_share(host, found->file);
    if (share > 0) {
        open_shared(&spec, share);
        return;
    }
    struct page *p = page_new(&spec);
    if (!p) {
        answer_busy(host, x);
        return;
    }
    if (x->request->body != HTTP_BODY_CHUNKED) {
        page_begin(p);
    } else if (page_spool_open(p) < 0) {
        answer_unstarted(p, -EMFILE);
    }
    page_settle(p);
}
