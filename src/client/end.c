/* SPDX-License-Identifier: MIT */
#include "client/end.h"

#include "limits/bans.h"
#include "proto/close_code.h"

/* ` retry=N` at the end, or at the very beginning. */
static int64_t take_retry(struct slice *reason)
{
    size_t at = reason->len;
    while (at > 0 && reason->ptr[at - 1] != ' ')
        at--;
    struct slice word = slice_skip(*reason, at), digits;
    uint64_t seconds;
    if (!slice_starts_with(word, SLICE_LITERAL("retry=")))
        return -1;
    digits = slice_skip(word, 6);
    if (!slice_to_uint(digits, 999999999, &seconds))
        return -1;
    *reason = slice_first(*reason, at > 0 ? at - 1 : 0);
    return (int64_t)seconds;
}

static int64_t limit_retry(unsigned code, int64_t retry_s)
{
    bool refusal = close_code_kept(code) == KEEP_BAN && close_code_then(code, true) == THEN_FINAL;
    if (!refusal)
        return retry_s;
    if (retry_s < 0)
        return BAN_SECONDS;
    return retry_s < BAN_SECONDS_MAX ? retry_s : BAN_SECONDS_MAX;
}

struct end end_make_retry(unsigned code, struct slice reason, int64_t retry_s)
{
    struct end end = {.code = code, .retry_s = limit_retry(code, retry_s)};
    size_t len = reason.len < END_REASON_MAX ? reason.len : END_REASON_MAX;
    while (len < reason.len && len > 0 && (reason.ptr[len] & 0xc0) == 0x80)
        len--;
    if (len)
        memcpy(end.reason, reason.ptr, len);
    return end;
}

struct end end_make(unsigned code, struct slice reason)
{
    int64_t retry_s = take_retry(&reason);
    return end_make_retry(code, reason, retry_s);
}

enum close_then end_then(const struct end *end)
{
    return close_code_then(end->code, end->retry_s >= 0);
}
