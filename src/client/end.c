/* SPDX-License-Identifier: MIT */
#include "client/end.h"

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

struct end end_make(unsigned code, struct slice reason)
{
    struct end end = {.code = code};
    end.retry_s = take_retry(&reason);
    size_t len = reason.len < END_REASON_MAX ? reason.len : END_REASON_MAX;
    while (len < reason.len && len > 0 && (reason.ptr[len] & 0xc0) == 0x80)
        len--;
    if (len)
        memcpy(end.reason, reason.ptr, len);
    return end;
}

enum end_verdict end_verdict(unsigned code)
{
    switch (code) {
    case 1000:
    case 1009: /* a message that we don't take: it would come again */
    case 1012: /* this session is over; a new one may be tried */
    case 1015: /* the server is not who it should be */
        return END_FINAL;
    case 1013:
    case 4429:
    case 4504:
        return END_WAIT;
    default:
        return code < 4000 ? END_RESUME : END_FINAL;
    }
}
