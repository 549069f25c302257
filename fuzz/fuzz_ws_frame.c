/* SPDX-License-Identifier: MIT */
/* WebSocket frames: a header that is accepted is the one its fields write; unmasking equals its
 * plain twin and undoes itself. */
#include "fuzz.h"

#include "proto/ws_frame.h"

static void check_prefixes(struct slice in, enum parse_status status, const struct ws_head *whole)
{
    struct ws_head head;
    for (size_t len = 0; len < in.len && len <= WS_HEAD_MAX; len++) {
        enum parse_status early = ws_head_parse(slice_first(in, len), &head);
        if (early == PARSE_OK)
            FUZZ_CHECK(status == PARSE_OK && head.size == whole->size && len >= head.size);
        else
            FUZZ_CHECK(early == PARSE_MORE || status == PARSE_BAD);
    }
}

static void check_head(struct slice in, const struct ws_head *head)
{
    char out[WS_HEAD_MAX];
    FUZZ_CHECK(head->size >= 2 && head->size <= in.len && head->length >> 63 == 0);
    FUZZ_CHECK(ws_head_write_full(out, head) == head->size);
    FUZZ_CHECK(memcmp(out, in.ptr, head->size) == 0);
    if (!head->masked && head->fin && head->rsv == 0) {
        FUZZ_CHECK(ws_head_write(out, head->op, head->length) == head->size);
        FUZZ_CHECK(memcmp(out, in.ptr, head->size) == 0);
    }
}

static void check_mask(struct slice payload, const uint8_t mask[4])
{
    uint64_t seed = fuzz_seed(payload), offset = seed >> 7;
    char *fast = malloc(payload.len + 1), *plain = malloc(payload.len + 1);
    memcpy(fast, payload.ptr, payload.len);
    memcpy(plain, payload.ptr, payload.len);
    ws_mask_plain(plain, payload.len, mask, offset);
    for (size_t at = 0; at < payload.len;) { /* in pieces, at any alignment */
        size_t step = fuzz_step(&seed, payload.len - at);
        ws_mask(fast + at, step, mask, offset + at);
        at += step;
    }
    FUZZ_CHECK(memcmp(fast, plain, payload.len) == 0);
    ws_mask(fast, payload.len, mask, offset);
    FUZZ_CHECK(memcmp(fast, payload.ptr, payload.len) == 0);
    free(fast);
    free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct ws_head head;
    enum parse_status status = ws_head_parse(in, &head);
    check_prefixes(in, status, &head);
    if (status == PARSE_BAD)
        FUZZ_CHECK(head.why != NULL);
    if (status != PARSE_OK)
        return 0;
    check_head(in, &head);
    if (head.masked)
        check_mask(slice_skip(in, head.size), head.mask);
    return 0;
}
