/* SPDX-License-Identifier: MIT */
#include "proto/shared_line.h"

#include "assert_slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct shared_line line;
static size_t used, want;

static enum parse_status parse(const char *text, size_t max_bytes)
{
    return shared_line_parse(slice_of(text), 0, max_bytes, &used, &want, &line);
}

static void a_line_has_a_session_and_a_message(void **state)
{
    (void)state;
    assert_int_equal(parse("@aZ0-_ say {\"x\":1}\r\nnext", 100), PARSE_OK);
    assert_slice(line.session, "aZ0-_");
    assert_slice(line.m.head, "say");
    assert_slice(line.m.body, "{\"x\":1}");
    assert_int_equal(used, 20);
    assert_int_equal(parse("@a photo?7 @3\na\nb\n", 100), PARSE_OK);
    assert_true(line.m.binary && line.m.call == 7);
    assert_slice(line.m.body, "a\nb");
    assert_int_equal(used, 18);
    assert_int_equal(parse("@a .answer @1\nx\n", 100), PARSE_OK);
    assert_slice(line.m.name, "answer");
}

static void a_command_needs_no_session(void **state)
{
    (void)state;
    assert_int_equal(parse(".shared {\"processes\":2}\n", 100), PARSE_OK);
    assert_slice(line.session, "");
    assert_slice(line.m.name, "shared");
}

static void the_limit_is_for_the_message_alone(void **state)
{
    (void)state;
    assert_int_equal(parse("@aaaaaaaaaaaaaaaaaaaaaaaa abc 1234\n", 8), PARSE_OK);
    assert_int_equal(parse("@a abc 12345\n", 8), PARSE_BAD);
    assert_int_equal(used, 0); /* wherever it is cut: its end need not have come */
}

/* The session can fail alone. */
static void a_wrong_line_whose_end_is_known_is_its_sessions_fault(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "@a say {\n",  "@a say \xff\n", "@a \n", "@a Traceback (most recent call last):\n",
        "@a say  1\n", "@a @b say\n",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (parse(wrong[i], 100) != PARSE_BAD || used != strlen(wrong[i]) || !line.m.why)
            fail_msg("%s", wrong[i]);
        assert_slice(line.session, "a");
    }
}

static void where_the_next_line_begins_may_be_unknown(void **state)
{
    (void)state;
    static const char *const lost[] = {
        "say 1\n",
        "\n",
        "@\n",
        "@ say\n",
        "@a\n",
        "@a\tsay\n",
        "@a.b say\n",
        "@a say @x\nx\n",
        "@a say @999\n",
        "@a say @1\nxy\n",
        "Traceback (most recent call last):\n",
        "@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa say\n",
    };
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
        if (parse(lost[i], 100) != PARSE_BAD || used != 0 || !line.m.why)
            fail_msg("%s: %zu", lost[i], used);
}

static void any_cut_gives_the_same(void **state)
{
    (void)state;
    static const char text[] = "@abc photo?7 @5\na\nb\nc\n@def say \"x\"\r\n";
    for (size_t cut = 0; cut < 22; cut++) {
        assert_int_equal(shared_line_parse(slice_make(text, cut), 0, 100, &used, &want, &line),
                         PARSE_MORE);
        assert_true(want > cut && want <= 22);
        assert_int_equal(
            shared_line_parse(slice_make(text, sizeof(text) - 1), cut, 100, &used, &want, &line),
            PARSE_OK);
        assert_int_equal(used, 22);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_a_session_and_a_message),
        cmocka_unit_test(a_command_needs_no_session),
        cmocka_unit_test(the_limit_is_for_the_message_alone),
        cmocka_unit_test(a_wrong_line_whose_end_is_known_is_its_sessions_fault),
        cmocka_unit_test(where_the_next_line_begins_may_be_unknown),
        cmocka_unit_test(any_cut_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
