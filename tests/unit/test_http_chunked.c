/* SPDX-License-Identifier: MIT */
#include "proto/http_chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "random.h"

struct decoded {
    enum parse_status status;
    size_t used, len;
    char data[70000];
};

/* Feeds `in` in pieces of `step` bytes; what a call leaves is fed again. */
static void decode(struct slice in, size_t step, struct decoded *ret)
{
    struct http_chunked c;
    http_chunked_init(&c);
    ret->status = PARSE_MORE;
    ret->used = ret->len = 0;
    while (ret->status == PARSE_MORE && ret->used < in.len) {
        struct slice data;
        size_t used;
        ret->status =
            http_chunked_next(&c, slice_first(slice_skip(in, ret->used), step), &used, &data);
        memcpy(ret->data + ret->len, data.len ? data.ptr : "", data.len);
        ret->len += data.len;
        ret->used += used;
    }
}

static struct decoded whole, part;

static void check_splits(struct slice in)
{
    decode(in, in.len, &whole);
    for (size_t step = 1; step < in.len; step++) {
        decode(in, step, &part);
        assert_int_equal(part.status, whole.status);
        assert_int_equal(part.used, whole.used);
        assert_true(
            slice_equal(slice_make(part.data, part.len), slice_make(whole.data, whole.len)));
    }
}

static void check_body(const char *text, const char *body, const char *rest)
{
    decode(slice_of(text), SIZE_MAX, &whole);
    if (whole.status != PARSE_OK)
        fail_msg("refused: %s", text);
    assert_true(slice_equal(slice_make(whole.data, whole.len), slice_of(body)));
    assert_string_equal(text + whole.used, rest);
    check_splits(slice_of(text));
}

static void rfc9112_7_1_bodies(void **state)
{
    (void)state;
    check_body("0\r\n\r\n", "", "");
    check_body("5\r\nhello\r\n0\r\n\r\n", "hello", "");
    check_body("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET / HTTP/1.1", "hello world",
               "GET / HTTP/1.1");
    check_body("A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij", "");
    check_body("0005\r\n\r\n\r\n\r\r\n000\r\n\r\n", "\r\n\r\n\r", "");
}

static void rfc9112_7_1_1_extensions_are_skipped(void **state)
{
    (void)state;
    check_body("5;a\r\nhello\r\n0;b=c;d=\"e f\"\r\n\r\n", "hello", "");
    check_body("5;\r\nhello\r\n0\r\n\r\n", "hello", "");
}

static void rfc9112_7_1_2_trailers_are_dropped(void **state)
{
    (void)state;
    check_body("1\r\nx\r\n0\r\nA: b\r\nContent-Length:\t5\r\nC:\r\n\r\nrest", "x", "rest");
}

static void rfc9112_7_1_what_could_be_smuggled_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "5\t\r\nhello\r\n",
        "5 ;a\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "-5\r\nhello\r\n",
        "g\r\n",
        ";a\r\n",
        "5\nhello\r\n",
        "5\rhello\r\n",
        "5\r\rhello\r\n",
        "5;a\nhello\r\n",
        "5;a\rb\r\nhello\r\n",
        "5;a\x01\r\nhello\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhellox\r\n",
        "4\r\nhello\r\n",
        "20000000000001\r\n",
        "ffffffffffffffff\r\n",
        "10000000000000005\r\n",
        "0\n",
        "0\r\n\n",
        "0\r\n\rx",
        "0\r\n A: b\r\n\r\n",
        "0\r\nA : b\r\n\r\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\rc\r\n\r\n",
        "0\r\nA\r\n\r\n",
        "0\r\n: b\r\n\r\n",
        "0\r\nA: b\r\n c\r\n\r\n",
        "0\r\nA: \x7f\r\n\r\n",
        "5,6\r\n",
        "5.0\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        decode(slice_of(rows[i]), SIZE_MAX, &whole);
        if (whole.status != PARSE_BAD)
            fail_msg("row %zu: %s", i, rows[i]);
        check_splits(slice_of(rows[i]));
    }
}

