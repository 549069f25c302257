/* SPDX-License-Identifier: MIT */
/* dev.c - a page in dev mode: its developer sees the program's stderr in it, how the program
 * failed, and after a change of the files the new page (docs/protocol.md, section 4).
 *
 * What the page is told is not numbered: the last DEV_LINES lines are kept until a page is there,
 * and what was on its way when a connection broke is lost.
 */
#include "dev/dev.h"

#include "base/log.h"
#include "dev/console.h"
#include "dev/parts.h"
#include "program/shared.h"
#include "proto/close_code.h"
#include "proto/json_text.h"

#include <stdio.h>
#include <stdlib.h>

static struct dev *dev_of(struct page_watcher *w)
{
    return container_of(w, struct dev, page_watcher);
}

static struct dev *dev_of_program(const struct program_watcher *w)
{
    return container_of(w, struct dev, program_watcher);
}

/* ---- telling the page ---- */

/* `.WORD {"KEY":"TEXT","version":…}`. False: nobody is there to hear it. */
static bool tell(struct dev_page *d, const char *word, const char *key, struct slice text)
{
    struct text message = {0};
    text_printf(&message, ".%s {\"%s\":", word, key);
    json_text_put(&message, slice_first(text, DEV_LINE_MAX));
    text_printf(&message, ",\"version\":\"%s\"}", d->version);
    bool told = !message.failed && page_tell(d->page, text_slice(&message));
    text_done(&message);
    return told;
}

static void tell_lines(struct dev_page *d)
{
    uint64_t first = dev_first_line(d);
    if (d->told < first) {
        char text[80];
        int len = snprintf(text, sizeof(text), "(%llu lines left out: the server's log has them)",
                           (unsigned long long)(first - d->told));
        if (!tell(d, "stderr", "text", slice_make(text, (size_t)len)))
            return;
        d->told = first;
    }
    while (d->told < d->lines && tell(d, "stderr", "text", dev_line_at(d, d->told)))
        d->told++;
}

/* What it has not been told yet. */
static void tell_all(struct dev_page *d)
{
    tell_lines(d);
    if (*d->failed && tell(d, "failed", "reason", slice_of(d->failed)))
        *d->failed = '\0';
    if (d->reload && tell(d, "reload", "file", slice_of(d->changed)))
        d->reload = false;
}

static void on_tell(struct timer *timer)
{
    tell_all(container_of(timer, struct dev_page, tell_timer));
}

/* ---- a file changes ---- */

static void stop_stale(struct page *p)
{
    page_stop(p, CLOSE_NORMAL, SLICE_LITERAL("file-changed"));
}

/* A page that is still loading hears of it when it is there. */
static void on_page_change(struct dev_file *file, enum dev_change change)
{
    struct dev_page *d = container_of(file, struct dev_page, file);
    struct page *p = d->page;
    if (page_has_ended(p))
        return;
    log_info("dev.changed", log_slice("program", page_file(p)), log_int("pid", page_pid(p)),
             log_text("session", page_mark(p)), log_slice("file", slice_of(file->changed)));
    memcpy(d->changed, file->changed, sizeof(d->changed));
    d->reload = true;
    d->stale |= change == DEV_CODE;
    tell_all(d);
    if (d->stale && page_present(p))
        stop_stale(p);
    page_settle(p);
}

/* ---- a page ---- */

static void on_begin(struct page_watcher *w, struct page *p)
{
    struct dev *dev = dev_of(w);
    struct dev_page *d = calloc(1, sizeof(*d));
    if (dev->console)
        console_begin(dev->console);
    if (!d)
        return;
    *page_watched(p) = d;
    d->page = p;
    timer_init(&d->tell_timer, on_tell);
    dev_version(page_file(p).ptr, d->version);
    dev_file_watch(dev->files, &d->file, page_file(p).ptr, on_page_change);
}

static void on_over(struct page_watcher *w, struct page *p)
{
    struct dev_page *d = dev_page_of(p);
    (void)w;
    if (!d)
        return;
    *page_watched(p) = NULL;
    timer_stop(&d->tell_timer);
    dev_file_unwatch(&d->file);
    free(d);
}

static void on_line(struct page_watcher *w, struct page *p, struct slice line)
{
    struct dev_page *d = dev_page_of(p);
    if (!d)
        return;
    line = slice_first(line, DEV_LINE_MAX);
    memcpy(d->texts[d->lines % DEV_LINES], line.ptr, line.len);
    d->lens[d->lines % DEV_LINES] = line.len;
    d->lines++;
    if (!timer_active(&d->tell_timer)) /* a flood is cut to what is kept */
        timer_start(dev_of(w)->loop, &d->tell_timer, 0);
}

