/* SPDX-License-Identifier: MIT */
/* Tokens of a file: which lines are some, and that nothing else is taken for one. */
#include "admin/tokens.h"

#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct tokens *read_text(const char *content, struct text *why)
{
    char file[] = "/tmp/httpsocket-tokens-XXXXXX";
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
    struct tokens *tokens = tokens_read(file, why);
    unlink(file);
    return tokens;
}

static void a_file_has_one_a_line(void **state)
{
    (void)state;
    struct text why = {0};
    struct tokens *t =
        read_text("# two\n\n  0123456789abcdef\t\r\nABCDEFGHIJKLMNOP-._~+/=\n", &why);
    assert_non_null(t);
    assert_true(tokens_have(t, SLICE_LITERAL("0123456789abcdef")));
    assert_true(tokens_have(t, SLICE_LITERAL("ABCDEFGHIJKLMNOP-._~+/=")));
    tokens_free(t);
}

static void nothing_else_is_taken_for_one(void **state)
{
    (void)state;
    struct text why = {0};
    struct tokens *t = read_text("0123456789abcdef\n", &why);
    struct slice token = SLICE_LITERAL("0123456789abcdef"),
                 twice = SLICE_LITERAL("0123456789abcdef"
                                       "0123456789abcdef");
    assert_non_null(t);
    for (size_t len = 0; len < twice.len; len++)
        assert_int_equal(tokens_have(t, slice_first(twice, len)), len == token.len);
    assert_false(tokens_have(t, twice));
    for (size_t i = 0; i < token.len; i++) {
        char other[16];
        memcpy(other, token.ptr, sizeof(other));
        other[i] ^= 1;
        assert_false(tokens_have(t, slice_make(other, sizeof(other))));
    }
    tokens_free(t);
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *content, *why;
    } cases[] = {
        {"", "no token"},
        {"# none\n\n", "no token"},
        {"0123456789abcdef\n0123456789abcde\n", ":2: expected a token"},
        {"0123456789abcdef 0123456789abcdef\n", ":1: expected a token"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct text why = {0};
        assert_null(read_text(cases[i].content, &why));
        text_put(&why, slice_make("", 1));
        assert_non_null(strstr(why.ptr, cases[i].why));
        text_done(&why);
    }
    struct text why = {0};
    assert_null(tokens_read("/nowhere/at/all", &why));
    assert_true(why.len > 0);
    text_done(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_has_one_a_line),
        cmocka_unit_test(nothing_else_is_taken_for_one),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
