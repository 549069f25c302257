/* SPDX-License-Identifier: MIT */
/* events.c - descriptor 3: the program's messages to its session or plain WebSocket, and theirs to
 * the program.
 *
 * While the other side takes no more, nothing is read, and the program's write blocks. The end of
 * the program lifts that: what it had written is at most what a socket holds.
 */
#include "page/parts.h"

#include "base/log.h"
#include "base/utf8.h"
#include "page/dev.h"
#include "page/events.h"
#include "page/member.h"
#include "page/streams.h"
#include "page/topics.h"
#include "page/wire.h"

#include <stdlib.h>

#define QUOTED_MAX 300

static struct page *page_of(struct io *io)
{
    return container_of(io, struct page, events.io);
}

/* ---- to the program ---- */

static void write_pieces(struct page *p, const struct slice *pieces, int count)
{
    struct iovec vec[8];
    if (p->stdio || !page_events_open(p))
        return;
    if (p->member) {
        page_member_write(p, pieces, count);
        return;
    }
    for (int i = 0; i < count; i++)
        vec[i] = (struct iovec){(void *)pieces[i].ptr, pieces[i].len};
    io_write(&p->events.io, vec, count);
}

bool page_events_open(const struct page *p)
{
    return !p->shut && (p->member ? page_member_open(p) : page_pipe_open(&p->events));
}

/* What goes to the program, or NULL. */
static const struct io *way_in(const struct page *p)
{
    const struct page *process = p->member ? page_member_process(p) : p;
    if (!process)
        return NULL;
    const struct page_pipe *pipe = process->stdio ? &process->in : &process->events;
    return page_pipe_open(pipe) ? &pipe->io : NULL;
}

size_t page_events_queued(const struct page *p)
{
    const struct io *io = way_in(p);
    return io ? io_queued(io) : 0;
}

void page_events_flush(struct page *p)
{
    struct io *io = (struct io *)way_in(p);
    if (io)
        io_flush(io);
}

bool page_events_crowded(const struct page *p)
{
    size_t max = p->host->config->out_max;
    return page_events_queued(p) > (max > IO_CORKED_MAX ? max : IO_CORKED_MAX);
}

void page_events_write(struct page *p, const struct message *m)
{
    struct message_line line;
    if (p->stdio) {
        page_stdio_write(p, m);
        return;
    }
    message_line_head(m, &line);
    struct slice pieces[] = {slice_make(line.before, line.before_len), m->body,
                             SLICE_LITERAL("\n")};
    write_pieces(p, pieces, 3);
}

void page_events_line(struct page *p, struct slice begin, struct slice rest,
                      struct shared_bytes *whole)
{
    struct slice pieces[] = {begin, rest};
    if (!whole)
        write_pieces(p, pieces, 2);
    else if (p->member) /* it has to be led by the session */
        write_pieces(p, &(struct slice){whole->bytes, whole->len}, 1);
    else if (!p->shut && page_pipe_open(&p->events))
        io_write_shared(&p->events.io, whole);
}

static struct slice quote(struct slice text, char out[6 * QUOTED_MAX + 2])
{
    if (!text.ptr)
        return SLICE_LITERAL("null");
    return slice_make(out, json_quote(utf8_first(text, QUOTED_MAX), out));
}

void page_events_attach(struct page *p, bool resumed)
{
    char origin[6 * QUOTED_MAX + 2], address[6 * QUOTED_MAX + 2];
    struct slice pieces[] = {
        SLICE_LITERAL(".attach {\"resumed\":"),
        resumed ? SLICE_LITERAL("true") : SLICE_LITERAL("false"),
        SLICE_LITERAL(",\"origin\":"),
        quote(p->origin, origin),
        SLICE_LITERAL(",\"address\":"),
        quote(slice_of(p->address), address),
        SLICE_LITERAL("}\n"),
    };
    write_pieces(p, pieces, 7);
}

void page_events_detach(struct page *p, struct slice reason)
{
    char text[6 * QUOTED_MAX + 2];
    struct slice pieces[] = {SLICE_LITERAL(".detach {\"reason\":"), quote(reason, text),
                             SLICE_LITERAL("}\n")};
    write_pieces(p, pieces, 3);
}

