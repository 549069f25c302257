/* SPDX-License-Identifier: MIT */
/* member.c - one page of a shared program: everything that a page has but a process. Its lines on
 * the descriptor 3 that it shares are led by `@SESSION `.
 *
 *   made ──page_member_join: `.join`──> RUNNING ──let go, and its answer is complete: `.leave`──> GONE
 *
 * Who is slower: a page that takes no more is said to be `.full`, and `.ready` when it goes on; what
 * is written in spite of that is kept for it, up to shared_page_max, and then its session ends. The
 * process is never made to wait for one page, since all the others would wait too.
 */
#include "page/shared.h"

#include "base/base64url.h"
#include "base/log.h"
#include "base/utf8.h"
#include "page/answer.h"
#include "page/dev.h"
#include "page/events.h"
#include "page/member.h"
#include "page/streams.h"
#include "page/wire.h"
#include "proto/close_code.h"

#include <errno.h>
#include <stdlib.h>

#define OVERFLOW "program-failed reason=overflow"

struct page *page_member_process(const struct page *p)
{
    return p->member->process;
}

/* ---- to the process ---- */

bool page_member_open(const struct page *p)
{
    struct page *process = page_member_process(p);
    return process && page_events_open(process);
}

void page_member_write(struct page *p, const struct slice *pieces, int count)
{
    struct iovec vec[12] = {{(void *)"@", 1}, {p->member->id, SESSION_ID_LEN}, {(void *)" ", 1}};
    if (!page_member_open(p))
        return;
    for (int i = 0; i < count; i++)
        vec[i + 3] = (struct iovec){(void *)pieces[i].ptr, pieces[i].len};
    struct page *process = page_member_process(p);
    io_write(&process->events.io, vec, count + 3);
    if (io_queued(&process->events.io) > IO_CORKED_MAX)
        page_shared_await(process, p->member);
}

static void say(struct page *p, const char *line)
{
    page_member_write(p, &(struct slice){line, strlen(line)}, 1);
}

void page_member_body(struct page *p, struct slice data)
{
    struct message_line line;
    struct message m = {
        .kind = MESSAGE_CONTROL, .binary = true, .head = SLICE_LITERAL(".body"), .body = data};
    message_line_head(&m, &line);
    page_member_write(
        p, (struct slice[]){slice_make(line.before, line.before_len), data, SLICE_LITERAL("\n")},
        3);
    if (page_events_crowded(p))
        exchange_pause(p->x);
}

void page_member_body_end(struct page *p)
{
    if (p->x->request->body != HTTP_BODY_NONE)
        say(p, ".body\n");
}

/* ---- joining ---- */

/* As a session's id, which it is if there is a session. */
static int name(struct page_member *m)
{
    struct page *p = m->page;
    if (p->session) {
        memcpy(m->id, session_id(p->session).ptr, SESSION_ID_LEN);
        return 0;
    }
    return base64url_draw(m->id, sizeof m->id);
}

static int say_join(struct page *p)
{
    struct text line = {0};
    text_put(&line, SLICE_LITERAL(".join "));
    page_member_describe(p, &line);
    text_put(&line, SLICE_LITERAL("\n"));
    if (!line.failed)
        page_member_write(p, &(struct slice){line.ptr, line.len}, 1);
    text_done(&line);
    return line.failed ? -ENOMEM : 0;
}

static void undo(struct page *p)
{
    struct page *process = p->member->process;
    p->member->process = NULL;
    page_shared_remove(process, p->member);
    page_answer_free(p);
    page_abort_session(p, CLOSE_PROGRAM_FAILED, SLICE_LITERAL("program-failed"));
}

int page_member_join(struct page *p)
{
    struct page_member *m = p->member;
    int error = page_make_session(p);
    if (!error)
        error = name(m);
    if (!error && (!page_answer_begin(p) || !page_shared_add(m->process, m)))
        error = -ENOMEM;
    if (!error)
        error = say_join(p);
    if (error) {
        undo(p);
        return error;
    }
    page_set_state(p, PAGE_RUNNING);
    page_dev_begin(p);
    timer_start(p->host->loop, &p->answer_timer, p->host->config->answer_timeout_ms);
    p->process.pid = m->process->process.pid; /* for the log */
    log_info("program.joined", log_quoted("program", p->file), log_int("pid", p->process.pid),
             log_text("session", p->mark), log_text("client", p->address));
    return 0;
}

/* ---- leaving ---- */

void page_member_note_reason(struct page *p, struct slice reason)
{
    struct slice token = utf8_first(reason, MEMBER_REASON_MAX);
    if (*p->member->reason == '\0')
        memcpy(p->member->reason, token.ptr, token.len);
}

