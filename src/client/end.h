/* SPDX-License-Identifier: MIT */
/* end.h - how a connection or a session ended, and whether to come back (docs/protocol.md, 5). */
#ifndef CLIENT_END_H
#define CLIENT_END_H

#include "base/slice.h"
#include "proto/close_code.h"

#define END_REASON_MAX 160

struct end {
    unsigned code;
    int64_t retry_s; /* -1: not said */
    char reason[END_REASON_MAX + 1];
};

/* An end from the code and reason of a close frame. A `retry=N` at the end of the reason becomes
 * retry_s; a reason that is too long is cut. */
struct end end_make(unsigned code, struct slice reason);

/* As end_make(), with `retry_s` from elsewhere; negative: unknown. A refusal that is a ban (4401,
 * 4403) is for a minute unless it says how long, and for a day at most. */
struct end end_make_retry(unsigned code, struct slice reason, int64_t retry_s);

enum close_then end_then(const struct end *end);

#endif