/* ---- from the program ---- */

/* Its client has not been accepted yet. */
bool page_events_wait(const struct page *p)
{
    bool by_handshake = p->kind == PAGE_DIRECT || p->kind == PAGE_PLAIN;
    return by_handshake && (p->x || !list_empty(&p->connecting));
}

bool page_events_over(const struct page *p)
{
    if (p->session_done || p->shared)
        return p->session_done;
    return !p->session && !p->plain && !page_events_wait(p);
}

static bool may_read(const struct page *p)
{
    if (page_events_over(p))
        return true;
    if (p->shared)
        return !page_shared_busy(p);
    if (page_events_wait(p))
        return !p->said; /* only to see whether it is `.shared` */
    if (page_topics_busy(p))
        return false;
    if (p->state == PAGE_GONE)
        return true;
    if (p->streams.held > 0)
        return false;
    return p->plain ? page_plain_writable(p) : session_writable(p->session);
}

/* Reads on, or not, as the other side wants it. */
static void steer(struct page *p)
{
    if (!page_pipe_open(&p->events))
        return;
    if (may_read(p))
        io_resume(&p->events.io);
    else
        io_pause(&p->events.io);
}

void page_events_shut(struct page *p)
{
    struct io *io = p->member ? NULL : (struct io *)way_in(p);
    if (!p->shut && io)
        io_shutdown(io);
    p->shut = true;
    steer(p);
}

void page_events_fail(struct page *p, const char *why, struct slice line)
{
    p->host->counts.protocol_errors++;
    log_error("program.protocol_error", log_quoted("program", p->file),
              log_int("pid", p->process.pid), log_text("session", p->mark), log_text("why", why),
              log_quoted("line", slice_first(line, 80)));
    page_dev_protocol_error(p, why, line);
    page_fail(p, SLICE_LITERAL("program-failed reason=protocol"));
}

void page_send(struct page *p, const struct message *m)
{
    if (p->plain)
        page_plain_send(p, m);
    else
        session_send(p->session, m);
}

void page_events_deliver(struct page *p, const struct message *m)
{
    page_console_from_program(p, m);
    if (m->kind == MESSAGE_CONTROL) {
        page_command(p, m);
        p->said = true;
        return;
    }
    p->said = true;
    p->spoke = true;
    if (m->kind == MESSAGE_COMMAND)
        page_command(p, m);
    else
        page_send(p, m);
}

/* The next message off `in`: passes it on, and says how much it was. */
static enum parse_status take_message(struct page *p, struct slice in, size_t *used)
{
    struct message m;
    size_t want;
    enum parse_status status =
        message_parse_line(in, p->line_seen, p->host->config->line_max, used, &want, &m);
    if (status == PARSE_MORE)
        return PARSE_MORE;
    if (page_events_wait(p) && (status == PARSE_BAD || !page_shared_is_command(&m))) {
        p->said = true; /* it is read when the client has been let in */
        *used = 0;
        return PARSE_OK;
    }
    if (status == PARSE_BAD)
        page_events_fail(p, m.why, slice_first(in, slice_find(in, '\n')));
    else
        page_events_deliver(p, &m);
    return status;
}

static const char *const too_long = "a line that is too long";

/* The same of a stdio program. */
static enum parse_status take_line(struct page *p, struct slice in, size_t *used)
{
    size_t end = p->line_seen + slice_find(slice_skip(in, p->line_seen), '\n');
    struct slice line = slice_first(in, end);
    *used = end + 1;
    if (line.len <= p->host->config->line_max && end == in.len)
        return PARSE_MORE;
    if (line.len <= p->host->config->line_max && page_stdio_deliver(p, line))
        return PARSE_OK;
    page_events_fail(p, too_long, line);
    return PARSE_BAD;
}

static enum parse_status take_one(struct page *p, struct slice in, size_t *used)
{
    if (p->shared)
        return page_shared_take(p, in, used);
    return p->stdio ? take_line(p, in, used) : take_message(p, in, used);
}

