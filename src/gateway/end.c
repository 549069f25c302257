/* SPDX-License-Identifier: MIT */
#include "gateway/end.h"

#include "base/utf8.h"
#include "proto/json.h"

#include <assert.h>
#include <stdio.h>

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
    char quoted[6 * MESSAGE_MAX + 2];
    size_t len = json_quote(utf8_first(slice_of(ending->message), MESSAGE_MAX), quoted);
    int n = snprintf(out, TCP_ENDING_TEXT_MAX, "{\"reason\":\"%s\",\"message\":%.*s", ending->token,
                     (int)len, quoted);
    if (ending->retry_s)
        n += sprintf(out + n, ",\"retryAfter\":%u", ending->retry_s);
    out[n++] = '}';
    return slice_make(out, (size_t)n);
}
