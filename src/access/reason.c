/* SPDX-License-Identifier: MIT */
#include "access/reason.h"

#include "proto/close_code.h"

#include <assert.h>

static const struct access_reason_row rows[] = {
#define ACCESS_REASON(name, token, verdict, http, close, retry, text)                              \
    [ACCESS_##name] = {token, ACCESS_##verdict, http, close, retry, text},
#include "access/reasons.def"
#undef ACCESS_REASON
};

const struct access_reason_row *access_reason_row(enum access_reason reason)
{
    assert((unsigned)reason < ACCESS_REASONS);
    return &rows[reason];
}

const char *access_verdict_name(enum access_verdict verdict)
{
    static const char *const names[] = {"allow", "deny", "tempfail"};
    return names[verdict];
}
