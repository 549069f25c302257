/* SPDX-License-Identifier: MIT */
#include "program/json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "proto/json.h"

static void expect(const char *bytes, size_t len, const char *json)
{
    struct text out = {0};
    json_text_put(&out, slice_make(bytes, len));
    if (!slice_equal(text_slice(&out), slice_of(json)))
        fail_msg("%.*s is not %s", SLICE_ARG(text_slice(&out)), json);
    text_done(&out);
}

static void text_is_itself_and_all_else_a_replacement(void **state)
{
    (void)state;
    expect("", 0, "\"\"");
    expect("a\"\\\n", 4, "\"a\\\"\\\\\\n\"");
    expect("bl\xc3\xa5", 4, "\"bl\xc3\xa5\"");
    expect("a\xff\xfe"
           "b",
           4,
           "\"a\xef\xbf\xbd\xef\xbf\xbd"
           "b\"");
    expect("\xc3", 1, "\"\xef\xbf\xbd\"");
    expect("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* Pieces are put together: no character is cut, whatever the length. */
static void any_length_is_valid(void **state)
{
    (void)state;
    char bytes[1200];
    for (size_t len = 0; len + 3 < sizeof(bytes); len += 7) {
        struct text out = {0};
        for (size_t i = 0; i + 3 <= len; i += 3)
            memcpy(bytes + i, "\xe2\x82\xac", 3);
        json_text_put(&out, slice_make(bytes, len / 3 * 3));
        assert_true(json_valid(text_slice(&out), 1) && utf8_valid(text_slice(&out)));
        assert_int_equal(out.len, len / 3 * 3 + 2);
        text_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_itself_and_all_else_a_replacement),
        cmocka_unit_test(any_length_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
