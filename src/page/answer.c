/* SPDX-License-Identifier: MIT */
/* answer.c - what the program writes on stdout, as the answer of the exchange (RFC 3875, section
 * 6).
 *
 *   HEAD ──header block──> BODY ──end of stdout, or Content-Length reached──> no answer any more: what
 *    │                      │                                                  still comes is dropped
 *    │                      └── page_answer_fail, or the program is killed: the exchange breaks off
 *    └── time-out, bad block, end without one: page_answer_fail, the server's own answer
 *
 * An HTML page gets one element more, which names its session to scripts (docs/protocol.md, section
 * 6). Only a page has a session: an answer with another status than 2xx, or without content, ends
 * it and lets the program go once it is out.
 */
#include "page/answer.h"

#include "base/log.h"
#include "base/text.h"
#include "page/answer_cache.h"
#include "page/answer_failure.h"
#include "page/answer_head.h"
#include "page/host.h"
#include "page/subprotocol.h"
#include "page/waiting.h"
#include "proto/cgi_head.h"
#include "proto/close_code.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- begun ---- */

/* What has come of a header block that is not whole. */
static struct slice first_line(const struct page_answer *answer)
{
    struct slice head = slice_make(answer->head, answer->len);
    return answer->len > 0 ? slice_first(head, slice_find(head, '\n')) : SLICE_NONE;
}

static const char *const empty_line_missing =
    "end the headers with an empty line: `Content-Type: text/html; charset=utf-8`, then the empty "
    "line, then the page";

void page_answer_hurry(struct page *p)
{
    if (p->host->draining && p->x && page_answer_begun(p) && p->seat->ops->knows_no_drain)
        timer_start(p->host->spec.loop, &p->answer->timer,
                    p->host->spec.session_config->goodbye_timeout_ms);
}

static void on_standstill(struct page *p)
{
    if (exchange_queued(p->x) > 0) { /* its client is the slow one */
        page_answer_hurry(p);
        return;
    }
    page_answer_fail(p, 504, "its answer stands still, and the server stops");
    page_settle(p);
}

static void on_timeout(struct timer *timer)
{
    struct page *p = container_of(timer, struct page_answer, timer)->page;
    if (page_answer_begun(p)) {
        on_standstill(p);
        return;
    }
    struct slice line = first_line(p->answer);
    page_answer_fail_as(
        p, &(struct answer_failure){
               .status = 504,
               .why = "the program did not answer in time",
               .line = line,
               .hint = line.ptr ? empty_line_missing
                                : "print the headers and an empty line, and flush stdout",
           });
    page_settle(p);
}

bool page_answer_begin(struct page *p)
{
    if (!page_answer_make(p))
        return false;
    timer_init(&p->answer->timer, on_timeout);
    timer_start(p->host->spec.loop, &p->answer->timer, p->host->spec.config->answer_timeout_ms);
    return true;
}

void page_answer_prolong(struct page *p)
{
    if (p->answer && timer_active(&p->answer->timer))
        timer_start(p->host->spec.loop, &p->answer->timer, p->host->spec.config->answer_timeout_ms);
}

/* ---- the header block ---- */

/* A first line that is no header is most often the page itself. */
static void fail_head(struct page *p, const struct cgi_head *head)
{
    bool first = p->answer->head == head->wrong.ptr;
    page_answer_fail_as(p, &(struct answer_failure){
                               .status = 502,
                               .why = head->why,
                               .line = head->wrong,
                               .hint = first ? "print the headers first: `Content-Type: text/html; "
                                               "charset=utf-8`, then an empty line"
                                             : empty_line_missing,
                           });
}

static struct slice header_of(const struct cgi_head *head, struct slice name)
{
    for (size_t i = 0; i < head->header_count; i++) {
        if (slice_equal_nocase(head->headers[i].name, name))
            return head->headers[i].value;
    }
    return SLICE_NONE;
}

