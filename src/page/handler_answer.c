/* SPDX-License-Identifier: MIT */
/* handler_answer.c - what handlers answer to the requests of their pages. */
#include "page/answer.h"
#include "page/answer_head.h"
#include "page/handler_parts.h"
#include "page/host.h"

#include <errno.h>

/* Who waits for the answer; NULL, and *ret_error why nobody does. */
static struct page *asked(const struct handler *h, int *ret_error)
{
    struct page *p = h->over ? NULL : h->seat.page;
    *ret_error = !p ? -ENOTCONN : p->answer ? 0 : -EPIPE;
    return *ret_error ? NULL : p;
}

static int head_of(int status, const struct http_header *headers, size_t count, uint64_t length,
                   struct cgi_head *ret)
{
    if ((status != 0 && status < 200) || cgi_head_make(status, headers, count, ret) != PARSE_OK)
        return -EINVAL;
    if (length == HANDLER_LENGTH_UNKNOWN)
        return 0;
    if (ret->has_length && ret->content_length != length)
        return -EINVAL;
    ret->has_length = true;
    ret->content_length = length;
    return 0;
}

int handler_unanswered(const struct handler *h)
{
    int error;
    const struct page *p = asked(h, &error);
    if (error == -ENOTCONN)
        return error;
    return h->responded || (p && !page_answer_unbegun(p)) ? -EALREADY : error;
}

int handler_respond(struct handler *h, int status, const struct http_header *headers, size_t count,
                    uint64_t length)
{
    struct page *p = h->seat.page;
    struct cgi_head head;
    int error = handler_unanswered(h);
    if (!error)
        error = head_of(status, headers, count, length, &head);
    if (error)
        return error;
    h->responded = true;
    handler_enter(h);
    page_answer_take_head(p, &head);
    handler_exit(h);
    handler_touch(h);
    return 0;
}

int handler_write(struct handler *h, struct slice data)
{
    int error;
    struct page *p = asked(h, &error);
    if (!p)
        return error == -EPIPE && h->swallows ? HANDLER_SENT : error;
    if (!page_answer_begun(p))
        return -EINVAL;
    if (h->answer_behind && exchange_queued(p->x) >= p->host->spec.session_config->buffer_max) {
        h->wants_answer_room = true;
        return -EAGAIN;
    }
    handler_enter(h);
    page_answer_take(p, data);
    handler_exit(h);
    handler_touch(h);
    h->wants_answer_room |= h->answer_behind;
    return h->answer_behind ? HANDLER_QUEUED : HANDLER_SENT;
}

int handler_end(struct handler *h)
{
    int error;
    struct page *p = asked(h, &error);
    if (!p)
        return error == -EPIPE ? 0 : error;
    handler_enter(h);
    page_answer_end(p);
    handler_exit(h);
    handler_touch(h);
    return 0;
}

int handler_answer(struct handler *h, int status, const struct http_header *headers, size_t count,
                   struct slice body)
{
    int error = handler_respond(h, status, headers, count, body.len);
    if (!error && body.len)
        error = handler_write(h, body);
    return error < 0 ? error : handler_end(h);
}

int handler_fail(struct handler *h, const char *why)
{
    int error;
    struct page *p = asked(h, &error);
    if (!p)
        return error;
    handler_enter(h);
    page_answer_fail(p, 502, why);
    handler_exit(h);
    return 0;
}
