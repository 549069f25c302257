/* SPDX-License-Identifier: MIT */
/* body.c - stdin: the request's body on its way to the program, or the lines for PROGRAM_LINES
 * (lines.c). */
#include "program/parts.h"

#define BODY_QUEUE_MAX 65536
/* A body that is complete waits this long for a program that does not read it, which is forever:
 * the program's end closes the pipe. */
#define BODY_LINGER_MS (24 * 3600 * 1000u)

static struct program *program_of(struct io *io)
{
    return container_of(io, struct program, body.io);
}

static void tell_drained(struct program *p)
{
    if (p->kind == PROGRAM_LINES)
        p->ops->on_drain(p);
    else
        p->ops->on_body_drain(p);
    program_settle(p);
}

static void on_recv(struct io *io, struct bytes data)
{
    (void)io, (void)data; /* a pipe's write end gives nothing */
}

/* The program has closed its stdin: what still comes is not wanted, and counts as taken. */
static void on_end(struct io *io, int error)
{
    struct program *p = program_of(io);
    if (program_fault_is_ours(error))
        p->ops->on_fault(p, error);
    pipe_close(&p->body);
    tell_drained(p);
}

static void on_drain(struct io *io)
{
    tell_drained(program_of(io));
}

static void on_gone(struct io *io)
{
    struct program *p = program_of(io);
    p->body.state = PIPE_NONE;
    program_settle(p);
}

const struct io_ops program_body_io_ops = {on_recv, on_end, on_drain, on_gone};

bool program_body(struct program *p, struct slice data)
{
    if (!pipe_is_open(&p->body))
        return true;
    io_write_slice(&p->body.io, data);
    return io_queued(&p->body.io) <= BODY_QUEUE_MAX;
}

void program_body_end(struct program *p)
{
    if (pipe_is_open(&p->body))
        io_finish(&p->body.io, BODY_LINGER_MS);
}

void program_body_stop(struct program *p)
{
    pipe_close(&p->body);
}
