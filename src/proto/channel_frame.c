/* SPDX-License-Identifier: MIT */
#include "proto/channel_frame.h"

#include "proto/json.h"

static uint64_t big_endian(const char *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

static void put_big_endian(char *p, size_t n, uint64_t value)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(value >> 8 * (n - 1 - i));
}

static const char *check_json(struct slice json)
{
    if (!json.len || json.ptr[0] != '{')
        return "a frame without its JSON object";
    return json_valid(json, CHANNEL_JSON_DEPTH) ? NULL : "a frame with bad JSON";
}

static const char *take_state(struct channel_frame *f)
{
    if (f->body.len != CHANNEL_HEAD_MAX - CHANNEL_HEAD_SIZE)
        return "a STATE of the wrong length";
    f->received = big_endian(f->body.ptr, 8);
    f->limit = big_endian(f->body.ptr + 8, 8);
    f->body = SLICE_NONE;
    if (f->received > CHANNEL_COUNT_MAX || f->limit > CHANNEL_COUNT_MAX)
        return "a STATE beyond 2^53";
    return NULL;
}

/* Checks the bytes after the head. Returns NULL, or what is wrong with them. */
static const char *take_body(struct channel_frame *f)
{
    switch (f->type) {
    case CHANNEL_OPEN:
    case CHANNEL_OPENED:
    case CHANNEL_RESET:
        return check_json(f->body);
    case CHANNEL_DATA:
        return f->body.len ? NULL : "a DATA without bytes";
    case CHANNEL_STATE:
        return take_state(f);
    case CHANNEL_END:
    case CHANNEL_GONE:
        return f->body.len ? "a frame with bytes behind it" : NULL;
    }
    return "a frame of no known type";
}

enum parse_status channel_frame_parse(struct slice message, struct channel_frame *ret)
{
    if (message.len < CHANNEL_HEAD_SIZE) {
        ret->why = "a frame without its channel";
        return PARSE_BAD;
    }
    struct channel_frame f = {
        .type = (enum channel_frame_type)(unsigned char)message.ptr[0],
        .channel = (uint32_t)big_endian(message.ptr + 1, 4),
        .body = slice_skip(message, CHANNEL_HEAD_SIZE),
    };
    ret->why = f.channel ? take_body(&f) : "a frame of channel 0";
    if (ret->why)
        return PARSE_BAD;
    *ret = f;
    return PARSE_OK;
}

size_t channel_frame_head(const struct channel_frame *frame, char out[CHANNEL_HEAD_MAX])
{
    out[0] = (char)frame->type;
    put_big_endian(out + 1, 4, frame->channel);
    if (frame->type != CHANNEL_STATE)
        return CHANNEL_HEAD_SIZE;
    put_big_endian(out + 5, 8, frame->received);
    put_big_endian(out + 13, 8, frame->limit);
    return CHANNEL_HEAD_MAX;
}
