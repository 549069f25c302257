/* SPDX-License-Identifier: MIT */
/* pace.h - when to connect again: at once after a connection that worked, then ever more slowly,
 * and never before the time that the server has asked for (docs/protocol.md, 5).
 *
 * Pure: time and chance are handed in.
 */
#ifndef CLIENT_PACE_H
#define CLIENT_PACE_H

#include "client/end.h"

struct pace {
    unsigned failures;
    uint64_t opened_ms;
    bool open, worked;
};

void pace_opened(struct pace *p, uint64_t now_ms);
/* Something of the session's own went over the connection. */
void pace_worked(struct pace *p);
/* A connection or an attempt is over: milliseconds until the next one. `chance` is any number. */
uint64_t pace_pause(struct pace *p, const struct end *end, uint64_t now_ms, uint32_t chance);

/* Between half and the whole of min(30 s, 250 ms x 2^attempt). */
uint64_t pace_delay(unsigned attempt, uint32_t chance);

#endif
