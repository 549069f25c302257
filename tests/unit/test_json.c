/* SPDX-License-Identifier: MIT */
#include "proto/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "json_oracle.h"
#include "random.h"

static bool valid(const char *text)
{
    return json_valid(slice_of(text), JSON_DEPTH_MAX);
}

static const char *const good[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "10",
    "0.0",
    "-0.5e-3",
    "1E400",
    "1e+5",
    "123456789012345678901234567890",
    "\"\"",
    "\"a\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fF\"",
    "\"\\ud800\"",
    "\"\x7f\xc2\x85\xe2\x80\xa8\xef\xbf\xbf\"",
    "\"0123456789abcdef0123456789abcdef\"",
    "[]",
    "[ ]",
    "[1]",
    "[1,2]",
    "[[],[[]],{}]",
    "{}",
    "{ }",
    "{\"a\":1}",
    "{\"a\":1,\"a\":{\"b\":[null]}}",
    " \t1\t ",
    "{ \"a\" :\t[ 1 , 2 ] }",
    "{\"\":\"\"}",
};

static const char *const bad[] = {
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "NaN",
    "Infinity",
    "undefined",
    "'a'",
    "a",
    "+1",
    "-",
    "01",
    "-01",
    "00",
    "1.",
    ".5",
    "1.e5",
    "1e",
    "1e+",
    "1e1.5",
    "0x1",
    "1 2",
    "1,",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\x41\"",
    "\"\\u004\"",
    "\"\\u00g0\"",
    "\"\\",
    "\"\\u",
    "\"a\tb\"",
    "\"a\nb\"",
    "\"\x1f\"",
    "\"a\"b",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{\"a\"}",
    "{\"a\" 1}",
    "{a:1}",
    "{1:2}",
    "{,}",
    "{\"a\":1]",
    "[]]",
    "{}}",
    "[][]",
    "[1,\n2]",
    "1\n",
    "\r1",
    "\v1",
    "\xef\xbb\xbf"
    "1",
    "\xc2\xa0"
    "1",
    "// x",
    "1 // x",
    "/**/1",
    "\"\xff\"",
    "\"\xc3\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xc0\x80\"",
    "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xe2\x82\"]",
};

static void rfc8259_what_is_json_and_what_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!valid(good[i]))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (valid(bad[i]))
            fail_msg("%s", bad[i]);
    assert_false(json_valid(slice_make("\"\0\"", 3), 0));
    assert_false(json_valid(slice_make("1\0", 2), 0));
    assert_false(json_valid(slice_make("\"\\\0\"", 4), 0));
    assert_false(json_valid(SLICE_NONE, 0));
}

static void rfc8259_9_depth_is_bounded(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 4];
    for (unsigned depth = 0; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        text[depth] = '1';
        memset(text + depth + 1, ']', depth);
        struct slice json = slice_make(text, 2 * depth + 1);
        assert_int_equal(json_valid(json, JSON_DEPTH_MAX), depth <= JSON_DEPTH_MAX);
        if (depth > 0 && depth <= JSON_DEPTH_MAX) {
            assert_true(json_valid(json, depth));
            assert_false(json_valid(json, depth - 1));
        }
    }
    assert_true(json_valid(slice_of("[[],[],{\"a\":[]},[]]"), 3));
    assert_false(json_valid(slice_of("[[],[],{\"a\":[]},[]]"), 2));
}

/* A closing bracket must be of the kind that was opened, at every depth of the bit stack. */
static void brackets_match_at_every_depth(void **state)
{
    (void)state;
    char text[8 * JSON_DEPTH_MAX];
    uint64_t seed = 5;
    for (int round = 0; round < 300; round++) {
        char closing[JSON_DEPTH_MAX];
        size_t depth = 1 + random_below(&seed, JSON_DEPTH_MAX - 1), n = 0;
        for (size_t i = 0; i < depth; i++) {
            bool object = next_random(&seed) & 1;
            closing[i] = object ? '}' : ']';
            n += (size_t)(object ? stpcpy(text + n, "{\"a\":") : stpcpy(text + n, "[")) -
                 (size_t)(text + n);
        }
        text[n++] = '0';
        for (size_t i = depth; i-- > 0;)
            text[n++] = closing[i];
        assert_true(json_valid(slice_make(text, n), JSON_DEPTH_MAX));
        size_t at = n - 1 - random_below(&seed, depth);
        text[at] = text[at] == ']' ? '}' : ']';
        assert_false(json_valid(slice_make(text, n), JSON_DEPTH_MAX));
    }
}

static void check_against_oracle(struct slice s)
{
    char *exact = malloc(s.len ? s.len : 1);
    memcpy(exact, s.ptr, s.len);
    struct slice json = slice_make(exact, s.len);
    for (unsigned depth = 0; depth < 4; depth++) {
        bool wanted = json_oracle(json, depth) && utf8_valid_plain(json);
        if (json_valid(json, depth) != wanted)
            fail_msg("depth %u: %.*s", depth, SLICE_ARG(json));
    }
    free(exact);
}

/* Pieces of JSON in random order, mostly nearly right. */
static size_t random_json(char *out, uint64_t *seed, unsigned depth)
{
    static const char *const atoms[] = {"null",
                                        "true",
                                        "1",
                                        "-1.5e3",
                                        "\"\"",
                                        "\"key\"",
                                        "\"a longer string, of more than 16 bytes\"",
                                        "\"\\u00e9\\n\"",
                                        "\"\xc3\xb8 and \xf0\x9f\x98\x80\"",
                                        " ",
                                        "tru",
                                        "01",
                                        "\"\\x\"",
                                        "\"\xc3\""};
    size_t kind = depth ? random_below(seed, 4) : 0, n = 0;
    if (kind < 2) {
        const char *atom = atoms[random_below(seed, random_below(seed, 20) ? 9 : COUNT_OF(atoms))];
        return (size_t)(stpcpy(out, atom) - out);
    }
    out[n++] = kind == 2 ? '[' : '{';
    for (size_t i = random_below(seed, 4), first = i; i > 0; i--) {
        if (i < first)
            out[n++] = ',';
        if (kind == 3)
            n += (size_t)(stpcpy(out + n, "\"name\" :") - (out + n));
        n += random_json(out + n, seed, depth - 1);
    }
    out[n++] = kind == 2 ? ']' : '}';
    return n;
}

