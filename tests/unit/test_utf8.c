/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include "base/utf8_twins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "random.h"

/* RFC 3629, 4, as it is written, character by character: the oracle of the plain twin. */
static bool follows(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return false;
    return true;
}

static size_t character(const uint8_t *p, size_t len)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        return len >= 2 && follows(p + 1, 1) ? 2 : 0;
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        if (len < 3 || !follows(p + 1, 2))
            return 0;
        return (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ? 0 : 3;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        if (len < 4 || !follows(p + 1, 3))
            return 0;
        return (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f) ? 0 : 4;
    }
    return 0;
}

static bool by_the_book(struct slice s)
{
    for (size_t at = 0, n; at < s.len; at += n) {
        n = character((const uint8_t *)s.ptr + at, s.len - at);
        if (n == 0)
            return false;
    }
    return true;
}

static bool in_pieces(struct slice s, uint64_t *seed)
{
    struct utf8_stream u = {0};
    while (s.len) {
        size_t n = 1 + random_below(seed, s.len);
        if (!utf8_stream_next(&u, slice_first(s, n)))
            return false;
        s = slice_skip(s, n);
    }
    return utf8_stream_whole(&u);
}

static uint64_t seed = 20080618;

static void check(struct slice s)
{
    bool valid = by_the_book(s);
    assert_int_equal(utf8_valid_plain(s), valid);
    assert_int_equal(utf8_valid(s), valid);
    assert_int_equal(utf8_valid_runs(s), valid);
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        assert_int_equal(utf8_valid_avx2(s), valid);
#endif
    assert_int_equal(in_pieces(s, &seed), valid);
}

/* Three bytes at the border of two blocks of 32. */
static void check_three(uint8_t first, unsigned others)
{
    char text[96];
    const uint8_t bytes[3] = {first, (uint8_t)(others >> 8), (uint8_t)others};
    memset(text, 'a', sizeof(text));
    memcpy(text + 29 + others % 6, bytes, 3);
    if (utf8_valid(slice_make(text, sizeof(text))) != by_the_book(slice_make(bytes, 3)))
        fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
}

/* What begins with neither ASCII nor a lead byte is wrong at once. */
static void rfc3629_4_every_sequence_of_up_to_three_bytes(void **state)
{
    (void)state;
    for (unsigned others = 0; others < 1u << 16; others++) {
        check_three('a', others);
        for (unsigned lead = 0xc0; lead <= 0xff; lead++)
            check_three((uint8_t)lead, others);
    }
}

static const char *const edges[] = {
    "\xc2\x80",
    "\xdf\xbf",
    "\xe0\xa0\x80",
    "\xec\xbf\xbf",
    "\xed\x80\x80",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\xef\xbf\xbf",
    "\xf0\x90\x80\x80",
    "\xf3\xbf\xbf\xbf",
    "\xf4\x80\x80\x80",
    "\xf4\x8f\xbf\xbf",
    "\x7f", /* good ones to here */
    "\x80",
    "\xbf",
    "\xc0\x80",
    "\xc1\xbf",
    "\xe0\x80\x80",
    "\xe0\x9f\xbf",
    "\xed\xa0\x80",
    "\xed\xbf\xbf",
    "\xf0\x80\x80\x80",
    "\xf0\x8f\xbf\xbf",
    "\xf4\x90\x80\x80",
    "\xf5\x80\x80\x80",
    "\xf8\x88\x80\x80\x80",
    "\xfe",
    "\xff",
    "\xc2",
    "\xe0\xa0",
    "\xf0\x90\x80",
    "\xc2\xc2\x80",
    "\xe1\x80\x41",
    "\xf1\x80\x80\x41",
    "\xc2\x80\x80",
    "\xe1\x80\x80\x80",
    "\xf1\x80\x80\x80\x80",
};

static void rfc3629_3_edges_at_every_place_and_alignment(void **state)
{
    (void)state;
    char *block = malloc(160);
    for (size_t i = 0; i < COUNT_OF(edges); i++) {
        size_t len = strlen(edges[i]);
        for (size_t at = 0; at < 100; at++) {
            memset(block, 'x', 160);
            memcpy(block + at, edges[i], len);
            size_t skip = at % 32;
            check(slice_make(block + skip, 128 - skip));      /* in the middle, at any alignment */
            check(slice_make(block + skip, at + len - skip)); /* at the end */
            for (size_t cut = 1; cut < len; cut++)
                check(slice_make(block, at + cut)); /* cut short at the end */
        }
    }
    free(block);
}

