/* SPDX-License-Identifier: MIT */
/* lines.c - lines to a program and from it: on descriptor 3, or on stdin and stdout.
 *
 * While the owner takes no more, nothing is read, and the program's write blocks. What was left at
 * the program's end waits for the owner as well: only after that are its lines at their end.
 */
#include "program/parts.h"

#include "base/heap.h"
#include "base/log.h"
#include "net/process_look.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PIECES_MAX 16
#define LINES_FD   3 /* in the program */
/* More than the kernel keeps for a terminal. Who still writes when the program is gone has left its
 * group, and is not waited for. */
#define LAST_MAX (1024 * 1024)

static struct program *program_of(struct io *io)
{
    return container_of(io, struct program, lines.io);
}

/* ---- to the program ---- */

static const struct program_pipe *pipe_in(const struct program *p)
{
    return p->kind == PROGRAM_LINES ? &p->body : &p->lines;
}

/* What its lines are written to, or NULL. */
static struct io *input(struct program *p)
{
    return pipe_is_open(pipe_in(p)) ? (struct io *)&pipe_in(p)->io : NULL;
}

static void copy_all(char *to, const struct slice *pieces, int count)
{
    for (int i = 0; i < count; i++) {
        if (pieces[i].len)
            memcpy(to, pieces[i].ptr, pieces[i].len);
        to += pieces[i].len;
    }
}

void program_write(struct program *p, const struct slice *pieces, int count)
{
    struct iovec vec[PIECES_MAX];
    struct io *io = input(p);
    size_t len = 0;
    if (!program_open(p) || !io)
        return;
    for (int i = 0; i < count; i++)
        len += pieces[i].len;
    char *room = io_claim(io, len);
    if (room) {
        copy_all(room, pieces, count);
        return;
    }
    for (int i = 0; i < count; i++)
        vec[i] = (struct iovec){(void *)pieces[i].ptr, pieces[i].len};
    io_write(io, vec, count);
}

void program_write_shared(struct program *p, struct shared_bytes *line)
{
    struct io *io = input(p);
    if (program_open(p) && io)
        io_write_shared(io, line);
}

void program_give_part(struct program *p, struct shared_bytes *shared, size_t at, size_t len)
{
    struct io *io = input(p);
    if (program_open(p) && io)
        io_give_part(io, shared, at, len);
}

static size_t held_in(const struct program_pipe *pipe)
{
    return pipe->state == PIPE_NONE ? 0 : io_held(&pipe->io);
}

size_t program_held(const struct program *p)
{
    return held_in(&p->body) + held_in(&p->lines) + heap_cost(p->line_size, p->line_most) +
           p->err_rest.room;
}

bool program_open(const struct program *p)
{
    return !p->shut && pipe_is_open(&p->lines);
}

size_t program_queued(const struct program *p)
{
    return pipe_is_open(pipe_in(p)) ? io_queued(&pipe_in(p)->io) : 0;
}

bool program_has_taken(const struct program *p)
{
    bool reads = pipe_is_open(pipe_in(p)) || p->kind == PROGRAM_LINES; /* which may close stdin */
    return reads && program_queued(p) <= IO_CORKED_MAX;
}

/* What a socket has not given to its reader is counted where it was written. */
bool program_has_read(const struct program *p)
{
    int unread = 0;
    return pipe_is_open(&p->lines) && program_queued(p) == 0 &&
           ioctl(p->lines.io.fd, SIOCOUTQ, &unread) == 0 && unread == 0;
}

static bool has_heard(const struct program *p)
{
    int unread = 0;
    return p->line_len == 0 && ioctl(p->lines.io.fd, FIONREAD, &unread) == 0 && unread == 0;
}

/* What it writes before it waits is there once it is seen to wait: only then is that looked for.
 * The look before is the cheaper one, and mostly enough. */
bool program_is_waiting(const struct program *p)
{
    return p->kind != PROGRAM_LINES && program_has_read(p) && has_heard(p) &&
           process_is_reading(p->pid, LINES_FD) && has_heard(p);
}

void program_flush(struct program *p)
{
    struct io *io = input(p);
    if (io)
        io_flush(io);
}

/* ---- from the program ---- */

static enum program_reading reading(const struct program *p)
{
    return p->ops->reading(p);
}

/* Nothing more will be read, and the owner takes what has been read, or nothing any more. */
static bool is_finished(const struct program *p)
{
    return pipe_at_end(&p->lines) && (p->line_len == 0 || reading(p) != PROGRAM_WAIT);
}

/* Reads on, or not, as the owner wants it. */
static void steer(struct program *p)
{
    if (!pipe_is_open(&p->lines) || p->taking)
        return;
    if (reading(p) == PROGRAM_DROP && is_finished(p))
        program_lines_end(p);
    else if (reading(p) == PROGRAM_WAIT)
        io_pause(&p->lines.io);
    else
        io_resume(&p->lines.io);
}

void program_shut(struct program *p)
{
    struct io *io = input(p);
    if (!p->shut && io)
        io_shutdown(io);
    p->shut = true;
    steer(p);
}

void program_let_go(struct program *p)
{
    p->let_go = true;
    program_shut(p);
}

