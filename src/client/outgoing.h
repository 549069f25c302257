/* SPDX-License-Identifier: MIT */
/* outgoing.h - what this client has to deliver: kept until it is acknowledged, sent again after a
 * drop, and never more than a window of it under way (docs/protocol.md, 3).
 *
 * Pure memory, on the session's outbox: it neither sends nor waits.
 */
#ifndef CLIENT_OUTGOING_H
#define CLIENT_OUTGOING_H

#include "session/outbox.h"

struct outgoing {
    struct outbox kept;
    const struct outbox_message *next; /* the first that has not gone out on this connection */
    uint64_t next_number;              /* its number */
    uint64_t sent_max;                 /* how many have ever gone out */
    size_t in_flight;                  /* bytes gone out on this connection, not acknowledged */
};

/* False without memory, and nothing has changed. */
bool outgoing_push(struct outgoing *o, bool binary, const struct slice *pieces, size_t count);
/* The next message that the window lets go, now under way; NULL: none. One larger than the window
 * goes alone. */
const struct outbox_message *outgoing_next(struct outgoing *o, size_t window);
/* The other side has `count` messages in all. False, and nothing has changed, if that can't be. */
bool outgoing_ack(struct outgoing *o, uint64_t count);
/* The same on a new connection: the rest goes out again. */
bool outgoing_rewind(struct outgoing *o, uint64_t count);
/* Is a message that never went out larger than `max`? */
bool outgoing_exceeds(const struct outgoing *o, size_t max);
void outgoing_clear(struct outgoing *o);

#endif
