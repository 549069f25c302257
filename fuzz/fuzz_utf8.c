/* SPDX-License-Identifier: MIT */
/* UTF-8: the quick, the plain and the piecewise answer are one; so is that of walking by
 * characters. */
#include "fuzz.h"

#include "base/utf8.h"

static bool valid_in_pieces(struct slice in)
{
    struct utf8_stream u = {0};
    uint64_t seed = fuzz_seed(in);
    while (in.len) {
        struct slice piece = slice_first(in, fuzz_step(&seed, in.len));
        if (!utf8_stream_next(&u, piece))
            return false;
        in = slice_skip(in, piece.len);
    }
    return utf8_stream_whole(&u);
}

static bool valid_by_characters(struct slice in)
{
    uint32_t code;
    while (in.len) {
        size_t len = utf8_next(in, &code);
        if (len == 0)
            return false;
        FUZZ_CHECK(len <= in.len && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
        FUZZ_CHECK(len == (code < 0x80 ? 1u : code < 0x800 ? 2u : code < 0x10000 ? 3u : 4u));
        in = slice_skip(in, len);
    }
    return true;
}

/* The stream refuses as soon as nothing that follows could mend it. */
static void check_fails_fast(struct slice in)
{
    struct utf8_stream u = {0};
    for (size_t i = 0; i < in.len; i++) {
        if (utf8_stream_next(&u, slice_make(in.ptr + i, 1)))
            continue;
        FUZZ_CHECK(!utf8_valid(slice_first(in, i + 1)));
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    bool valid = utf8_valid_plain(in);
    FUZZ_CHECK(valid_in_pieces(in) == valid);
    FUZZ_CHECK(valid_by_characters(in) == valid);
    check_fails_fast(in);
    for (size_t skip = 0; skip < 32 && skip <= size; skip++) {
        struct slice rest = slice_skip(in, skip);
        FUZZ_CHECK(utf8_valid(rest) == utf8_valid_plain(rest));
    }
    return 0;
}
