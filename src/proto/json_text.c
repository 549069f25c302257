/* SPDX-License-Identifier: MIT */
#include "proto/json_text.h"

#include "base/utf8.h"
#include "proto/json.h"

#include <stdio.h>

#define PIECE_MAX 256

/* As much of `bytes` as is UTF-8, and fits into a piece. */
static struct slice valid_part(struct slice bytes)
{
    size_t len = 0;
    uint32_t code;
    while (len < bytes.len) {
        size_t n = utf8_next(slice_skip(bytes, len), &code);
        if (n == 0 || len + n > PIECE_MAX)
            break;
        len += n;
    }
    return slice_first(bytes, len);
}

void json_text_put(struct text *out, struct slice bytes)
{
    char quoted[6 * PIECE_MAX + 2];
    text_put(out, SLICE_LITERAL("\""));
    while (bytes.len > 0) {
        struct slice part = valid_part(bytes);
        size_t len = json_quote(part, quoted);
        text_put(out, slice_make(quoted + 1, len - 2));
        if (part.len == 0)
            text_put(out, SLICE_LITERAL("\xef\xbf\xbd"));
        bytes = slice_skip(bytes, part.len ? part.len : 1);
    }
    text_put(out, SLICE_LITERAL("\""));
}

/* ---- objects ---- */

void json_text_begin(struct text *out)
{
    text_put(out, SLICE_LITERAL("{"));
}

void json_text_end(struct text *out)
{
    text_put(out, SLICE_LITERAL("}"));
}

static void put_name(struct text *out, const char *name)
{
    if (out->len && out->ptr[out->len - 1] != '{')
        text_put(out, SLICE_LITERAL(","));
    text_put(out, SLICE_LITERAL("\""));
    text_put(out, slice_of(name));
    text_put(out, SLICE_LITERAL("\":"));
}

void json_text_value(struct text *out, const char *name, struct slice json)
{
    put_name(out, name);
    text_put(out, json);
}

void json_text_string(struct text *out, const char *name, struct slice bytes)
{
    put_name(out, name);
    json_text_put(out, bytes);
}

void json_text_number(struct text *out, const char *name, int64_t number)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)number);
    json_text_value(out, name, slice_make(digits, (size_t)len));
}

void json_text_flag(struct text *out, const char *name, bool flag)
{
    json_text_value(out, name, flag ? SLICE_LITERAL("true") : SLICE_LITERAL("false"));
}
