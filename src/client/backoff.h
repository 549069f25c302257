/* SPDX-License-Identifier: MIT */
/* backoff.h - when to connect again: at once after a connection that worked, then ever more slowly,
 * and never before the time that the server has asked for (docs/protocol.md, 5).
 *
 * Pure: time and chance are handed in.
 */
#ifndef CLIENT_BACKOFF_H
#define CLIENT_BACKOFF_H

#include "client/end.h"

struct backoff {
    unsigned failures;
    uint64_t opened_ms;
    bool open, worked;
};

void backoff_opened(struct backoff *b, uint64_t now_ms);
/* Something of the session's own went over the connection. */
void backoff_worked(struct backoff *b);
/* A connection or an attempt is over: milliseconds until the next one. `chance` is any number. */
uint64_t backoff_delay_after(struct backoff *b, const struct end *end, uint64_t now_ms,
                             uint32_t chance);

/* Between half and the whole of min(30 s, 250 ms x 2^attempt). */
uint64_t backoff_delay(unsigned attempt, uint32_t chance);

#endif
