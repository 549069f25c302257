/* SPDX-License-Identifier: MIT */
/* buffer.h - bytes that are gathered on the heap until they are whole.
 *
 * A NULL pointer is an empty buffer. It doubles as bytes come, and never grows beyond what is
 * expected in all: a length that a header only announces costs nothing.
 */
#ifndef WS_BUFFER_H
#define WS_BUFFER_H

#include "base/slice.h"

struct ws_buffer {
    size_t len, room;
    char bytes[];
};

static inline size_t buffer_len(const struct ws_buffer *b)
{
    return b ? b->len : 0;
}

/* Appends; at most `expected` more bytes will follow. False without memory: then nothing has
 * changed. */
bool buffer_append(struct ws_buffer **b, struct slice data, uint64_t expected);

#endif