static void random_text_and_random_damage(void **state)
{
    (void)state;
    char *block = malloc(600);
    for (int round = 0; round < 20000; round++) {
        size_t len = 0, wanted = random_below(&seed, 400);
        while (len < wanted) {
            const char *edge = edges[random_below(&seed, 13)];
            size_t run = random_below(&seed, 3) ? 1 : random_below(&seed, 40);
            memcpy(block + len, edge, strlen(edge));
            len += strlen(edge);
            memset(block + len, 'a', run);
            len += run;
        }
        check(slice_make(block, len));
        if (len && round & 1)
            block[random_below(&seed, len)] = (char)next_random(&seed);
        size_t skip = random_below(&seed, len < 33 ? len : 33);
        check(slice_make(block + skip, len - skip));
    }
    free(block);
}

static void rfc6455_8_1_a_stream_fails_at_the_first_byte_that_cant_be(void **state)
{
    (void)state;
    struct utf8_stream u = {0};
    assert_true(utf8_stream_next(&u, slice_of("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4")));
    assert_false(utf8_stream_whole(&u));
    assert_false(utf8_stream_next(&u, slice_of("\x90"))); /* F4 90 is beyond U+10FFFF */
    u = (struct utf8_stream){0};
    assert_true(utf8_stream_next(&u, slice_of("\xed")));
    assert_false(utf8_stream_next(&u, slice_of("\xa0")));
    u = (struct utf8_stream){0};
    assert_true(utf8_stream_next(&u, slice_of("\xf0\x9f")));
    assert_true(utf8_stream_next(&u, slice_of("")));
    assert_true(utf8_stream_next(&u, slice_of("\x98\x80")));
    assert_true(utf8_stream_whole(&u));
}

static void characters_one_by_one(void **state)
{
    (void)state;
    struct slice s = slice_of("a\xc3\xb8\xe2\x82\xac\xf0\x9f\x98\x80\xff");
    const uint32_t wanted[] = {'a', 0xf8, 0x20ac, 0x1f600};
    for (size_t i = 0; i < 4; i++) {
        uint32_t code = 0;
        size_t n = utf8_next(s, &code);
        assert_int_equal(n, i + 1);
        assert_int_equal(code, wanted[i]);
        s = slice_skip(s, n);
    }
    uint32_t untouched = 7;
    assert_int_equal(utf8_next(s, &untouched), 0);
    assert_int_equal(utf8_next(slice_of(""), &untouched), 0);
    const char *bad[] = {"\xe2\x82",         "\xc3(", "\xe2\x82(",
                         "\xf0\x9f\x98\xc3", "\x80",  "\xed\xa0\x80"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(utf8_next(slice_of(bad[i]), &untouched), 0);
    assert_int_equal(untouched, 7);
}

static void a_text_is_cut_between_characters(void **state)
{
    (void)state;
    struct slice s = slice_of("a\xc3\xb8\xe2\x82\xac\xf0\x9f\x98\x80z");
    const size_t wanted[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};
    for (size_t max = 0; max < COUNT_OF(wanted); max++) {
        struct slice cut = utf8_first(s, max);
        assert_ptr_equal(cut.ptr, s.ptr);
        assert_int_equal(cut.len, wanted[max]);
    }
    assert_int_equal(utf8_first(slice_of("\x80\x80\x80\x80\x80\x80"), 5).len,
                     2); /* no text: soon */
}

static void nothing_is_valid(void **state)
{
    (void)state;
    assert_true(utf8_valid(SLICE_NONE));
    assert_true(utf8_valid_plain(slice_of("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3629_4_every_sequence_of_up_to_three_bytes),
        cmocka_unit_test(rfc3629_3_edges_at_every_place_and_alignment),
        cmocka_unit_test(random_text_and_random_damage),
        cmocka_unit_test(rfc6455_8_1_a_stream_fails_at_the_first_byte_that_cant_be),
        cmocka_unit_test(characters_one_by_one),
        cmocka_unit_test(a_text_is_cut_between_characters),
        cmocka_unit_test(nothing_is_valid),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
