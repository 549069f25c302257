/* SPDX-License-Identifier: MIT */
#include "session/inbox.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

#define ROOM_FIRST 8
#define ROOM_IDLE  64 /* what an empty ring may keep */

/* The room is a power of two: a division would be a third of what a message costs here. */
static uint32_t *size_at(const struct inbox *in, uint32_t i)
{
    return &in->sizes[(in->first + i) & (in->room - 1)];
}

static uint32_t waiting(const struct inbox *in)
{
    return (uint32_t)(in->received - in->taken);
}

static bool grow(struct inbox *in)
{
    uint32_t room = in->room ? in->room * 2 : ROOM_FIRST;
    uint32_t *sizes = log_needed(malloc(room * sizeof(*sizes)));
    if (!sizes)
        return false;
    for (uint32_t i = 0; i < waiting(in); i++)
        sizes[i] = *size_at(in, i);
    free(in->sizes);
    in->sizes = sizes;
    in->first = 0;
    in->room = room;
    return true;
}

bool inbox_admits(const struct inbox *in, uint64_t size, uint32_t window)
{
    uint64_t of_window = in->bytes - in->carried;
    return of_window == 0 || of_window + size <= window;
}

void inbox_welcome(struct inbox *in)
{
    in->carried = in->bytes;
}

bool inbox_receive(struct inbox *in, uint32_t size)
{
    if (waiting(in) == in->room && !grow(in))
        return false;
    *size_at(in, waiting(in)) = size;
    in->received++;
    in->bytes += size;
    return true;
}

uint32_t inbox_take(struct inbox *in)
{
    assert(in->taken < in->received);
    uint32_t size = *size_at(in, 0);
    in->first = (in->first + 1) & (in->room - 1);
    in->taken++;
    in->bytes -= size;
    if (in->carried > 0) /* the oldest are taken first */
        in->carried -= size;
    if (in->taken == in->received && in->room > ROOM_IDLE) {
        free(in->sizes);
        in->sizes = NULL;
        in->first = in->room = 0;
    }
    return size;
}

void inbox_clear(struct inbox *in)
{
    free(in->sizes);
    in->sizes = NULL;
}
