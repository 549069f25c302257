/* SPDX-License-Identifier: MIT */
#include "base/base64url.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "random.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void there_are_64_letters(void **state)
{
    (void)state;
    int found = 0;
    for (int c = CHAR_MIN; c <= CHAR_MAX; c++)
        found += base64url_value((char)c) >= 0;
    assert_int_equal(found, 64);
    for (int i = 0; i < 64; i++)
        assert_int_equal(base64url_value(letters[i]), i);
    assert_int_equal(base64url_value('\0'), -1);
}

static void a_span_ends_before_what_is_no_letter(void **state)
{
    (void)state;
    assert_int_equal(base64url_span(SLICE_NONE), 0);
    assert_int_equal(base64url_span(slice_of(letters)), 64);
    assert_int_equal(base64url_span(SLICE_LITERAL("aZ0-_.b")), 5);
    assert_int_equal(base64url_span(SLICE_LITERAL("+a")), 0);
    assert_int_equal(base64url_span(slice_make("a\0b", 3)), 1);
}

/* RFC 4648, 10, and the letters that base64 has not. */
static void bytes_are_written_as_letters(void **state)
{
    (void)state;
    char out[9] = "";
    base64url_write((const uint8_t *)"foobar", 6, out);
    assert_string_equal(out, "Zm9vYmFy");
    base64url_write((const uint8_t *)"\xfb\xff\xfe", 3, out);
    assert_memory_equal(out, "-__-", 4);
}

static void what_is_written_can_be_read(void **state)
{
    (void)state;
    uint8_t raw[18];
    char out[24];
    uint64_t seed = 1;
    for (int round = 0; round < 1000; round++) {
        for (size_t i = 0; i < sizeof(raw); i++)
            raw[i] = (uint8_t)next_random(&seed);
        base64url_write(raw, sizeof(raw), out);
        for (size_t i = 0; i < sizeof(raw); i++) {
            size_t bit = i * 8, at = bit / 6;
            unsigned two = (unsigned)(base64url_value(out[at]) << 6 | base64url_value(out[at + 1]));
            assert_int_equal(two >> (4 - bit % 6) & 255, raw[i]);
        }
    }
}

static void any_number_of_bytes_comes_back(void **state)
{
    (void)state;
    uint8_t raw[40], back[42];
    char out[54];
    uint64_t seed = 2;
    for (size_t len = 0; len <= sizeof(raw); len++) {
        for (size_t i = 0; i < len; i++)
            raw[i] = (uint8_t)next_random(&seed);
        base64url_encode(raw, len, out);
        assert_int_equal(base64url_decode(slice_make(out, BASE64URL_LEN(len)), back), len);
        assert_memory_equal(raw, back, len);
    }
    base64url_encode((const uint8_t *)"f", 1, out);
    assert_memory_equal(out, "Zg", 2);
    base64url_encode((const uint8_t *)"fo", 2, out);
    assert_memory_equal(out, "Zm8", 3);
}

static void letters_that_nobody_writes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"Z", "Zm9vY", "Zm9!", "Zg==", "Zh", "Zm9", "Zm 9"};
    uint8_t out[6];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(base64url_decode(slice_of(wrong[i]), out), -1);
}

static void drawn_letters_are_of_the_alphabet_and_differ(void **state)
{
    (void)state;
    char one[64], other[64];
    assert_int_equal(base64url_draw(one, sizeof(one)), 0);
    assert_int_equal(base64url_draw(other, sizeof(other)), 0);
    assert_int_equal(base64url_span(slice_make(one, sizeof(one))), sizeof(one));
    assert_memory_not_equal(one, other, sizeof(one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_64_letters),
        cmocka_unit_test(a_span_ends_before_what_is_no_letter),
        cmocka_unit_test(bytes_are_written_as_letters),
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(any_number_of_bytes_comes_back),
        cmocka_unit_test(letters_that_nobody_writes_are_refused),
        cmocka_unit_test(drawn_letters_are_of_the_alphabet_and_differ),
    };
    return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}
