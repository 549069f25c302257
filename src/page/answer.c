/* SPDX-License-Identifier: MIT */
/* answer.c - what the program writes on stdout, as the answer of the exchange (RFC 3875, section
 * 6).
 *
 *   HEAD ──header block──> BODY ──end of stdout, or Content-Length reached──> no answer any more: what still
 *    │                                                                         comes is dropped
 *    └── time-out, bad block, end without one: page_answer_fail, the server's own answer; once the
 *        body has begun, the exchange breaks off instead
 *
 * An HTML page gets one element more, which names its session to scripts (docs/protocol.md, section
 * 6). Only a page has a session: an answer with another status than 2xx, or without content, ends
 * it and lets the program go once it is out.
 */
#include "page/parts.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/dev.h"
#include "page/member.h"
#include "page/splice.h"
#include "proto/cgi_head.h"
#include "proto/close_code.h"

#include <stdio.h>
#include <stdlib.h>

#define ANSWER_HEAD_MAX 65536

struct page_answer {
    bool body;  /* the header block is done */
    char *head; /* owned; what has come of the header block */
    size_t len, size, seen;
    struct page_splice splice;
    char element[64 + SESSION_ID_LEN];
    bool has_length;
    uint64_t left; /* of the program's Content-Length */
};

static struct page *page_of(struct io *io)
{
    return container_of(io, struct page, out.io);
}

bool page_answer_begin(struct page *p)
{
    p->answer = calloc(1, sizeof *p->answer);
    return p->answer != NULL;
}

void page_answer_free(struct page *p)
{
    if (!p->answer)
        return;
    page_splice_done(&p->answer->splice);
    free(p->answer->head);
    free(p->answer);
    p->answer = NULL;
}

void page_answer_drop(struct page *p)
{
    timer_stop(&p->answer_timer);
    page_answer_free(p);
    if (page_pipe_open(&p->out))
        io_resume(&p->out.io);
    page_body_stop(p);
}

static struct slice token_of(int status)
{
    return status == 504   ? SLICE_LITERAL("program-timeout")
           : status == 503 ? SLICE_LITERAL("overload")
                           : SLICE_LITERAL("program-answer");
}

void page_answer_fail(struct page *p, int status, const char *why)
{
    p->host->counts.failed_answer++;
    log_error("program.answer_failed", log_quoted("program", p->file),
              log_int("pid", p->process.pid), log_text("session", p->mark),
              log_int("status", status), log_text("why", why));
    struct exchange *x = p->x;
    if (x && p->kind != PAGE_ORDINARY && p->kind != PAGE_HEAD) {
        page_direct_refuse(p, close_code_of_status(status), token_of(status), 0);
    } else if (x && p->answer && p->answer->body) {
        p->x = NULL;
        exchange_fail(x);
    } else if (x) {
        p->x = NULL;
        if (p->dev)
            page_dev_answer(p, x, status, why);
        else
            exchange_answer(x, status, slice_of(why), NULL, 0);
    }
    page_answer_drop(p);
    page_end_session(p, close_code_of_status(status), token_of(status));
    page_let_go(p);
}

/* ---- the header block ---- */

static struct slice header_of(const struct cgi_head *head, struct slice name)
{
    for (size_t i = 0; i < head->header_count; i++) {
        if (slice_equal_nocase(head->headers[i].name, name))
            return head->headers[i].value;
    }
    return SLICE_NONE;
}

/* HTML in a coding whose ASCII is ASCII. */
static bool takes_element(const struct cgi_head *head)
{
    struct slice type = header_of(head, SLICE_LITERAL("content-type"));
    struct slice essence = slice_trim(slice_first(type, slice_find(type, ';')));
    if (!slice_equal_nocase(essence, SLICE_LITERAL("text/html")))
        return false;
    for (size_t i = 0; i + 4 <= type.len; i++) {
        struct slice part = slice_make(type.ptr + i, 4);
        if (slice_equal_nocase(part, SLICE_LITERAL("utf-")) && i + 4 < type.len &&
            type.ptr[i + 4] != '8')
            return false;
    }
    return header_of(head, SLICE_LITERAL("content-encoding")).ptr == NULL;
}

static bool is_page(const struct page *p, const struct cgi_head *head)
{
    return p->session && !p->session_done && head->status >= 200 && head->status < 300 &&
           head->status != 204 && head->status != 205;
}

#define OWN_HEADERS 3

