/* SPDX-License-Identifier: MIT */
#include "proto/http_chunked.h"

#include "proto/http_chars.h"

#define CHUNK_MAX (UINT64_C(1) << 53)

/*  SIZE -> DIGITS -> [EXTENSION ->] SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE
 *                                      \-> LINE -> END_LF -> DONE        (size 0)
 *                                          LINE -> NAME -> VALUE -> VALUE_LF -> LINE  (a trailer)
 */
enum state {
    STATE_SIZE,
    STATE_DIGITS,
    STATE_EXTENSION,
    STATE_SIZE_LF,
    STATE_DATA,
    STATE_DATA_CR,
    STATE_DATA_LF,
    STATE_LINE,
    STATE_NAME,
    STATE_VALUE,
    STATE_VALUE_LF,
    STATE_END_LF,
    STATE_DONE,
    STATE_BAD,
};

void http_chunked_init(struct http_chunked *c)
{
    *c = (struct http_chunked){.state = STATE_SIZE};
}

static enum state take_digit(struct http_chunked *c, char digit)
{
    if (c->left > CHUNK_MAX / 16)
        return STATE_BAD;
    c->left = c->left * 16 + http_hex(digit);
    return c->left > CHUNK_MAX ? STATE_BAD : STATE_DIGITS;
}

static enum state after_size(struct http_chunked *c)
{
    c->overhead = 0;
    return c->left ? STATE_DATA : STATE_LINE;
}

static enum state take_size_line(struct http_chunked *c, char byte)
{
    if (++c->overhead > HTTP_CHUNK_LINE_MAX)
        return STATE_BAD;
    switch (c->state) {
    case STATE_SIZE:
        return http_is(byte, HTTP_HEX) ? take_digit(c, byte) : STATE_BAD;
    case STATE_DIGITS:
        if (http_is(byte, HTTP_HEX))
            return take_digit(c, byte);
        return byte == '\r' ? STATE_SIZE_LF : byte == ';' ? STATE_EXTENSION : STATE_BAD;
    case STATE_EXTENSION:
        if (byte == '\r')
            return STATE_SIZE_LF;
        return http_is(byte, HTTP_FIELD) ? STATE_EXTENSION : STATE_BAD;
    default:
        return byte == '\n' ? after_size(c) : STATE_BAD;
    }
}

static enum state take_trailer(struct http_chunked *c, char byte)
{
    if (++c->overhead > HTTP_TRAILERS_MAX)
        return STATE_BAD;
    switch (c->state) {
    case STATE_LINE:
        return byte == '\r' ? STATE_END_LF : http_is(byte, HTTP_TCHAR) ? STATE_NAME : STATE_BAD;
    case STATE_NAME:
        return byte == ':' ? STATE_VALUE : http_is(byte, HTTP_TCHAR) ? STATE_NAME : STATE_BAD;
    case STATE_VALUE:
        return byte == '\r' ? STATE_VALUE_LF : http_is(byte, HTTP_FIELD) ? STATE_VALUE : STATE_BAD;
    case STATE_VALUE_LF:
        return byte == '\n' ? STATE_LINE : STATE_BAD;
    default:
        return byte == '\n' ? STATE_DONE : STATE_BAD;
    }
}

static enum state take_byte(struct http_chunked *c, char byte)
{
    switch ((enum state)c->state) {
    case STATE_SIZE:
    case STATE_DIGITS:
    case STATE_EXTENSION:
    case STATE_SIZE_LF:
        return take_size_line(c, byte);
    case STATE_DATA_CR:
        return byte == '\r' ? STATE_DATA_LF : STATE_BAD;
    case STATE_DATA_LF:
        return byte == '\n' ? STATE_SIZE : STATE_BAD;
    case STATE_LINE:
    case STATE_NAME:
    case STATE_VALUE:
    case STATE_VALUE_LF:
    case STATE_END_LF:
        return take_trailer(c, byte);
    case STATE_DATA:
    case STATE_DONE:
    case STATE_BAD:
        break;
    }
    return STATE_BAD;
}

static struct slice take_data(struct http_chunked *c, struct slice in)
{
    struct slice data = slice_first(in, c->left < in.len ? (size_t)c->left : in.len);
    c->left -= data.len;
    if (c->left == 0)
        c->state = STATE_DATA_CR;
    return data;
}

enum parse_status http_chunked_next(struct http_chunked *c, struct slice in, size_t *used,
                                    struct slice *data)
{
    size_t at = 0;
    *data = SLICE_NONE;
    while (at < in.len && c->state != STATE_DATA && c->state != STATE_DONE && c->state != STATE_BAD)
        c->state = (uint8_t)take_byte(c, in.ptr[at++]);
    if (at < in.len && c->state == STATE_DATA) {
        *data = take_data(c, slice_skip(in, at));
        at += data->len;
    }
    *used = at;
    if (c->state == STATE_BAD)
        return PARSE_BAD;
    return c->state == STATE_DONE ? PARSE_OK : PARSE_MORE;
}
