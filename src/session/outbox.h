/* SPDX-License-Identifier: MIT */
/* outbox.h - the messages that were sent in a session and are not yet acknowledged: numbered, in
 * order, ready to be sent again.
 *
 * Pure memory: knows no wire. Messages are copied in, one allocation each; an empty outbox owns
 * nothing.
 */
#ifndef SESSION_OUTBOX_H
#define SESSION_OUTBOX_H

#include "base/list.h"
#include "core/chunk.h"

/* Lies in a struct shared_bytes of its own, so that a wire can keep it by a reference. */
struct outbox_message {
    struct outbox_message *next;
    bool binary;
    size_t len;
    char data[];
};

struct outbox {
    struct outbox_message *first, *last;
    uint64_t acked; /* the number of the first message that is kept */
    uint64_t sent;  /* the number of the next one */
    size_t bytes;   /* of all that is kept */
    size_t held;    /* what that takes from the heap */
};

static inline struct shared_bytes *outbox_shared(const struct outbox_message *m)
{
    return container_of(m, struct shared_bytes, bytes);
}

/* The pieces as one message; NULL without memory, and nothing has changed. The outbox owns the
 * result. */
const struct outbox_message *outbox_push(struct outbox *o, bool binary, const struct slice *pieces,
                                         size_t count);

/* Whether the rest can be sent to a peer that has received `received` messages. */
bool outbox_serves(const struct outbox *o, uint64_t received);

/* Forgets all messages before number `received`. Returns false and changes nothing unless
 * outbox_serves() that number. */
bool outbox_ack(struct outbox *o, uint64_t received);

void outbox_clear(struct outbox *o);

#endif