static size_t copy_headers(const struct cgi_head *head, struct http_header *out)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        if (!slice_equal_nocase(head->headers[i].name, SLICE_LITERAL("session-id")))
            out[count++] = head->headers[i];
    }
    return count;
}

/* Of the answer to GET, which for HEAD is not known if that would get the element. */
static uint64_t length_of(const struct page *p, const struct cgi_head *head)
{
    if (!head->has_length || (p->kind == PAGE_HEAD && takes_element(head)))
        return EXCHANGE_LENGTH_UNKNOWN;
    return head->content_length + (p->answer->splice.placed ? 0 : strlen(p->answer->element));
}

static void respond(struct page *p, const struct cgi_head *head, bool page)
{
    struct http_header headers[HTTP_HEADERS_MAX + OWN_HEADERS];
    size_t count = copy_headers(head, headers);
    char timing[32 + SESSION_ID_LEN];
    if (page) {
        struct slice id = session_id(p->session);
        int len = snprintf(timing, sizeof timing, "session;desc=\"%.*s\"", SLICE_ARG(id));
        headers[count++] = (struct http_header){SLICE_LITERAL("Session-ID"), id};
        headers[count++] =
            (struct http_header){SLICE_LITERAL("Server-Timing"), slice_make(timing, (size_t)len)};
        if (!header_of(head, SLICE_LITERAL("cache-control")).ptr)
            headers[count++] = (struct http_header){SLICE_LITERAL("Cache-Control"),
                                                    SLICE_LITERAL("private, no-cache")};
    }
    exchange_respond(p->x, head->status, head->reason, headers, count, length_of(p, head));
}

/* ---- the body ---- */

static void put(void *arg, struct slice data)
{
    struct page *p = arg;
    if (!p->x)
        return; /* gone during an earlier piece */
    if (exchange_write(p->x, data) || !p->x)
        return;
    if (p->member)
        page_member_answer_behind(p, true);
    else if (page_pipe_open(&p->out))
        io_pause(&p->out.io);
}

static void finish(struct page *p, bool whole)
{
    struct exchange *x = p->x;
    if (!whole)
        log_warn("program.answer_short", log_quoted("program", p->file),
                 log_text("session", p->mark), log_int("missing", p->answer->left));
    p->x = NULL;
    exchange_end(x);
    page_answer_drop(p);
}

static void note_excess(struct page *p)
{
    if (p->excess)
        return;
    p->excess = true;
    log_warn("program.answer_excess", log_quoted("program", p->file), log_text("session", p->mark),
             log_text("why", "output after the end of the answer is dropped"));
}

static void pass_body(struct page *p, struct slice data, bool last)
{
    struct page_answer *answer = p->answer;
    if (answer->has_length) {
        if (data.len > answer->left)
            note_excess(p);
        data = slice_first(data, answer->left);
        answer->left -= data.len;
        last = last || answer->left == 0;
    }
    page_splice_feed(&answer->splice, data, last, slice_of(answer->element), put, p);
    if (p->x && last)
        finish(p, !answer->has_length || answer->left == 0);
}

/* ---- both ---- */

static void begin_body(struct page *p, const struct cgi_head *head)
{
    struct page_answer *answer = p->answer;
    bool page = is_page(p, head);
    answer->body = true;
    answer->has_length = head->has_length;
    answer->left = head->content_length;
    answer->splice.placed = !page || !takes_element(head);
    if (page)
        snprintf(answer->element, sizeof answer->element,
                 "<meta name=\"httpsocket-session\" content=\"%.*s\">",
                 SLICE_ARG(session_id(p->session)));
    respond(p, head, page);
    if (page)
        return;
    page_end_session(p, CLOSE_NORMAL, SLICE_LITERAL("no-page"));
    page_let_go(p);
}

static bool gather(struct page_answer *answer, struct slice data)
{
    if (answer->size - answer->len < data.len) {
        size_t size = answer->len + data.len;
        char *head = realloc(answer->head, size);
        if (!head)
            return false;
        answer->head = head;
        answer->size = size;
    }
    memcpy(answer->head + answer->len, data.ptr, data.len);
    answer->len += data.len;
    return true;
}

