/* SPDX-License-Identifier: MIT */
/* open.c - a request for a page, without a WebSocket. */
#include "page/host.h"
#include "page/lines_page.h"
#include "page/request.h"
#include "page/retry.h"

static void open_on(struct page_host *host, struct exchange *x, const struct site_found *found,
                    struct slice origin, struct seat *seat)
{
    bool head = slice_equal(x->request->method, SLICE_LITERAL("HEAD"));
    struct page *p = page_new(&(struct page_spec){
        .host = host,
        .kind = head ? PAGE_HEAD : PAGE_ORDINARY,
        .x = x,
        .ops = &page_exchange_ops,
        .seat = seat,
        .file = slice_of(found->file),
        .script = slice_first(x->path, found->script_len),
        .script_len = found->script_len,
        .origin = origin,
    });
    if (!p) {
        seat->ops->let_go(seat);
        seat->ops->free(seat);
        page_answer_refused(host, x, SEAT_FULL, 0);
        return;
    }
    bool spools = x->request->body == HTTP_BODY_CHUNKED && seat->ops->whole_body;
    int error = spools ? page_begin_spooling(p) : page_begin(p);
    if (error)
        page_answer_error(p, error);
    page_settle(p);
}

void page_open(struct page_host *host, struct exchange *x, const struct site_found *found,
               struct slice origin)
{
    enum seat_refusal refusal;
    uint32_t wait_s;
    if (seat_reads_lines(host, found)) {
        page_lines_answer(x);
        return;
    }
    wait_s = page_rate_wait_s(host, x);
    if (wait_s > 0) {
        page_answer_later(x, 429, SLICE_LITERAL("too many pages in a short time"),
                          page_retry_spread_s(host, wait_s));
        return;
    }
    struct seat_wish wish = {.found = found, .client = page_client_key(x)};
    struct seat *seat = seat_find(host, &wish, &refusal, &wait_s);
    if (seat)
        open_on(host, x, found, origin, seat);
    else
        page_answer_refused(host, x, refusal, wait_s);
}
