/* SPDX-License-Identifier: MIT */
/* message_queue.h - messages that wait, in order: what a handler has not heard yet, or what its
 * page does not take yet.
 *
 * A message is copied, but for a body that makes up most of what holds it (message.whole): that is
 * kept by a reference. Bounds are the owner's: it looks at `bytes`, which is memory and not only
 * text.
 */
#ifndef PAGE_MESSAGE_QUEUE_H
#define PAGE_MESSAGE_QUEUE_H

#include "proto/message.h"

struct queued_message {
    struct queued_message *next;
    struct message message; /* `whole`: a reference; NULL: the bytes are here */
    size_t cost;
    char bytes[];
};

/* All 0: empty. */
struct message_queue {
    struct queued_message *first, *last;
    size_t count, bytes;
};

static inline bool message_queue_empty(const struct message_queue *q)
{
    return q->first == NULL;
}
/* False without memory. The name of a command is that of its head, whether or not it is set. */
bool message_queue_put(struct message_queue *q, const struct message *m);
/* The first one, taken out; NULL: there is none. */
struct queued_message *message_queue_take(struct message_queue *q);
void queued_message_free(struct queued_message *m);
void message_queue_clear(struct message_queue *q);

#endif