static struct slice essence_of(struct slice type)
{
    return slice_trim(slice_first(type, slice_find(type, ';')));
}

/* HTML in a coding whose ASCII is ASCII. */
static bool takes_element(const struct cgi_head *head)
{
    struct slice type = header_of(head, SLICE_LITERAL("content-type"));
    if (!slice_equal_nocase(essence_of(type), SLICE_LITERAL("text/html")))
        return false;
    for (size_t i = 0; i + 4 <= type.len; i++) {
        struct slice part = slice_make(type.ptr + i, 4);
        if (slice_equal_nocase(part, SLICE_LITERAL("utf-")) && i + 4 < type.len &&
            type.ptr[i + 4] != '8')
            return false;
    }
    return header_of(head, SLICE_LITERAL("content-encoding")).ptr == NULL;
}

/* OPTIONS asks about a page, and gets none. */
static bool is_page_status(const struct page *p, const struct cgi_head *head)
{
    return head->status >= 200 && head->status < 300 && head->status != 204 &&
           head->status != 205 && !slice_equal(p->x->request->method, SLICE_LITERAL("OPTIONS"));
}

static bool is_page(const struct page *p, const struct cgi_head *head)
{
    return p->session && p->state < PAGE_ENDED && is_page_status(p, head);
}

/* The answer to a HEAD has the headers of a page, but for those that name a session: there is none.
 */
static bool resembles_page(const struct page *p, const struct cgi_head *head)
{
    return p->kind == PAGE_HEAD ? is_page_status(p, head) : is_page(p, head);
}

#define OWN_HEADERS 3
#define ELEMENT     "<meta name=\"httpsocket-session\" content=\"%.*s\"%s>"
#define ELEMENT_LEN (sizeof(ELEMENT) - 1 - strlen("%.*s%s") + SESSION_ID_LEN)

/* A page that answers a POST says so: its browser side must not have it posted again. */
static bool is_posted(const struct page *p)
{
    return slice_equal(p->x->request->method, SLICE_LITERAL("POST"));
}

static const char *element_more(const struct page *p)
{
    return is_posted(p) ? " data-method=\"POST\"" : "";
}

static size_t copy_headers(const struct cgi_head *head, struct http_header *out)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        if (!slice_equal_nocase(head->headers[i].name, SLICE_LITERAL("session-id")))
            out[count++] = head->headers[i];
    }
    return count;
}

/* Of the answer to GET. */
static uint64_t length_of(const struct page *p, const struct cgi_head *head)
{
    if (!head->has_length)
        return EXCHANGE_LENGTH_UNKNOWN;
    if (p->answer->splice.placed)
        return head->content_length;
    return head->content_length + ELEMENT_LEN + strlen(element_more(p));
}

/* A path is one of this server's (RFC 3875, 6.2.2), which the browser sees below the base; unless
 * the program has put it before the path, as SCRIPT_NAME has it. */
static bool lacks_base(struct slice location, struct slice base)
{
    if (!base.ptr || !slice_starts_with(location, SLICE_LITERAL("/")) ||
        slice_starts_with(location, SLICE_LITERAL("//")))
        return false;
    struct slice rest = slice_skip(location, base.len);
    return !slice_starts_with(location, base) ||
           (rest.len > 0 && strchr("/?#", rest.ptr[0]) == NULL);
}

/* False without memory. `whole` is the caller's. */
static bool put_base(struct http_header *headers, size_t count, struct slice base,
                     struct text *whole)
{
    for (size_t i = 0; i < count; i++) {
        struct http_header *h = &headers[i];
        if (!slice_equal_nocase(h->name, SLICE_LITERAL("location")) || !lacks_base(h->value, base))
            continue;
        text_put(whole, base);
        text_put(whole, h->value);
        h->value = text_slice(whole);
    }
    return !whole->failed;
}

