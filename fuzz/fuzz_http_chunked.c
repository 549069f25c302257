/* SPDX-License-Identifier: MIT */
/* The chunked coding: the same data, end and verdict however it is cut; coded again it is itself.
 */
#include "fuzz.h"

#include "proto/http_chunked.h"

struct body {
    enum parse_status status;
    size_t used, len;
    char *data;
};

/* Decodes `in` in pieces of at most `step_max` bytes. */
static struct body decode(struct slice in, size_t step_max)
{
    struct http_chunked c;
    struct body b = {.status = PARSE_MORE, .data = malloc(in.len + 1)};
    uint64_t seed = fuzz_seed(in);
    http_chunked_init(&c);
    while (b.status == PARSE_MORE && b.used < in.len) {
        struct slice piece = slice_first(slice_skip(in, b.used), fuzz_step(&seed, step_max));
        struct slice data;
        size_t used = 0;
        b.status = http_chunked_next(&c, piece, &used, &data);
        FUZZ_CHECK(used > 0 && used <= piece.len && data.len <= used);
        FUZZ_CHECK(data.len == 0 || fuzz_inside(slice_first(piece, used), data));
        if (data.len)
            memcpy(b.data + b.len, data.ptr, data.len);
        b.len += data.len;
        b.used += used;
    }
    return b;
}

static void check_round_trip(const struct body *b)
{
    char *text = malloc(32 * b->len + 64); /* enough for one byte a chunk */
    size_t n = 0, at = 0;
    uint64_t seed = fuzz_seed(slice_make(b->data, b->len));
    while (at < b->len) {
        size_t step = fuzz_step(&seed, b->len - at);
        n += (size_t)sprintf(text + n, "%zx\r\n", step);
        memcpy(text + n, b->data + at, step);
        n += step;
        text[n++] = '\r';
        text[n++] = '\n';
        at += step;
    }
    n += (size_t)sprintf(text + n, "0\r\n\r\n");
    struct body again = decode(slice_make(text, n), 7);
    FUZZ_CHECK(again.status == PARSE_OK && again.used == n);
    FUZZ_CHECK(slice_equal(slice_make(b->data, b->len), slice_make(again.data, again.len)));
    free(again.data);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct body whole = decode(in, SIZE_MAX), cut = decode(in, 9);
    FUZZ_CHECK(whole.status == cut.status && whole.used == cut.used);
    FUZZ_CHECK(slice_equal(slice_make(whole.data, whole.len), slice_make(cut.data, cut.len)));
    if (whole.status == PARSE_OK)
        check_round_trip(&whole);
    free(whole.data);
    free(cut.data);
    return 0;
}
