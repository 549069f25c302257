/* SPDX-License-Identifier: MIT */
/* inbox.h - the messages that the client has sent and the program has not yet taken: their counts
 * and sizes, not the messages themselves.
 *
 * The window bounds the sum of the sizes; `.ack` and `.welcome` carry the counts. A `.welcome`
 * acknowledges all that was received, also what the program has not yet taken: so the window of the
 * new connection is for what comes on it. What connections after connections leave untaken is the
 * program's queue, which its client pays for (limits/memory.h).
 */
#ifndef SESSION_INBOX_H
#define SESSION_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inbox {
    uint64_t received; /* messages in all */
    uint64_t taken;    /* how many of them the program has */
    uint64_t bytes;    /* of those between */
    uint64_t carried;  /* of them, those from before this connection: outside of its window */
    uint32_t *sizes;   /* a ring: of those between, oldest first */
    uint32_t first, room;
};

/* May a message of `size` bytes come on top, with a window of `window`? One message alone always
 * may. */
bool inbox_admits(const struct inbox *in, uint64_t size, uint32_t window);

/* `.welcome` says that all have been received. */
void inbox_welcome(struct inbox *in);

/* False without memory, and nothing has changed. */
bool inbox_receive(struct inbox *in, uint32_t size);

/* The oldest has been taken; returns its size. There must be one. */
uint32_t inbox_take(struct inbox *in);

/* Memory that it takes. */
static inline size_t inbox_held(const struct inbox *in)
{
    return in->room * sizeof(*in->sizes);
}

void inbox_clear(struct inbox *in);

#endif
