/* SPDX-License-Identifier: MIT */
/* JSON: as a recursive checker sees it; quoting and unquoting undo each other. */
#include "fuzz.h"

#include "../tests/unit/json_oracle.h"
#include "base/utf8.h"
#include "proto/json.h"

static void check_valid(struct slice in)
{
    static const unsigned depths[] = {0, 1, 3, JSON_DEPTH_MAX};
    bool utf8 = utf8_valid_plain(in);
    for (size_t i = 0; i < sizeof(depths) / sizeof(*depths); i++)
        FUZZ_CHECK(json_valid(in, depths[i]) == (utf8 && json_oracle(in, depths[i])));
}

static void check_quote(struct slice in)
{
    char *quoted = malloc(6 * in.len + 2), *text = malloc(6 * in.len + 2);
    size_t len = json_quote(in, quoted), text_len = 0;
    struct slice json = slice_make(quoted, len);
    FUZZ_CHECK(len >= in.len + 2 && len <= 6 * in.len + 2);
    FUZZ_CHECK(json_valid(json, 0) && !memchr(quoted, '\n', len));
    FUZZ_CHECK(json_unquote(json, text, &text_len));
    FUZZ_CHECK(slice_equal(in, slice_make(text, text_len)));
    FUZZ_CHECK(json_is_plain(in) == (len == in.len + 2));
    free(quoted);
    free(text);
}

static void check_unquote(struct slice in)
{
    char *text = malloc(in.len + 1);
    size_t len = SIZE_MAX;
    bool good = json_unquote(in, text, &len);
    struct slice trimmed = slice_trim(in);
    bool string = json_valid(in, 0) && trimmed.ptr[0] == '"';
    FUZZ_CHECK(good == string);
    if (good) {
        FUZZ_CHECK(len <= in.len && utf8_valid(slice_make(text, len)));
        check_quote(slice_make(text, len));
    }
    struct slice plain;
    if (json_valid(in, JSON_DEPTH_MAX) && json_plain_text(in, &plain))
        FUZZ_CHECK(good && slice_equal(plain, slice_make(text, len)));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    check_valid(in);
    check_unquote(in);
    if (utf8_valid(in))
        check_quote(in);
    return 0;
}
