/* SPDX-License-Identifier: MIT */
#include "proto/ws_frame.h"

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | p[i];
    return value;
}

static enum parse_status bad(struct ws_head *ret, const char *why)
{
    ret->why = why;
    return PARSE_BAD;
}

static bool is_op(unsigned op)
{
    return op <= WS_OP_BINARY || (op >= WS_OP_CLOSE && op <= WS_OP_PONG);
}

/* Takes the extended length, if there is one (RFC 6455, 5.2: in the fewest bytes that hold it). */
static enum parse_status take_length(const uint8_t *p, size_t len, struct ws_head *h)
{
    size_t size = h->length == 127 ? 8 : h->length == 126 ? 2 : 0;
    h->size = (uint8_t)(2 + size + (h->masked ? 4 : 0));
    if (size == 0)
        return PARSE_OK;
    if (len < 2 + size)
        return PARSE_MORE;
    h->length = big_endian(p + 2, size);
    if (h->length >> 63)
        return bad(h, "a payload length with its top bit set");
    if (h->length <= (size == 2 ? 125 : UINT16_MAX))
        return bad(h, "a payload length that is not in its shortest form");
    return PARSE_OK;
}

enum parse_status ws_head_parse(struct slice in, struct ws_head *ret)
{
    if (in.len < 2)
        return PARSE_MORE;
    const uint8_t *p = (const uint8_t *)in.ptr;
    struct ws_head h = {
        .fin = p[0] & 0x80,
        .rsv = p[0] >> 4 & 7,
        .op = (enum ws_op)(p[0] & 15),
        .masked = p[1] & 0x80,
        .length = p[1] & 0x7f,
    };
    if (!is_op(h.op))
        return bad(ret, "an opcode that is not defined");
    if (h.op >= WS_OP_CLOSE && !h.fin)
        return bad(ret, "a control frame that is fragmented");
    if (h.op >= WS_OP_CLOSE && h.length > 125)
        return bad(ret, "a control frame longer than 125 bytes");
    enum parse_status status = take_length(p, in.len, &h);
    if (status == PARSE_BAD)
        return bad(ret, h.why);
    if (status == PARSE_MORE || in.len < h.size)
        return PARSE_MORE;
    if (h.masked)
        memcpy(h.mask, p + h.size - 4, 4);
    *ret = h;
    return PARSE_OK;
}

static size_t put_length(uint8_t *out, uint64_t length)
{
    size_t size = length < 126 ? 0 : length <= UINT16_MAX ? 2 : 8;
    out[1] = size == 0 ? (uint8_t)length : size == 2 ? 126 : 127;
    for (size_t i = 0; i < size; i++)
        out[2 + i] = (uint8_t)(length >> 8 * (size - 1 - i));
    return 2 + size;
}

size_t ws_head_write(char out[WS_HEAD_MAX], enum ws_op op, uint64_t length)
{
    out[0] = (char)(0x80 | op);
    return put_length((uint8_t *)out, length);
}

size_t ws_head_write_full(char out[WS_HEAD_MAX], const struct ws_head *head)
{
    uint8_t *p = (uint8_t *)out;
    p[0] = (uint8_t)((head->fin ? 0x80 : 0) | head->rsv << 4 | head->op);
    size_t size = put_length(p, head->length);
    if (!head->masked)
        return size;
    p[1] |= 0x80;
    memcpy(p + size, head->mask, 4);
    return size + 4;
}

bool ws_close_code_valid(unsigned code)
{
    if (code < 3000)
        return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
    return code <= 4999;
}