static void respond(struct page *p, const struct cgi_head *head, bool page)
{
    struct http_header headers[HTTP_HEADERS_MAX + OWN_HEADERS];
    size_t count = copy_headers(head, headers);
    struct text location = {0};
    char timing[64 + SESSION_ID_LEN];
    if (page) {
        struct slice id = session_id(p->session);
        p->told = true;
        int len = snprintf(timing, sizeof(timing), "session;desc=\"%.*s\"%s", SLICE_ARG(id),
                           is_posted(p) ? ", method;desc=\"POST\"" : "");
        headers[count++] = (struct http_header){SLICE_LITERAL("Session-ID"), id};
        headers[count++] =
            (struct http_header){SLICE_LITERAL("Server-Timing"), slice_make(timing, (size_t)len)};
    }
    if (resembles_page(p, head))
        count = answer_cache_private(page_file(p), headers, count);
    if (!put_base(headers, count, p->x->base, &location))
        log_error("program.location", log_slice("program", page_file(p)),
                  log_text("why", "no memory"));
    exchange_respond(p->x, head->status, head->reason, headers, count, length_of(p, head));
    text_done(&location);
}

/* ---- the body ---- */

static void put(void *arg, struct slice data)
{
    struct page *p = arg;
    if (!p->x)
        return; /* gone during an earlier piece */
    if (!exchange_write(p->x, data) && p->x)
        p->seat->ops->pause_answer(p->seat, true);
}

static void finish(struct page *p)
{
    const struct page_answer *answer = p->answer;
    if (p->kind != PAGE_HEAD && answer->has_length && answer->left > 0)
        log_warn("program.answer_short", page_cause(p), log_slice("program", page_file(p)),
                 log_text("session", p->mark), log_int("missing", answer->left));
    exchange_end(page_take_exchange(p));
    page_answer_drop(p);
}

/* What has come of it goes out. That it breaks off tells the client and caches that it is not whole
 * (RFC 9112, 8). */
static void break_off(struct page *p)
{
    log_warn("program.answer_short", page_cause(p), log_slice("program", page_file(p)),
             log_text("session", p->mark), log_text("why", "the program was killed"));
    p->host->counts.failed_answer++;
    exchange_fail(page_take_exchange(p));
    page_answer_drop(p);
}

