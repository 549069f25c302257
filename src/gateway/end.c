/* SPDX-License-Identifier: MIT */
#include "gateway/end.h"

#include "base/utf8.h"
#include "proto/json_text.h"

#include <assert.h>

enum {
    MESSAGE_MAX = 120 /* bytes, of which each may be escaped */
};

static const struct tcp_end_row rows[] = {
#define TCP_END(name, token, level, retry_s, text) {token, LOG_##level, retry_s, text},
#include "gateway/ends.def"
#undef TCP_END
};

const struct tcp_end_row *tcp_end_row(enum tcp_end end)
{
    assert((unsigned)end < TCP_ENDS);
    return &rows[end];
}

struct tcp_ending tcp_ending(enum tcp_end end, const char *message)
{
    const struct tcp_end_row *row = tcp_end_row(end);
    return (struct tcp_ending){end, row->token, message ? message : row->text, row->retry_s};
}

struct slice tcp_ending_write(const struct tcp_ending *ending, char out[TCP_ENDING_TEXT_MAX])
{
    struct text json = {.ptr = out, .room = TCP_ENDING_TEXT_MAX, .fixed = true};
    json_text_begin(&json);
    json_text_string(&json, "reason", slice_of(ending->token));
    json_text_string(&json, "message", utf8_first(slice_of(ending->message), MESSAGE_MAX));
    if (ending->retry_s)
        json_text_number(&json, "retryAfter", ending->retry_s);
    json_text_end(&json);
    assert(!json.failed);
    return text_slice(&json);
}
