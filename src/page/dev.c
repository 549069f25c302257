/* SPDX-License-Identifier: MIT */
/* dev.c - a page in dev mode: its developer sees the program's stderr in it, how the program failed,
 * and after a change of the files the new page (docs/protocol.md, section 4).
 *
 * What the page is told is not numbered: the last DEV_LINES lines are kept until a page is there,
 * and what was on its way when a connection broke is lost.
 */
#include "page/parts.h"

#include "base/log.h"
#include "page/dev.h"
#include "page/dev_files.h"
#include "page/json_text.h"
#include "page/member.h"
#include "proto/close_code.h"

#include <stdio.h>
#include <stdlib.h>

#define DEV_LINES    100
#define DEV_LINE_MAX 240 /* bytes */
#define REASON_MAX   128

struct page_dev {
    struct dev_file file;
    struct page *page;
    char version[PAGE_DEV_VERSION_MAX]; /* of the program's file when it was started */
    bool reload;                        /* has not been told yet */
    bool stale;                         /* the program is not what its file says */
    char changed[NAME_MAX + 1];
    char failed[REASON_MAX]; /* empty: it has not, or it was told */
    uint64_t lines, told;    /* so many in all, and so many of them told or given up */
    size_t lens[DEV_LINES];
    char texts[DEV_LINES][DEV_LINE_MAX];
};

/* ---- saying it ---- */

/* `.WORD {"KEY":"TEXT","version":…}`. False: nobody is there to hear it. */
static bool tell(struct page *p, const char *word, const char *key, struct slice text)
{
    struct text message = {0};
    text_printf(&message, ".%s {\"%s\":", word, key);
    json_text_put(&message, slice_first(text, DEV_LINE_MAX));
    text_printf(&message, ",\"version\":\"%s\"}", p->dev->version);
    bool told = !message.failed && session_tell(p->session, text_slice(&message));
    text_done(&message);
    return told;
}

static struct slice line_at(const struct page_dev *dev, uint64_t number)
{
    return slice_make(dev->texts[number % DEV_LINES], dev->lens[number % DEV_LINES]);
}

static uint64_t first_kept(const struct page_dev *dev)
{
    return dev->lines > DEV_LINES ? dev->lines - DEV_LINES : 0;
}

static void tell_lines(struct page *p)
{
    struct page_dev *dev = p->dev;
    uint64_t first = first_kept(dev);
    if (dev->told < first) {
        char text[80];
        int len = snprintf(text, sizeof text, "(%llu lines left out: the server's log has them)",
                           (unsigned long long)(first - dev->told));
        if (!tell(p, "stderr", "text", slice_make(text, (size_t)len)))
            return;
        dev->told = first;
    }
    while (dev->told < dev->lines && tell(p, "stderr", "text", line_at(dev, dev->told)))
        dev->told++;
}

static void tell_member(struct page *member, void *arg)
{
    (void)arg;
    page_dev_tell(member);
}

void page_dev_tell(struct page *p)
{
    struct page_dev *dev = p->dev;
    if (dev && p->shared)
        page_shared_each(p, tell_member, NULL);
    if (!dev || !p->session)
        return;
    tell_lines(p);
    if (*dev->failed && tell(p, "failed", "reason", slice_of(dev->failed)))
        *dev->failed = '\0';
    if (dev->reload && tell(p, "reload", "file", slice_of(dev->changed)))
        dev->reload = false;
}

/* ---- what happens ---- */

static void line_for_member(struct page *member, void *arg)
{
    page_dev_line(member, *(const struct slice *)arg);
}

void page_dev_line(struct page *p, struct slice line)
{
    struct page_dev *dev = p->dev;
    if (!dev)
        return;
    if (p->shared)
        page_shared_each(p, line_for_member, &line);
    line = slice_first(line, DEV_LINE_MAX);
    memcpy(dev->texts[dev->lines % DEV_LINES], line.ptr, line.len);
    dev->lens[dev->lines % DEV_LINES] = line.len;
    dev->lines++;
}

void page_dev_protocol_error(struct page *p, const char *why, struct slice line)
{
    char text[DEV_LINE_MAX];
    if (!p->dev)
        return;
    int len = snprintf(text, sizeof text, "(descriptor 3: %s: %.*s)", why,
                       SLICE_ARG(slice_first(line, 80)));
    page_dev_line(p, slice_make(text, len < DEV_LINE_MAX ? (size_t)len : DEV_LINE_MAX - 1));
}

void page_dev_ended(struct page *p, unsigned code, struct slice reason)
{
    struct page_dev *dev = p->dev;
    if (!dev || code != CLOSE_PROGRAM_FAILED)
        return;
    snprintf(dev->failed, sizeof dev->failed, "%.*s", SLICE_ARG(reason));
    page_dev_tell(p);
}