static void head_done(struct page *p, const struct cgi_head *head)
{
    timer_stop(&p->answer_timer);
    struct page_answer *answer = p->answer;
    struct slice rest = slice_skip(slice_make(answer->head, answer->len), head->size);
    if (p->kind == PAGE_DIRECT || p->kind == PAGE_PLAIN) {
        if (rest.len > 0)
            note_excess(p);
        page_direct_answer(p, head);
        page_answer_drop(p);
        return;
    }
    begin_body(p, head);
    if (p->kind == PAGE_HEAD)
        finish(p, true);
    else if (p->x && (rest.len > 0 || (answer->has_length && answer->left == 0)))
        pass_body(p, rest, false);
    if (p->answer) {
        free(p->answer->head);
        p->answer->head = NULL;
    }
}

static void gather_head(struct page *p, struct slice data)
{
    struct page_answer *answer = p->answer;
    if (!gather(answer, data)) {
        page_answer_fail(p, 503, "out of memory");
        return;
    }
    struct cgi_head head;
    switch (cgi_head_parse(slice_make(answer->head, answer->len), answer->seen, &head)) {
    case PARSE_MORE:
        answer->seen = answer->len;
        if (answer->len >= ANSWER_HEAD_MAX)
            page_answer_fail(p, 502, "the program's header block is too large");
        return;
    case PARSE_BAD:
        page_answer_fail(p, 502, head.why);
        return;
    case PARSE_OK:
        if (head.status < 200)
            page_answer_fail(p, 502, "the program's status is below 200");
        else
            head_done(p, &head);
        return;
    }
}

bool page_answer_unbegun(const struct page *p)
{
    return p->answer && p->answer->len == 0 && !p->answer->body;
}

void page_answer_take(struct page *p, struct slice data)
{
    if (!p->answer) {
        if (p->kind != PAGE_HEAD)
            note_excess(p);
        return;
    }
    if (p->answer->body)
        pass_body(p, data, false);
    else
        gather_head(p, data);
}

static void on_recv(struct io *io, struct bytes data)
{
    struct page *p = page_of(io);
    page_answer_take(p, page_pipe_take(&p->out, slice_from_bytes(data)));
    if (page_pipe_at_end(&p->out))
        page_answer_end(p);
    page_settle(p);
}

void page_answer_end(struct page *p)
{
    if (!page_pipe_open(&p->out) || (p->answer && !p->answer->body && page_dev_holds_answer(p)))
        return;
    page_pipe_close(&p->out);
    if (p->answer)
        page_answer_close(p);
}

void page_answer_close(struct page *p)
{
    if (p->answer->body)
        pass_body(p, SLICE_LITERAL(""), true);
    else
        page_answer_fail(p, 502, "the program ended without an answer");
}

static void on_end(struct io *io, int error)
{
    (void)error;
    struct page *p = page_of(io);
    page_answer_end(p);
    page_settle(p);
}

static void on_gone(struct io *io)
{
    struct page *p = page_of(io);
    p->out.state = PIPE_NONE;
    page_settle(p);
}

const struct io_ops page_answer_io_ops = {on_recv, on_end, NULL, on_gone};

/* ---- the exchange ---- */

static void on_body(struct exchange *x, struct slice data)
{
    struct page *p = x->owner;
    page_body_data(p, data);
    page_settle(p);
}

static void on_body_end(struct exchange *x)
{
    struct page *p = x->owner;
    page_body_end(p);
    page_settle(p);
}

static void on_writable(struct exchange *x)
{
    struct page *p = x->owner;
    if (p->member)
        page_member_answer_behind(p, false);
    else if (page_pipe_open(&p->out))
        io_resume(&p->out.io);
}

/* The client broke off. A page that has its connection keeps it; one that has not may still be
 * coming, as after a goodbye; so may a direct client that has not been let in. */
static void on_abort(struct exchange *x)
{
    struct page *p = x->owner;
    p->x = NULL;
    page_grant_end(&p->grant);
    if (!list_empty(&p->connecting)) { /* the program's answer is for the next connection */
        timer_start(p->host->loop, &p->leave_timer, p->host->session_config->goodbye_timeout_ms);
        return;
    }
    if (p->state == PAGE_SPOOLING)
        page_set_state(p, PAGE_GONE);
    else if (p->kind == PAGE_ORDINARY && p->session && !p->session_done && p->answer->body)
        timer_start(p->host->loop, &p->leave_timer, p->host->session_config->goodbye_timeout_ms);
    else {
        page_end_session(p, CLOSE_NORMAL, SLICE_LITERAL("page-left"));
        page_let_go(p);
    }
    page_answer_drop(p);
    page_settle(p);
}

const struct exchange_ops page_exchange_ops = {on_body, on_body_end, on_writable, on_abort};
