/* SPDX-License-Identifier: MIT */
/* end.h - how a connection or a session ended, and whether to come back (docs/protocol.md, 5). */
#ifndef CLIENT_END_H
#define CLIENT_END_H

#include "base/slice.h"

#define END_REASON_MAX 160

struct end {
    unsigned code;
    int64_t retry_s; /* -1: nobody said */
    char reason[END_REASON_MAX + 1];
};

enum end_verdict {
    END_RESUME, /* the connection is lost, the session is not */
    END_WAIT,   /* the same, but not at once, and not before retry_s */
    END_FINAL   /* the session is over */
};

/* The reason as a close frame has it: a `retry=N` at its end is taken out of it. Too long: cut. */
struct end end_make(unsigned code, struct slice reason);
enum end_verdict end_verdict(unsigned code);

#endif
