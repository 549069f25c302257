/* SPDX-License-Identifier: MIT */
/* output.c - stdout of a program that answers a request. */
#include "program/parts.h"

static struct program *program_of(struct io *io)
{
    return container_of(io, struct program, output.io);
}

void program_output_end(struct program *p)
{
    if (!pipe_is_open(&p->output))
        return;
    pipe_close(&p->output);
    p->ops->on_output_end(p);
}

static void on_recv(struct io *io, struct bytes data)
{
    struct program *p = program_of(io);
    struct slice taken = pipe_take(&p->output, data);
    if (taken.len > 0)
        p->ops->on_output(p, taken);
    if (pipe_at_end(&p->output))
        program_output_end(p);
    program_settle(p);
}

static void on_end(struct io *io, int error)
{
    struct program *p = program_of(io);
    if (error)
        p->ops->on_fault(p, error);
    program_output_end(p);
    program_settle(p);
}

static void on_gone(struct io *io)
{
    struct program *p = program_of(io);
    p->output.state = PIPE_NONE;
    program_settle(p);
}

const struct io_ops program_output_io_ops = {on_recv, on_end, NULL, on_gone};

void program_output_pause(struct program *p, bool paused)
{
    if (!pipe_is_open(&p->output))
        return;
    if (paused)
        io_pause(&p->output.io);
    else
        io_resume(&p->output.io);
}