static void say_leave(struct page *p)
{
    char quoted[6 * MEMBER_REASON_MAX + 2];
    struct page_member *m = p->member;
    struct slice reason = *m->reason ? slice_of(m->reason) : SLICE_LITERAL("left");
    struct slice pieces[] = {SLICE_LITERAL(".leave {\"reason\":"),
                             slice_make(quoted, json_quote(reason, quoted)), SLICE_LITERAL("}\n")};
    page_member_write(p, pieces, 3);
}

static void leave(struct page *p)
{
    struct page *process = page_member_process(p);
    if (!process)
        return;
    say_leave(p);
    p->member->process = NULL;
    page_shared_remove(process, p->member);
    quota_release(p->host->quota, &p->member->hold);
}

void page_member_advance(struct page *p)
{
    if (p->state != PAGE_RUNNING || !p->let_go || !page_answered(p))
        return;
    leave(p);
    page_set_state(p, PAGE_GONE);
}

void page_member_orphan(struct page_member *m)
{
    struct page *p = m->page;
    if (p->x && p->answer)
        page_answer_fail(p, 502, "the program ended before its answer did");
    page_let_go(p);
    leave(p);
    page_settle(p);
}

/* ---- from the process ---- */

static bool takes_more(const struct page *p)
{
    if (p->member->answer_behind || p->streams.held > 0)
        return false;
    if (p->plain)
        return page_plain_writable(p);
    return !p->session || p->session_done || session_writable(p->session);
}

static void look(struct page *p)
{
    bool full = !takes_more(p);
    if (full == p->member->full || p->state != PAGE_RUNNING)
        return;
    p->member->full = full;
    say(p, full ? ".full\n" : ".ready\n");
}

void page_member_answer_behind(struct page *p, bool behind)
{
    p->member->answer_behind = behind;
    p->member->answer_bytes = 0;
    look(p);
}

void page_member_resume(struct page *p)
{
    struct page *process = page_member_process(p);
    look(p);
    if (process)
        page_shared_resume(process);
}

size_t page_member_backlog(const struct page_member *m)
{
    const struct page *p = m->page;
    size_t bytes = m->answer_bytes + page_streams_held(p);
    if (p->plain)
        bytes += ws_peer_queued(p->plain);
    if (p->session)
        bytes += session_unacknowledged(p->session);
    return bytes;
}

void page_member_overflow(struct page_member *m)
{
    struct page *p = m->page;
    p->host->counts.shared_overflows++;
    log_warn("program.overflow", log_quoted("program", p->file), log_int("pid", p->process.pid),
             log_text("session", p->mark), log_int("bytes", page_member_backlog(m)),
             log_text("why", "the program went on writing to a page that was .full"));
    page_abort_session(p, CLOSE_PROGRAM_FAILED, SLICE_LITERAL(OVERFLOW));
    if (p->x && p->answer)
        page_answer_fail(p, 502, "the program's answer came faster than it was taken");
    page_let_go(p);
    page_settle(p);
}

void page_member_deliver(struct page_member *m, const struct message *message)
{
    struct page *p = m->page;
    bool answers =
        message->kind == MESSAGE_CONTROL && slice_equal(message->name, SLICE_LITERAL("answer"));
    if (!answers && page_events_over(p))
        return; /* it was on its way when the session ended */
    if (m->full && page_member_backlog(m) >= p->host->config->shared_page_max)
        page_member_overflow(m);
    else if (!answers && p->kind == PAGE_PLAIN && page_events_wait(p))
        page_events_fail(p, "it comes before the client is let in", message->head);
    else
        page_events_deliver(p, message);
    if (!takes_more(p))
        look(p);
    page_settle(p);
}

/* ---- its answer ---- */

static void feed(struct page *p, struct slice data)
{
    if (p->member->answer_behind)
        p->member->answer_bytes += data.len;
    if (data.len > 0)
        page_answer_take(p, data);
}

static void feed_string(struct page *p, const struct message *m)
{
    char *text = malloc(m->body.len);
    size_t len;
    if (!text)
        page_answer_fail(p, 503, "out of memory");
    else if (json_unquote(m->body, text, &len))
        feed(p, slice_make(text, len));
    else
        page_command_refuse(p, m, "expected .answer with a string or bytes");
    free(text);
}

/* Nothing at all lets a client in that waits; a page needs its header block. */
static void finish(struct page *p)
{
    if (page_events_wait(p) && page_answer_unbegun(p)) {
        timer_stop(&p->answer_timer);
        page_answer_free(p);
        page_direct_accept(p);
    } else if (p->answer) {
        page_answer_close(p);
    }
}

void page_member_answer(struct page *p, const struct message *m)
{
    if (!p->member)
        page_command_refuse(p, m, "only a shared program answers on descriptor 3");
    else if (m->binary)
        feed(p, m->body);
    else if (m->body.len > 0)
        feed_string(p, m);
    else
        finish(p);
}
