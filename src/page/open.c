/* open.c - a request for a page. */
#include "page/parts.h"

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

static void answer_unstarted(struct page *p, int error)
{
    struct exchange *x = p->x;
    p->x = NULL;
    bool is_broken = error == -ENOEXEC || error == -EACCES || error == -ENOENT;
    if (is_broken)
        exchange_answer(x, 500, SLICE_LITERAL("the program can't be started"), NULL, 0);
    else
        answer_busy(p->host, x);
    page_set_state(p, PAGE_GONE);
}

void page_begin(struct page *p)
{
    int error = page_start(p);
    if (error)
        answer_unstarted(p, error);
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