static void end_stale(struct page *p)
{
    page_end_session(p, CLOSE_NORMAL, SLICE_LITERAL("file-changed"));
    page_let_go(p);
}

/* A page that is still loading hears of it when it is there. */
static void on_change(struct dev_file *file, enum dev_change change)
{
    struct page_dev *dev = container_of(file, struct page_dev, file);
    struct page *p = dev->page;
    if (p->session_done)
        return;
    log_info("dev.changed", log_quoted("program", p->file), log_int("pid", p->process.pid),
             log_text("session", p->mark), log_quoted("file", slice_of(file->changed)));
    memcpy(dev->changed, file->changed, sizeof dev->changed);
    dev->reload = true;
    dev->stale |= change == DEV_CODE;
    page_dev_tell(p);
    if (dev->stale && p->shared)
        page_shared_retire(p);
    else if (dev->stale && (p->plain || (p->session && session_attached(p->session))))
        end_stale(p);
    page_settle(p);
}

void page_dev_attached(struct page *p)
{
    if (p->dev && p->dev->stale)
        end_stale(p);
}

/* ---- its life ---- */

void page_dev_begin(struct page *p)
{
    if (!p->host->config->dev)
        return;
    p->dev = calloc(1, sizeof *p->dev);
    if (!p->dev)
        return;
    p->dev->page = p;
    page_dev_version(p->file.ptr, p->dev->version);
    dev_file_watch(p->host->dev_files, &p->dev->file, p->file.ptr, on_change);
}

void page_dev_end(struct page *p)
{
    if (!p->dev)
        return;
    dev_file_unwatch(&p->dev->file);
    free(p->dev);
    p->dev = NULL;
}

bool page_dev_holds(const struct page *p)
{
    return p->dev && p->state == PAGE_GONE && page_pipe_open(&p->err);
}

bool page_dev_holds_answer(const struct page *p)
{
    return p->dev && p->x && p->kind == PAGE_ORDINARY &&
           (p->state != PAGE_GONE || page_pipe_open(&p->err));
}

/* ---- the answer of a program that gave none ---- */

static void put_html(struct text *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '<':
            text_put(out, SLICE_LITERAL("&lt;"));
            break;
        case '&':
            text_put(out, SLICE_LITERAL("&amp;"));
            break;
        default:
            text_put(out, slice_make(text.ptr + i, 1));
        }
    }
}

static const char *const answer_head =
    "<!doctype html>\n<meta charset=\"utf-8\">\n<title>The program failed</title>\n"
    "<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 2em }\n"
    "pre { background: #1d2127; color: #f1f1ee; padding: 1em; white-space: pre-wrap }</style>\n";

/* Asks until the file has changed: dev_wait.c. */
static const char *const answer_script =
    "\n<script>\n"
    "const again = () => fetch(location, { cache: 'no-store', headers:\n"
    "  { Accept: 'application/httpsocket-change', 'If-None-Match': '%s' } }).then(answered, "
    "later);\n"
    "const later = () => setTimeout(again, 1000);\n"
    "const answered = ({ ok, status }) => ok ? location.reload() : status !== 502 && later();\n"
    "again();\n"
    "</script>\n";

static void put_page(struct page *p, const char *why, struct text *out)
{
    char reason[64];
    const struct page_dev *dev = p->dev;
    text_put(out, slice_of(answer_head));
    text_printf(out, "<h1>%s</h1>\n<p><code>", why);
    put_html(out, dev->file.name ? slice_of(dev->file.name) : p->file);
    text_put(out, SLICE_LITERAL("</code>"));
    if (p->exited)
        text_printf(out, ": %.*s", SLICE_ARG(page_exit_reason(p, reason)));
    text_put(out, SLICE_LITERAL("\n<p>This page loads again when the file changes.\n<pre>"));
    for (uint64_t i = first_kept(dev); i < dev->lines; i++) {
        put_html(out, line_at(dev, i));
        text_put(out, SLICE_LITERAL("\n"));
    }
    text_put(out, SLICE_LITERAL("</pre>"));
    text_printf(out, answer_script, dev->version);
}

void page_dev_answer(struct page *p, struct exchange *x, int status, const char *why)
{
    struct text page = {0};
    struct http_header headers[] = {
        {SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/html; charset=utf-8")},
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
    };
    put_page(p, why, &page);
    if (page.failed) {
        exchange_answer(x, status, slice_of(why), NULL, 0);
    } else {
        exchange_respond(x, status, SLICE_NONE, headers, 2, page.len);
        exchange_write(x, text_slice(&page));
        exchange_end(x);
    }
    text_done(&page);
}