static void on_message(struct page_watcher *w, struct page *p, bool from_program,
                       const struct message *m)
{
    console_message(dev_of(w)->console, p, from_program, m);
}

static void on_event(struct page_watcher *w, struct page *p, enum page_event event,
                     struct slice text)
{
    struct console *console = dev_of(w)->console;
    struct dev_page *d = dev_page_of(p);
    switch (event) {
    case PAGE_CONNECTED:
    case PAGE_RESUMED:
        console_note(console, p, event == PAGE_RESUMED ? "resumed" : "connected", text);
        if (d && d->stale) /* the program has changed in the meantime */
            stop_stale(p);
        return;
    case PAGE_DISCONNECTED:
        console_note(console, p, "disconnected", text);
        return;
    case PAGE_GREETED:
        if (d)
            tell_all(d);
        return;
    }
}

static void on_end(struct page_watcher *w, struct page *p, unsigned code, struct slice reason)
{
    struct dev_page *d = dev_page_of(p);
    if (d && code == CLOSE_PROGRAM_FAILED)
        snprintf(d->failed, sizeof(d->failed), "%.*s", SLICE_ARG(reason));
    if (d)
        tell_all(d);
    console_note(dev_of(w)->console, p, "ended", reason);
}

static void on_no_answer(struct page_watcher *w, struct page *p, struct exchange *x, int status,
                         const char *why, struct slice end)
{
    (void)w;
    dev_answer_failure(p, dev_page_of(p), x, status, why, end);
}

static bool admits(struct page_watcher *w, struct page *p)
{
    const struct dev_page *d = dev_page_of(p);
    return !d || loop_now_ms(dev_of(w)->loop) >= d->cut_until_ms;
}

static void on_wire(struct page_watcher *w, struct page *p, struct page_wire *wire)
{
    const struct dev_page *d = dev_page_of(p);
    if (d && d->latency_ms > 0)
        fault_delay(dev_of(w)->loop, wire, d->latency_ms);
}

static const struct page_watcher_ops page_ops = {
    .on_begin = on_begin,
    .on_over = on_over,
    .on_line = on_line,
    .on_message = on_message,
    .on_event = on_event,
    .on_end = on_end,
    .on_no_answer = on_no_answer,
    .admits = admits,
    .on_wire = on_wire,
};

/* ---- a program: one that has many pages may have none ---- */

struct dev_program {
    struct dev_file file;
    struct program *program;
};

static void on_program_change(struct dev_file *file, enum dev_change change)
{
    struct program *p = container_of(file, struct dev_program, file)->program;
    if (change == DEV_CODE && shared_of(p))
        shared_retire(shared_of(p));
}

static void on_program_start(const struct program_watcher *w, struct program *p)
{
    struct dev_program *d = calloc(1, sizeof(*d));
    if (!d)
        return;
    p->watched = d;
    d->program = p;
    dev_file_watch(dev_of_program(w)->files, &d->file, p->file.ptr, on_program_change);
}

static void on_program_stderr(const struct program_watcher *w, struct program *p, struct slice line)
{
    console_stderr(dev_of_program(w)->console, p, line);
}

static void on_program_over(const struct program_watcher *w, struct program *p)
{
    struct dev_program *d = p->watched;
    (void)w;
    if (!d)
        return;
    p->watched = NULL;
    dev_file_unwatch(&d->file);
    free(d);
}

/* ---- its life ---- */

struct dev *dev_new(struct loop *loop, struct hub *hub)
{
    struct dev *dev = calloc(1, sizeof(*dev));
    if (!dev)
        return NULL;
    *dev = (struct dev){
        .page_watcher = {&page_ops},
        .program_watcher = {on_program_start, on_program_stderr, on_program_over},
        .loop = loop,
        .hub = hub,
        .files = dev_files_new(loop),
    };
    list_init(&dev->waits);
    dev->console = console_new(dev);
    return dev;
}

void dev_free(struct dev *dev)
{
    if (!dev)
        return;
    console_free(dev->console);
    dev_files_free(dev->files);
    free(dev);
}

struct page_watcher *dev_page_watcher(struct dev *dev)
{
    return &dev->page_watcher;
}

const struct program_watcher *dev_program_watcher(struct dev *dev)
{
    return &dev->program_watcher;
}

void dev_own(struct dev *dev, struct page_host *pages, struct program_host *programs)
{
    dev->pages = pages;
    dev->programs = programs;
}

bool dev_console(struct dev *dev, struct exchange *x, struct slice name)
{
    return dev->console && console_request(dev->console, x, name);
}

void dev_drain(struct dev *dev)
{
    if (!dev)
        return;
    dev->draining = true;
    dev_waits_drop(dev);
    console_drop(dev->console);
}
