/* SPDX-License-Identifier: MIT */
/* input.c - input that can't be processed yet, kept on the heap. */
#include "http/connection.h"

#include "base/log.h"

#include <stdlib.h>

#define HELD_MIN 512

static void held_reap(struct reap *reap)
{
    free(container_of(reap, struct held, reap));
}

void input_drop(struct connection *c)
{
    if (c->held != NULL)
        loop_reap(c->server->loop, &c->held->reap, held_reap);
    c->held = NULL;
}

bool input_hold(struct connection *c, struct slice more)
{
    size_t len = c->in.len + more.len, size = HELD_MIN;
    while (size < len)
        size *= 2;
    struct held *held = c->held;
    if (held == NULL || held->size < size)
        held = log_needed(malloc(sizeof(*held) + size));
    if (held == NULL)
        return false;
    if (held != c->held)
        held->size = size;
    if (c->in.len > 0)
        memmove(held->bytes, c->in.ptr, c->in.len);
    if (more.len > 0)
        memcpy(held->bytes + c->in.len, more.ptr, more.len);
    held->len = len;
    if (held != c->held)
        input_drop(c);
    c->held = held;
    c->in = (struct bytes){held->bytes, len};
    return true;
}

void input_keep_rest(struct connection *c)
{
    if (c->in.len == 0) {
        input_drop(c);
        c->in = (struct bytes){0};
    } else if (!input_hold(c, SLICE_NONE)) {
        connection_close(c);
    }
}
