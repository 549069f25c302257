/* SPDX-License-Identifier: MIT */
/* outbox_window.h - the session's outbox as the client uses it: never more than a window of
 * messages is under way (docs/protocol.md, 3), and after a drop they are sent again.
 *
 * Pure memory: nothing here sends or waits.
 */
#ifndef CLIENT_OUTBOX_WINDOW_H
#define CLIENT_OUTBOX_WINDOW_H

#include "session/outbox.h"

struct outbox_window {
    struct outbox kept;
    struct outbox_place next;    /* before the first that has not gone out on this connection */
    struct outbox_message taken; /* the one before it */
    uint64_t next_number;        /* of the first that has not gone out */
    uint64_t sent_max;           /* how many have ever gone out */
    size_t in_flight;            /* bytes gone out on this connection, not acknowledged */
};

/* False without memory, and nothing has changed. */
bool outbox_window_push(struct outbox_window *o, bool binary, const struct slice *pieces,
                        size_t count);
/* The next message that the window lets go, now under way; NULL: none. A message larger than the
 * window goes alone. It stays until the next call. */
const struct outbox_message *outbox_window_next(struct outbox_window *o, size_t window);
/* The other side has received `count` messages in all. Returns false and changes nothing if that
 * can't be. */
bool outbox_window_ack(struct outbox_window *o, uint64_t count);
/* As outbox_window_ack(), on a new connection: the rest is sent again. */
bool outbox_window_rewind(struct outbox_window *o, uint64_t count);
/* Whether a message that was never sent is larger than `max`. */
bool outbox_window_exceeds(const struct outbox_window *o, size_t max);
void outbox_window_clear(struct outbox_window *o);

#endif
