/* SPDX-License-Identifier: MIT */
#include "page/answer_failure.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/answer_head.h"
#include "page/host.h"
#include "page/waiting.h"
#include "proto/close_code.h"

#include <stdio.h>

static struct slice token_of(int status)
{
    return status == 504   ? SLICE_LITERAL("program-timeout")
           : status == 503 ? SLICE_LITERAL("overload")
                           : SLICE_LITERAL("program-answer");
}

static void answer_instead(struct page *p, int status, const char *why)
{
    struct page_watcher *watcher = p->host->spec.watcher;
    struct exchange *x = page_take_exchange(p);
    unsigned code;
    char text[64];
    struct slice end = SLICE_NONE;
    if (!watcher) {
        exchange_answer(x, status, slice_of(why), NULL, 0);
        return;
    }
    p->seat->ops->ended(p->seat, &code, text, &end);
    watcher->ops->on_no_answer(watcher, p, x, status, why, end);
}

static void log_failure(const struct page *p, const struct answer_failure *f)
{
    if (LOG_ERROR < log_threshold)
        return;
    struct log_field fields[] = {
        page_cause(p),
        log_slice("program", page_file(p)),
        log_int("pid", page_pid(p)),
        log_text("session", p->mark),
        log_int("status", f->status),
        log_text("why", f->why),
        {0},
        {0},
        {0},
    };
    size_t count = 6;
    if (f->line.ptr)
        fields[count++] = log_slice("line", f->line);
    if (f->hint)
        fields[count++] = log_text("hint", f->hint);
    log_write(LOG_ERROR, "program.answer_failed", fields);
}

static void show_watcher(struct page *p, const char *label, struct slice text)
{
    char line[256];
    struct page_watcher *watcher = p->host->spec.watcher;
    if (!watcher || !text.ptr)
        return;
    int len = snprintf(line, sizeof(line), "%s: %.*s", label,
                       (int)slice_first(text, sizeof(line) / 2).len, text.ptr);
    watcher->ops->on_line(watcher, p, slice_make(line, (size_t)len));
}

void page_answer_fail_as(struct page *p, const struct answer_failure *f)
{
    p->host->counts.failed_answer++;
    log_failure(p, f);
    show_watcher(p, "the line", f->line);
    show_watcher(p, "what to do", f->hint ? slice_of(f->hint) : SLICE_NONE);
    unsigned code = close_code_of_status(f->status);
    bool begun = page_answer_begun(p);
    if (page_waits(p))
        page_turn_away(p, &(struct page_refusal){code, token_of(f->status), 0, NULL});
    else if (p->x && begun)
        exchange_fail(page_take_exchange(p));
    else if (p->x)
        answer_instead(p, f->status, f->why);
    page_answer_drop(p);
    page_end(p, code, token_of(f->status));
    page_let_go(p);
}

void page_answer_fail(struct page *p, int status, const char *why)
{
    page_answer_fail_as(p, &(struct answer_failure){.status = status, .why = why});
}

void page_answer_fault(struct page *p)
{
    page_fault(p);
    if (p->x && p->answer)
        page_answer_fail(p, 503, "the server could not go on with the program");
}
