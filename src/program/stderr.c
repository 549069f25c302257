/* SPDX-License-Identifier: MIT */
/* stderr.c - what the program writes on stderr, line by line to the log.
 *
 * A long line becomes several, cut between characters. A program that floods its stderr waits: so
 * many bytes a second are read, and none while the log is crowded.
 */
#include "program/parts.h"

#include "base/log.h"

#include <stdlib.h>

#define STDERR_LINE_MAX   240 /* what a value in the log can be (base/log.c) */
#define STDERR_PER_SECOND (256 * 1024)
#define CROWDED_MS        20
#define CROWDED_LOOK      32 /* lines from one look at the log to the next */

static struct program *program_of(struct io *io)
{
    return container_of(io, struct program, err.io);
}

static void log_line(struct program *p, struct slice line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    const struct program_watcher *watcher = p->host->spec.watcher;
    log_info("program.stderr", log_slice("program", p->file), log_int("pid", p->pid),
             log_text("session", p->mark), log_slice("line", line));
    if (watcher)
        watcher->on_stderr(watcher, p, line);
    p->ops->on_stderr(p, line);
}

/* How many of these bytes make a line of their own: a whole number of characters if it is text. */
static size_t cut_length(struct slice text)
{
    size_t at = STDERR_LINE_MAX;
    while (at > STDERR_LINE_MAX - 4 && ((unsigned char)text.ptr[at] & 0xc0) == 0x80)
        at--;
    return at > STDERR_LINE_MAX - 4 ? at : STDERR_LINE_MAX;
}

/* Logs the whole lines, as long as the log is not crowded if `may_stop`. Returns their length. */
static size_t take_lines(struct program *p, struct slice text, bool may_stop)
{
    size_t at = 0;
    for (unsigned lines = 1;; lines++) {
        if (may_stop && lines % CROWDED_LOOK == 0 && log_is_crowded())
            return at;
        struct slice rest = slice_skip(text, at);
        size_t end = slice_find(rest, '\n');
        if (end > STDERR_LINE_MAX && rest.len > STDERR_LINE_MAX) {
            size_t len = cut_length(rest);
            log_line(p, slice_first(rest, len));
            at += len;
        } else if (end < rest.len) {
            log_line(p, slice_first(rest, end));
            at += end + 1;
        } else {
            return at;
        }
    }
}

/* The rest is shorter than a line. */
static void keep(struct program *p, struct slice rest)
{
    if (rest.len == 0) {
        free(p->err_line);
        p->err_line = NULL;
        p->err_len = 0;
        return;
    }
    if (!p->err_line)
        p->err_line = log_needed(malloc(2 * STDERR_LINE_MAX));
    if (!p->err_line) {
        log_line(p, rest);
        return;
    }
    memmove(p->err_line, rest.ptr, rest.len);
    p->err_len = rest.len;
}

/* Joins the kept beginning with as much of `data` as finishes it. */
static struct slice finish_kept(struct program *p, struct slice data)
{
    while (p->err_len > 0 && data.len > 0) {
        size_t end = slice_find(data, '\n');
        size_t wanted = end < data.len ? end + 1 : data.len;
        struct slice more = slice_first(slice_first(data, wanted), STDERR_LINE_MAX);
        memcpy(p->err_line + p->err_len, more.ptr, more.len);
        data = slice_skip(data, more.len);
        struct slice line = slice_make(p->err_line, p->err_len + more.len);
        keep(p, slice_skip(line, take_lines(p, line, false)));
    }
    return data;
}

static void pause_for(struct program *p, uint64_t ms)
{
    timer_start(p->host->spec.loop, &p->err_timer, ms);
    if (p->state != PROGRAM_GONE && pipe_is_open(&p->err))
        io_pause(&p->err.io);
}

static void spend(struct program *p, size_t bytes)
{
    if (!timer_active(&p->err_timer)) {
        p->err_budget = STDERR_PER_SECOND;
        timer_start(p->host->spec.loop, &p->err_timer, 1000);
    }
    p->err_budget -= bytes < p->err_budget ? bytes : p->err_budget;
    if (p->err_budget == 0 && p->state != PROGRAM_GONE && pipe_is_open(&p->err))
        io_pause(&p->err.io);
}

/* Logs what it can now, and remembers the rest. A program that has ended has nobody to wait. */
static void take(struct program *p, struct slice data, bool may_stop)
{
    data = finish_kept(p, data);
    data = slice_skip(data, take_lines(p, data, may_stop));
    if (data.len <= STDERR_LINE_MAX && slice_find(data, '\n') == data.len) {
        if (data.len > 0)
            keep(p, data);
        return;
    }
    text_put(&p->err_rest, data);
    if (p->err_rest.failed) {
        text_done(&p->err_rest);
        take(p, data, false);
        return;
    }
    pause_for(p, CROWDED_MS);
}

static void take_rest(struct program *p, bool may_stop)
{
    struct text rest = p->err_rest;
    p->err_rest = (struct text){0};
    if (rest.len > 0)
        take(p, text_slice(&rest), may_stop);
    text_done(&rest);
}

static void on_time(struct timer *timer)
{
    struct program *p = container_of(timer, struct program, err_timer);
    take_rest(p, true);
    if (p->err_rest.len == 0 && pipe_is_open(&p->err))
        io_resume(&p->err.io);
}

void program_stderr_hurry(struct program *p)
{
    take_rest(p, false);
    if (pipe_is_open(&p->err))
        io_resume(&p->err.io);
}

void program_stderr_keep(struct program *p, struct slice begin)
{
    keep(p, slice_first(begin, 2 * STDERR_LINE_MAX));
}

void program_stderr_init(struct program *p)
{
    timer_init(&p->err_timer, on_time);
}

static void on_recv(struct io *io, struct bytes bytes)
{
    struct program *p = program_of(io);
    struct slice data = pipe_take(&p->err, bytes);
    spend(p, data.len);
    take_rest(p, false); /* it was paused too late for these bytes */
    take(p, data, p->state != PROGRAM_GONE);
    if (pipe_at_end(&p->err))
        program_stderr_end(p);
    program_settle(p);
}

void program_stderr_end(struct program *p)
{
    if (!pipe_is_open(&p->err))
        return;
    pipe_close(&p->err);
    take_rest(p, false);
    if (p->err_len > 0)
        log_line(p, slice_make(p->err_line, p->err_len));
    keep(p, SLICE_NONE);
}

static void on_end(struct io *io, int error)
{
    (void)error;
    struct program *p = program_of(io);
    program_stderr_end(p);
    program_settle(p);
}

static void on_gone(struct io *io)
{
    struct program *p = program_of(io);
    p->err.state = PIPE_NONE;
    program_settle(p);
}

const struct io_ops program_stderr_io_ops = {on_recv, on_end, NULL, on_gone};
