/* SPDX-License-Identifier: MIT */
#include "proto/json_text.h"

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

static void an_object_has_its_commas_and_braces(void **state)
{
    (void)state;
    struct text out = {0};
    json_text_begin(&out);
    json_text_string(&out, "reason", SLICE_LITERAL("a \"b\""));
    json_text_number(&out, "retryAfter", -1);
    json_text_flag(&out, "resumed", true);
    json_text_value(&out, "data", SLICE_LITERAL("[1]"));
    json_text_end(&out);
    assert_true(slice_equal(
        text_slice(&out),
        SLICE_LITERAL(
            "{\"reason\":\"a \\\"b\\\"\",\"retryAfter\":-1,\"resumed\":true,\"data\":[1]}")));
    text_done(&out);
}

/* A text in a buffer never grows, and says that something has been left out. */
static void a_buffer_that_is_too_small_fails(void **state)
{
    (void)state;
    char buffer[12];
    struct text out = TEXT_IN(buffer);
    json_text_begin(&out);
    assert_false(out.failed);
    json_text_string(&out, "reason", SLICE_LITERAL("overload"));
    assert_true(out.failed);
    assert_ptr_equal(out.ptr, buffer);
    assert_true(out.len <= sizeof(buffer));
    text_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_itself_and_all_else_a_replacement),
        cmocka_unit_test(any_length_is_valid),
        cmocka_unit_test(an_object_has_its_commas_and_braces),
        cmocka_unit_test(a_buffer_that_is_too_small_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