static void a_refused_body_stays_refused(void **state)
{
    (void)state;
    struct http_chunked c;
    struct slice data;
    size_t used;
    http_chunked_init(&c);
    assert_int_equal(http_chunked_next(&c, slice_of("x"), &used, &data), PARSE_BAD);
    assert_int_equal(http_chunked_next(&c, slice_of("0\r\n\r\n"), &used, &data), PARSE_BAD);
    assert_int_equal(used, 0);
}

static void the_largest_chunk_is_2_to_the_53(void **state)
{
    (void)state;
    struct http_chunked c;
    struct slice data;
    size_t used;
    http_chunked_init(&c);
    assert_int_equal(http_chunked_next(&c, slice_of("20000000000000\r\nab"), &used, &data),
                     PARSE_MORE);
    assert_int_equal(data.len, 2);
    assert_true(c.left == (UINT64_C(1) << 53) - 2);
}

/* `lead`, then so many times `x`, then `tail`. */
static enum parse_status decode_long(const char *lead, size_t count, const char *tail)
{
    static char text[20000];
    size_t n = strlen(lead);
    memcpy(text, lead, n);
    memset(text + n, 'x', count);
    strcpy(text + n + count, tail);
    decode(slice_of(text), SIZE_MAX, &whole);
    return whole.status;
}

static void extensions_and_trailers_are_bounded(void **state)
{
    (void)state;
    size_t line = HTTP_CHUNK_LINE_MAX - strlen("0;\r\n");
    assert_int_equal(decode_long("0;", line, "\r\n\r\n"), PARSE_OK);
    assert_int_equal(decode_long("0;", line + 1, "\r\n\r\n"), PARSE_BAD);
    size_t trailers = HTTP_TRAILERS_MAX - strlen("A:\r\n\r\n");
    assert_int_equal(decode_long("0\r\nA:", trailers, "\r\n\r\n"), PARSE_OK);
    assert_int_equal(decode_long("0\r\nA:", trailers + 1, "\r\n\r\n"), PARSE_BAD);
    assert_int_equal(
        decode_long("", 0, "0000000000000000000000000000000000005\r\nhello\r\n0\r\n\r\n"),
        PARSE_OK);
}

static void any_body_in_any_chunks_comes_back(void **state)
{
    (void)state;
    static char body[3000], text[70000];
    uint64_t seed = 1;
    for (int round = 0; round < 200; round++) {
        size_t len = random_below(&seed, sizeof(body)), n = 0, at = 0;
        for (size_t i = 0; i < len; i++)
            body[i] = (char)next_random(&seed);
        while (at < len) {
            size_t chunk = 1 + random_below(&seed, len - at);
            n += (size_t)sprintf(text + n, round & 1 ? "%zx\r\n" : "%zX;a=b\r\n", chunk);
            memcpy(text + n, body + at, chunk);
            n += chunk;
            at += chunk;
            n += (size_t)sprintf(text + n, "\r\n");
        }
        n += (size_t)sprintf(text + n, "0\r\n\r\n");
        decode(slice_make(text, n), 1 + random_below(&seed, 100), &whole);
        assert_int_equal(whole.status, PARSE_OK);
        assert_int_equal(whole.used, n);
        assert_true(slice_equal(slice_make(whole.data, whole.len), slice_make(body, len)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9112_7_1_bodies),
        cmocka_unit_test(rfc9112_7_1_1_extensions_are_skipped),
        cmocka_unit_test(rfc9112_7_1_2_trailers_are_dropped),
        cmocka_unit_test(rfc9112_7_1_what_could_be_smuggled_is_refused),
        cmocka_unit_test(a_refused_body_stays_refused),
        cmocka_unit_test(the_largest_chunk_is_2_to_the_53),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
        cmocka_unit_test(any_body_in_any_chunks_comes_back),
    };
    return cmocka_run_group_tests_name("http_chunked", tests, NULL, NULL);
}
