/* SPDX-License-Identifier: MIT */
/* Frames of byte streams: what is accepted has its slices inside, and is what its fields write. */
#include "fuzz.h"

#include "proto/channel_frame.h"

static bool has_json(const struct channel_frame *f)
{
    return f->type == CHANNEL_OPEN || f->type == CHANNEL_OPENED || f->type == CHANNEL_RESET;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct channel_frame f = {0};
    enum parse_status status = channel_frame_parse(in, &f);
    FUZZ_CHECK(status != PARSE_MORE && (status == PARSE_BAD) == (f.why != NULL));
    if (status == PARSE_BAD)
        return 0;
    char head[CHANNEL_HEAD_MAX];
    size_t head_len = channel_frame_head(&f, head);
    FUZZ_CHECK(channel_frame_is(in) && f.channel);
    FUZZ_CHECK(head_len + f.body.len == size && memcmp(head, data, head_len) == 0);
    FUZZ_CHECK(!f.body.len || f.body.ptr == in.ptr + head_len);
    FUZZ_CHECK(f.received <= CHANNEL_COUNT_MAX && f.limit <= CHANNEL_COUNT_MAX);
    FUZZ_CHECK(!has_json(&f) || (f.body.ptr[0] == '{' && !memchr(f.body.ptr, '\n', f.body.len)));
    return 0;
}
