/* SPDX-License-Identifier: MIT */
#include "cli/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void give_up(struct output *o, int error)
{
    o->error = error;
    o->at = o->len = 0;
}

void output_put(struct output *o, const void *data, size_t len)
{
    if (o->error)
        return;
    if (o->at == o->len)
        o->at = o->len = 0;
    if (o->room - o->len < len) {
        size_t room = o->len + len > 2 * o->room ? o->len + len : 2 * o->room;
        char *more = realloc(o->bytes, room);
        if (!more) {
            give_up(o, ENOMEM);
            return;
        }
        o->bytes = more;
        o->room = room;
    }
    memcpy(o->bytes + o->len, data, len);
    o->len += len;
}

void output_flush(struct output *o, bool wait)
{
    while (!o->error && output_waits(o)) {
        struct pollfd p = {.fd = o->fd, .events = POLLOUT};
        int ready = poll(&p, 1, wait ? -1 : 0);
        if (ready == 0 || (ready < 0 && errno == EINTR && !wait))
            return;
        size_t len = output_waits(o) < PIPE_BUF ? output_waits(o) : PIPE_BUF;
        ssize_t n = write(o->fd, o->bytes + o->at, len);
        if (n >= 0)
            o->at += (size_t)n;
        else if (errno != EINTR && errno != EAGAIN)
            give_up(o, errno);
    }
}

void output_close(struct output *o)
{
    free(o->bytes);
    if (o->fd >= 0)
        close(o->fd);
    *o = (struct output){.fd = -1};
}
