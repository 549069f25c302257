/* SPDX-License-Identifier: MIT */
/* reason.h - why script access was given or refused: one row of reasons.def.
 *
 * The token is part of the product: it goes to the page (`Script-Access-Reason`, the close reason)
 * and to the operator. HTTP status and close code follow from it and are chosen nowhere else.
 */
#ifndef ACCESS_REASON_H
#define ACCESS_REASON_H

#include "base/slice.h"

enum access_verdict {
    ACCESS_ALLOW,
    ACCESS_DENY,
    ACCESS_TEMPFAIL
};

enum access_reason {
#define ACCESS_REASON(name, token, verdict, http, close, retry, text) ACCESS_##name,
#include "access/reasons.def"
#undef ACCESS_REASON
    ACCESS_REASONS
};

struct access_reason_row {
    const char *token;
    enum access_verdict verdict;
    uint16_t http;     /* before a switch of protocols: 101 or the status of the refusal */
    uint16_t ws_close; /* after one; 0: none */
    uint32_t retry_s;
    const char *text;
};

const struct access_reason_row *access_reason_row(enum access_reason reason);

/* `allow`, `deny`, `tempfail`. */
const char *access_verdict_name(enum access_verdict verdict);

#endif
