/* SPDX-License-Identifier: MIT */
/* end.h - how a connection or a session ended, and whether to come back (docs/protocol.md, 5). */
#ifndef CLIENT_END_H
#define CLIENT_END_H

#include "base/slice.h"
#include "proto/close_code.h"

#define END_REASON_MAX 160

struct end {
    unsigned code;
    int64_t retry_s; /* -1: nobody said */
    char reason[END_REASON_MAX + 1];
};

/* The reason as a close frame has it: a `retry=N` at its end is taken out of it. Too long: cut. */
struct end end_make(unsigned code, struct slice reason);

/* `retry_s` is known from elsewhere; negative: it is not. A refusal that is a ban (4401, 4403) is
 * for a minute unless it says how long, and for a day at most. */
struct end end_make_retry(unsigned code, struct slice reason, int64_t retry_s);

enum close_then end_then(const struct end *end);

#endif
