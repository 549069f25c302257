/* SPDX-License-Identifier: MIT */
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void numbers_are_digits_only_and_bounded(void **state)
{
    (void)state;
    uint64_t n = 7;
    assert_true(slice_to_uint(slice_of("0"), 10, &n));
    assert_int_equal(n, 0);
    assert_true(slice_to_uint(slice_of("18446744073709551615"), UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    n = 7;
    const char *bad[] = {
        "", "-1", "+1", " 1", "1 ", "1a", "18446744073709551616", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(slice_to_uint(slice_of(bad[i]), UINT64_MAX, &n));
    assert_false(slice_to_uint(slice_of("11"), 10, &n));
    assert_false(slice_to_uint(slice_of("7"), 5, &n));
    assert_int_equal(n, 7);
}

static void trimming_leaves_inner_space(void **state)
{
    (void)state;
    assert_true(slice_equal(slice_trim(slice_of(" \t a b \t")), slice_of("a b")));
    assert_int_equal(slice_trim(slice_of(" \t ")).len, 0);
}

static void case_is_ignored_for_letters_only(void **state)
{
    (void)state;
    assert_true(slice_equal_nocase(slice_of("Content-Length"), slice_of("cONTENT-lENGTH")));
    assert_false(slice_equal_nocase(slice_of("a@"), slice_of("a`")));
    assert_false(slice_equal_nocase(slice_of("a"), slice_of("ab")));
}

static bool equal_by_byte(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int x = a[i] >= 'A' && a[i] <= 'Z' ? a[i] + 32 : a[i];
        int y = b[i] >= 'A' && b[i] <= 'Z' ? b[i] + 32 : b[i];
        if (x != y)
            return false;
    }
    return true;
}

/* Of each length and at each place, every byte beside every other. */
static void comparing_eight_bytes_at_a_time_is_comparing_each(void **state)
{
    (void)state;
    char a[40], b[40];
    for (size_t len = 1; len <= sizeof(a); len++)
        for (size_t at = 0; at < len; at++)
            for (int x = 0; x < 256; x++)
                for (int y = x & 31; y < 256; y += 32) {
                    memset(a, 'q', sizeof(a));
                    memset(b, 'Q', sizeof(b));
                    a[at] = (char)x;
                    b[at] = (char)y;
                    assert_int_equal(slice_equal_nocase(slice_make(a, len), slice_make(b, len)),
                                     equal_by_byte(a, b, len));
                }
    assert_true(slice_equal_nocase(SLICE_NONE, slice_make(a, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_digits_only_and_bounded),
        cmocka_unit_test(trimming_leaves_inner_space),
        cmocka_unit_test(case_is_ignored_for_letters_only),
        cmocka_unit_test(comparing_eight_bytes_at_a_time_is_comparing_each),
    };
    return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