static void random_json_is_judged_as_by_the_oracle(void **state)
{
    (void)state;
    char text[8192];
    uint64_t seed = 11;
    size_t valid_count = 0, rounds = 20000;
    for (size_t round = 0; round < rounds; round++) {
        size_t n = random_json(text, &seed, 3);
        valid_count += json_valid(slice_make(text, n), 3);
        check_against_oracle(slice_make(text, n));
        check_against_oracle(slice_make(text, random_below(&seed, n)));
        text[random_below(&seed, n)] = "\"\\{}[]:, 01e.\x01\xff"[random_below(&seed, 15)];
        check_against_oracle(slice_make(text, n));
    }
    assert_in_range(valid_count, rounds / 4, rounds - 1); /* both kinds were tried */
}

static void every_byte_at_every_place_of_a_string(void **state)
{
    (void)state;
    char text[64];
    for (int c = 0; c < 256; c++) {
        for (size_t at = 1; at < 50; at++) {
            memset(text, 'a', sizeof(text));
            text[0] = text[60] = '"';
            text[at] = (char)c;
            struct slice s = slice_make(text, 61);
            assert_int_equal(json_valid(s, 0), json_oracle(s, 0) && utf8_valid_plain(s));
        }
    }
}

static void assert_quoted(struct slice text, const char *wanted)
{
    char out[200], back[200];
    size_t n = json_quote(text, out), len;
    if (!slice_equal(slice_make(out, n), slice_of(wanted)))
        fail_msg("%.*s", (int)n, out);
    assert_true(json_unquote(slice_make(out, n), back, &len));
    assert_true(slice_equal(slice_make(back, len), text));
    assert_int_equal(json_is_plain(text), n == text.len + 2);
}

static void rfc8259_7_quoting(void **state)
{
    (void)state;
    assert_quoted(slice_of(""), "\"\"");
    assert_quoted(slice_of("say \"hi\" \\ /"), "\"say \\\"hi\\\" \\\\ /\"");
    assert_quoted(slice_of("\b\f\n\r\t\v\x1f\x7f"), "\"\\b\\f\\n\\r\\t\\u000b\\u001f\x7f\"");
    assert_quoted(slice_make("\0", 1), "\"\\u0000\"");
    assert_quoted(slice_of("Børli 😀"), "\"Børli 😀\"");
}

static void rfc8259_7_unquoting(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text; /* NULL: refused */
    } rows[] = {
        {"\"\"", ""},
        {" \"a\"\t", "a"},
        {"\"\\u0041\\u00f8\\u20AC\"", "A\xc3\xb8\xe2\x82\xac"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud800\\udc00\"", "\xf0\x90\x80\x80"},
        {"\"\\udc00\\udc00\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\\uffff\\u0800\\u07ff\\u0080\\u007f\"", "\xef\xbf\xbf\xe0\xa0\x80\xdf\xbf\xc2\x80\x7f"},
        {"\"\\uDBFF\\uDFFF\"", "\xf4\x8f\xbf\xbf"},
        {"\"\\ud7ff\\ue000\"", "\xed\x9f\xbf\xee\x80\x80"},
        {"\"\\ud83d\"", "\xef\xbf\xbd"},
        {"\"\\ude00\"", "\xef\xbf\xbd"},
        {"\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\\ud83dx\"", "\xef\xbf\xbdx"},
        {"\"\\ud83dxude00\"", "\xef\xbf\xbdxude00"},
        {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
        {"\"\\ud83d\\\\ude00\"", "\xef\xbf\xbd\\ude00"},
        {"\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"\"\\b\\f\\n\\r\\t\\/\\\\\\\"\"", "\b\f\n\r\t/\\\""},
        {"\"\xc3\xb8\"", "\xc3\xb8"},
        {"1", NULL},
        {"null", NULL},
        {"[\"a\"]", NULL},
        {"", NULL},
        {"\"", NULL},
        {"\"a\"b\"", NULL},
        {"\"a", NULL},
        {"\"\\x\"", NULL},
        {"\"a\nb\"", NULL},
        {"\"\xff\"", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice json = slice_of(rows[i].json);
        char *out = malloc(json.len + 1);
        size_t len = 0;
        bool good_one = json_unquote(json, out, &len);
        if (good_one != (rows[i].text != NULL))
            fail_msg("%s", rows[i].json);
        if (good_one)
            assert_true(slice_equal(slice_make(out, len), slice_of(rows[i].text)));
        struct slice plain;
        if (json_valid(json, 1) && json_plain_text(json, &plain))
            assert_true(slice_equal(plain, slice_of(rows[i].text)));
        else
            assert_true(!good_one || strchr(rows[i].json, '\\'));
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8259_what_is_json_and_what_is_not),
        cmocka_unit_test(rfc8259_9_depth_is_bounded),
        cmocka_unit_test(brackets_match_at_every_depth),
        cmocka_unit_test(random_json_is_judged_as_by_the_oracle),
        cmocka_unit_test(every_byte_at_every_place_of_a_string),
        cmocka_unit_test(rfc8259_7_quoting),
        cmocka_unit_test(rfc8259_7_unquoting),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