/* Takes whole messages off `in` while the other side takes them. Returns how much was used. */
static size_t take_lines(struct page *p, struct slice in)
{
    size_t at = 0;
    while (at < in.len && !page_events_over(p) && may_read(p)) {
        size_t used;
        struct slice rest = slice_skip(in, at);
        switch (take_one(p, rest, &used)) {
        case PARSE_MORE:
            p->line_seen = rest.len;
            return at;
        case PARSE_BAD:
            return in.len;
        case PARSE_OK:
            p->line_seen = 0;
            at += used;
            break;
        }
    }
    return page_events_over(p) ? in.len : at;
}

static bool keep_line(struct page *p, struct slice more)
{
    if (p->line_size - p->line_len < more.len) {
        size_t size = (p->line_len + more.len) * 2;
        char *line = realloc(p->line, size);
        if (!line)
            return false;
        p->line = line;
        p->line_size = size;
    }
    memcpy(p->line + p->line_len, more.ptr, more.len);
    p->line_len += more.len;
    return true;
}

static void forget_line(struct page *p, size_t used)
{
    p->line_len -= used;
    if (p->line_len > 0) {
        memmove(p->line, p->line + used, p->line_len);
        return;
    }
    free(p->line);
    p->line = NULL;
    p->line_size = 0;
}

void page_events_take(struct page *p, struct slice data)
{
    if (page_events_over(p)) {
        forget_line(p, p->line_len);
        return;
    }
    if (p->line_len == 0)
        data = slice_skip(data, take_lines(p, data));
    if (data.len == 0)
        return;
    if (!keep_line(p, data))
        page_events_fail(p, "out of memory", SLICE_NONE);
    else if (p->line_len > data.len)
        forget_line(p, take_lines(p, slice_make(p->line, p->line_len)));
}

void page_events_resume(struct page *p)
{
    if (p->member) {
        page_member_resume(p);
        return;
    }
    if (!page_pipe_open(&p->events))
        return;
    if (p->line_len > 0)
        forget_line(p, take_lines(p, slice_make(p->line, p->line_len)));
    steer(p);
}

static void on_recv(struct io *io, struct bytes data)
{
    struct page *p = page_of(io);
    page_events_take(p, page_pipe_take(&p->events, slice_from_bytes(data)));
    if (page_pipe_at_end(&p->events))
        page_events_end(p);
    steer(p);
    page_settle(p);
}

/* What has no end of line and won't get one. */
static void take_rest(struct page *p, struct slice rest)
{
    if (!p->stdio)
        page_events_fail(p, "the last line is not complete", rest);
    else if (!page_stdio_deliver(p, rest))
        page_events_fail(p, too_long, rest);
}

void page_events_end(struct page *p)
{
    if (!page_pipe_open(&p->events))
        return;
    if (p->line_len > 0 && !page_events_over(p))
        take_rest(p, slice_make(p->line, p->line_len));
    p->shut = true;
    page_pipe_close(&p->events);
    page_let_go(p);
}

static void on_end(struct io *io, int error)
{
    (void)error;
    struct page *p = page_of(io);
    page_events_end(p);
    page_settle(p);
}

/* What was written has been taken, but for a socket's buffer and what one send makes. */
void page_events_taken(struct page *p)
{
    while (p->untaken > 0 && p->session && way_in(p) && page_events_queued(p) <= IO_CORKED_MAX) {
        p->untaken--;
        session_taken(p->session);
    }
    page_streams_taken(p);
}

static void on_drain(struct io *io)
{
    struct page *p = page_of(io);
    page_events_taken(p);
    if (p->plain)
        ws_peer_resume(p->plain);
    page_topics_drained(p);
    if (p->shared)
        page_shared_drained(p);
    page_settle(p);
}

static void on_gone(struct io *io)
{
    struct page *p = page_of(io);
    p->events.state = PIPE_NONE;
    page_settle(p);
}

const struct io_ops page_events_io_ops = {on_recv, on_end, on_drain, on_gone};