static void note_excess(struct page *p)
{
    if (p->excess)
        return;
    p->excess = true;
    log_warn("program.answer_excess", page_cause(p), log_slice("program", page_file(p)),
             log_text("session", p->mark),
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
        finish(p);
    else
        page_answer_hurry(p);
}

/* Stdout is at its end: closed by the program, or by the program's end. One that was killed has not
 * said that its answer is whole. A status other than 0 says nothing of it: that of a shell script
 * is its last command's. */
static void end_body(struct page *p)
{
    struct page_answer *answer = p->answer;
    bool tells = !answer->any_end && !answer->has_length && p->seat->ops->fate;
    switch (tells ? p->seat->ops->fate(p->seat) : PROGRAM_WILLING) {
    case PROGRAM_WILLING:
        pass_body(p, SLICE_LITERAL(""), true);
        return;
    case PROGRAM_DYING:
        return;
    case PROGRAM_KILLED:
        page_splice_feed(&answer->splice, SLICE_LITERAL(""), true, slice_of(answer->element), put,
                         p);
        if (p->x)
            break_off(p);
        return;
    }
}

/* ---- both ---- */

/* There is no body; or it is a stream of events, which has no end (its client comes back). */
static bool is_any_end(const struct cgi_head *head)
{
    struct slice type = header_of(head, SLICE_LITERAL("content-type"));
    return head->status == 204 || head->status == 304 ||
           slice_equal_nocase(essence_of(type), SLICE_LITERAL("text/event-stream"));
}

static void begin_body(struct page *p, const struct cgi_head *head)
{
    struct page_answer *answer = p->answer;
    bool page = is_page(p, head);
    answer->part = ANSWER_BODY;
    answer->has_length = head->has_length;
    answer->left = head->content_length;
    answer->any_end = is_any_end(head);
    answer->splice.placed = !resembles_page(p, head) || !takes_element(head);
    if (page)
        snprintf(answer->element, sizeof(answer->element), ELEMENT,
                 SLICE_ARG(session_id(p->session)), element_more(p));
    respond(p, head, page);
    if (page)
        return;
    page_end(p, CLOSE_NORMAL, SLICE_LITERAL("no-page"));
    page_let_go(p);
}

void page_answer_accept(struct page *p, const struct cgi_head *head)
{
    struct page_refusal late = {CLOSE_GATEWAY_TIMEOUT, SLICE_LITERAL("program-timeout"), 0, NULL};
    if (p->kind == PAGE_DIRECT && p->state >= PAGE_ENDED)
        page_turn_away(p, &late);
    else
        page_admit(p, head);
    page_answer_drop(p);
}

static void decide(struct page *p, const struct cgi_head *head)
{
    struct page_refusal refusal = page_refusal_of(head);
    const char *why = NULL;
    if (head->status >= 200 && head->status <= 299) {
        if (p->kind == PAGE_PLAIN && p->x)
            why = page_subprotocol_judge(p->x->request, head);
        if (why)
            page_answer_fail(p, 502, why);
        else
            page_answer_accept(p, head);
        return;
    }
    page_turn_away(p, &refusal);
    page_answer_drop(p);
}

static void note_left_out(const struct page *p, const struct cgi_head *head)
{
    if (head->left_out.ptr)
        log_warn("program.header_left_out", log_slice("program", page_file(p)),
                 log_text("session", p->mark), log_slice("header", head->left_out),
                 log_text("why", "it is about the connection, which is the server's"));
}

/* `rest`: what has come behind it. */
static void head_done(struct page *p, const struct cgi_head *head, struct slice rest)
{
    struct page_answer *answer = p->answer;
    timer_stop(&answer->timer);
    note_left_out(p, head);
    if (page_waits(p)) {
        if (rest.len > 0)
            note_excess(p);
        decide(p, head);
        return;
    }
    begin_body(p, head);
    if (p->kind == PAGE_HEAD)
        finish(p);
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
    if (!page_answer_gather(answer, data)) {
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
        fail_head(p, &head);
        return;
    case PARSE_OK:
        if (head.status < 200)
            page_answer_fail(p, 502, "the program's status is below 200");
        else
            head_done(p, &head, slice_skip(slice_make(answer->head, answer->len), head.size));
        return;
    }
}

void page_answer_take_head(struct page *p, const struct cgi_head *head)
{
    if (page_answer_unbegun(p))
        head_done(p, head, SLICE_NONE);
}

void page_answer_take(struct page *p, struct slice data)
{
    if (!p->answer) {
        if (p->kind != PAGE_HEAD)
            note_excess(p);
        return;
    }
    if (p->answer->part == ANSWER_BODY)
        pass_body(p, data, false);
    else
        gather_head(p, data);
}

void page_answer_end(struct page *p)
{
    if (!p->answer)
        return;
    p->answer->ended = true;
    page_answer_settle(p);
}

static void fail_unanswered(struct page *p)
{
    struct slice line = first_line(p->answer);
    page_answer_fail_as(p, &(struct answer_failure){
                               .status = 502,
                               .why = "the program ended without an answer",
                               .line = line,
                               .hint = line.ptr ? empty_line_missing : NULL,
                           });
}

/* A watcher shows the stderr of a program that failed: its last line is waited for. */
static bool awaits_last_words(const struct page *p)
{
    return p->host->spec.watcher && p->x && p->kind == PAGE_ORDINARY &&
           !p->seat->ops->silent(p->seat);
}

void page_answer_settle(struct page *p)
{
    if (!p->answer || !p->answer->ended)
        return;
    if (p->answer->part == ANSWER_BODY)
        end_body(p);
    else if (!awaits_last_words(p))
        fail_unanswered(p);
}