/* Takes whole lines off `in` while the owner takes them. Returns how much was used. */
static size_t hand_over(struct program *p, struct slice in)
{
    size_t at = 0;
    while (at < in.len && reading(p) == PROGRAM_READ) {
        size_t used;
        struct slice rest = slice_skip(in, at);
        switch (p->ops->on_line(p, rest, p->line_seen, &used)) {
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
    return reading(p) == PROGRAM_DROP ? in.len : at;
}

/* The owner may do anything in between: let go, resume, kill. What follows from that is done by
 * whoever takes the lines, afterwards: until then they stay where they are. */
static size_t take_lines(struct program *p, struct slice in)
{
    p->taking = true;
    size_t used = hand_over(p, in);
    p->taking = false;
    return used;
}

static bool keep(struct program *p, struct slice more)
{
    if (p->line_size - p->line_len < more.len) {
        size_t size = (p->line_len + more.len) * 2;
        char *line = log_needed(realloc(p->line, size));
        if (!line)
            return false;
        p->line = line;
        p->line_size = size;
    }
    memcpy(p->line + p->line_len, more.ptr, more.len);
    p->line_len += more.len;
    if (p->line_most < p->line_len)
        p->line_most = p->line_len;
    return true;
}

/* Nothing more is read for now: what is left takes no more room than it needs. */
static void shrink(struct program *p)
{
    char *line = p->line_len < p->line_size / 2 ? malloc(p->line_len) : NULL;
    if (!line)
        return;
    memcpy(line, p->line, p->line_len);
    free(p->line);
    p->line = line;
    p->line_size = p->line_most = p->line_len;
}

static void forget(struct program *p, size_t used)
{
    p->line_len -= used;
    if (p->line_len > 0) {
        memmove(p->line, p->line + used, p->line_len);
        if (reading(p) == PROGRAM_WAIT)
            shrink(p);
        return;
    }
    free(p->line);
    p->line = NULL;
    p->line_size = p->line_most = p->line_seen = 0;
}

static struct slice kept(const struct program *p)
{
    return slice_make(p->line, p->line_len);
}

static void take(struct program *p, struct slice data)
{
    if (reading(p) == PROGRAM_DROP) {
        forget(p, p->line_len);
        return;
    }
    if (p->line_len == 0)
        data = slice_skip(data, take_lines(p, data));
    if (data.len == 0)
        return;
    if (!keep(p, data)) {
        p->line_seen = 0;
        p->ops->on_fault(p, -ENOMEM);
    } else if (p->line_len > data.len) {
        forget(p, take_lines(p, kept(p)));
    }
}

void program_lines_deliver(struct program *p)
{
    if (!pipe_is_open(&p->lines) || p->taking)
        return;
    if (p->line_len > 0)
        forget(p, take_lines(p, kept(p)));
    steer(p);
}

void program_resume(struct program *p)
{
    program_lines_deliver(p);
    if (is_finished(p) && !p->taking)
        program_lines_end(p);
}

/* Lines that the owner has still to take keep the pipe open: program_resume() ends it. */
void program_lines_end(struct program *p)
{
    if (!pipe_is_open(&p->lines))
        return;
    p->lines.last = true;
    p->lines.left = 0;
    p->shut = true;
    if (is_finished(p)) {
        pipe_close(&p->lines);
        if (p->kind == PROGRAM_LINES || p->state == PROGRAM_GONE)
            program_lines_judge(p);
    }
    program_let_go(p);
}

/* A program that was killed in the midst of a line has broken no rule. */
void program_lines_judge(struct program *p)
{
    bool whole = p->kind == PROGRAM_LINES; /* of a line without its LF */
    if (pipe_is_open(&p->lines) || p->line_len == 0)
        return;
    if (reading(p) != PROGRAM_DROP && (whole || p->status == 0))
        p->ops->on_last_line(p, kept(p));
    forget(p, p->line_len);
}

/* EIO: the other end of a terminal is closed. */
bool program_fault_is_ours(int error)
{
    return error && error != -EPIPE && error != -ECONNRESET && error != -EIO;
}

void program_lines_last(struct program *p)
{
    char buffer[65536];
    size_t left = LAST_MAX;
    while (left > 0 && pipe_is_open(&p->lines)) {
        ssize_t n = read(p->lines.io.fd, buffer, sizeof(buffer) < left ? sizeof(buffer) : left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* EIO: that was all. EAGAIN: somebody else holds the other end */
            break;
        left -= (size_t)n;
        take(p, slice_make(buffer, (size_t)n));
    }
    p->lines.last = true;
}

static void on_recv(struct io *io, struct bytes data)
{
    struct program *p = program_of(io);
    take(p, pipe_take(&p->lines, data));
    if (pipe_at_end(&p->lines))
        program_lines_end(p);
    steer(p);
    program_settle(p);
}

static void on_end(struct io *io, int error)
{
    struct program *p = program_of(io);
    if (program_fault_is_ours(error))
        p->ops->on_fault(p, error);
    program_lines_end(p);
    program_settle(p);
}

static void on_drain(struct io *io)
{
    struct program *p = program_of(io);
    p->ops->on_drain(p);
    program_settle(p);
}

static void on_gone(struct io *io)
{
    struct program *p = program_of(io);
    p->lines.state = PIPE_NONE;
    program_settle(p);
}

const struct io_ops program_lines_io_ops = {on_recv, on_end, on_drain, on_gone};
