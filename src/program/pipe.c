/* SPDX-License-Identifier: MIT */
/* pipe.c - our end of one of a program's descriptors. */
#include "program/parts.h"

#include <sys/ioctl.h>

/* Takes *fd, and sets it to -1, unless there is an error. */
static int opened(struct program_pipe *pipe, int *fd, int error)
{
    if (error < 0)
        return error;
    *fd = -1;
    pipe->state = PIPE_OPEN;
    return 0;
}

int pipe_open(struct loop *loop, struct program_pipe *pipe, int *fd, enum io_kind kind,
              const struct io_ops *ops)
{
    if (*fd < 0)
        return 0;
    bool paused = kind == IO_KIND_PIPE_OUT;
    return opened(pipe, fd, io_open_known(loop, &pipe->io, *fd, kind, ops, paused));
}

int pipe_open_resting(struct loop *loop, struct program_pipe *pipe, int *fd, enum io_kind kind,
                      const struct io_ops *ops)
{
    return opened(pipe, fd, io_open_resting(loop, &pipe->io, *fd, kind, ops));
}

void pipe_look(struct program_pipe *pipe)
{
    if (pipe_is_open(pipe))
        io_look(&pipe->io);
}

void pipe_wake(struct program_pipe *pipe)
{
    if (pipe_is_open(pipe))
        io_wake(&pipe->io);
}

void pipe_close(struct program_pipe *pipe)
{
    if (pipe->state != PIPE_OPEN)
        return;
    pipe->state = PIPE_CLOSED;
    io_close(&pipe->io);
}

struct slice pipe_take(struct program_pipe *pipe, struct bytes data)
{
    struct slice taken = slice_from_bytes(data);
    if (!pipe->last)
        return taken;
    taken = slice_first(taken, pipe->left);
    pipe->left -= taken.len;
    return taken;
}

void pipe_set_last(struct program_pipe *pipe)
{
    int waiting = 0;
    if (pipe->state == PIPE_OPEN && ioctl(pipe->io.fd, FIONREAD, &waiting) < 0)
        waiting = 0;
    pipe->last = true;
    pipe->left = (size_t)waiting;
}
