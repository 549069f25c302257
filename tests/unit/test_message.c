/* SPDX-License-Identifier: MIT */
#include "proto/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_slice.h"
#include "random.h"

/* What a WebSocket message says; that of tests/vectors/wire.json is in test_wire_vectors.c. Here:
 * lines on fd 3. */

static struct message m;
static size_t used, want;

static enum parse_status parse_line(const char *text, size_t max_bytes)
{
    used = want = 0;
    m.why = NULL;
    return message_parse_line(slice_of(text), 0, max_bytes, &used, &want, &m);
}

static void a_line_is_an_event_with_json(void **state)
{
    (void)state;
    assert_int_equal(parse_line("hello {\"name\":\"Frode B\xc3\xb8rli\"}\nnext", 1000), PARSE_OK);
    assert_int_equal(m.kind, MESSAGE_EVENT);
    assert_slice(m.head, "hello");
    assert_slice(m.name, "hello");
    assert_slice(m.body, "{\"name\":\"Frode B\xc3\xb8rli\"}");
    assert_false(m.binary);
    assert_int_equal(used, 30);
    assert_int_equal(parse_line("tick\n", 1000), PARSE_OK);
    assert_slice(m.body, "");
}

static void cr_belongs_to_the_line_end(void **state)
{
    (void)state;
    assert_int_equal(parse_line("tick 1\r\n", 1000), PARSE_OK);
    assert_slice(m.body, "1");
    assert_int_equal(used, 8);
    assert_int_equal(parse_line("tick\r\n", 1000), PARSE_OK);
    assert_slice(m.head, "tick");
    assert_int_equal(parse_line("photo @2\r\nab\n", 1000), PARSE_OK);
    assert_slice(m.body, "ab");
    assert_int_equal(parse_line("tick 1\r\r\n", 1000), PARSE_BAD);
    assert_int_equal(parse_line("ti\rck 1\n", 1000), PARSE_BAD);
    assert_int_equal(parse_line("photo @2\nab\r\n", 1000), PARSE_BAD);
}

static void a_line_may_announce_bytes(void **state)
{
    (void)state;
    static const char photo[] = "photo @5\na\n\0\xff\n\nnext 1\n";
    assert_int_equal(
        message_parse_line(slice_make(photo, sizeof(photo) - 1), 0, 100, &used, &want, &m),
        PARSE_OK);
    assert_true(m.binary && m.kind == MESSAGE_EVENT && m.body.len == 5);
    assert_memory_equal(m.body.ptr, "a\n\0\xff\n", 5);
    assert_int_equal(used, 15);
    assert_int_equal(parse_line("photo?7 @0\n\n", 100), PARSE_OK);
    assert_true(m.binary && m.kind == MESSAGE_CALL && m.call == 7 && m.body.len == 0);
    assert_int_equal(parse_line("=7 @1\nx\n", 100), PARSE_OK);
    assert_true(m.binary && m.kind == MESSAGE_ANSWER);
    assert_int_equal(parse_line("+7 @1\nx\n", 100), PARSE_OK);
    assert_true(m.binary && m.kind == MESSAGE_PART);
    assert_int_equal(parse_line(".answer @1\nx\n", 100), PARSE_OK);
    assert_true(m.binary && m.kind == MESSAGE_CONTROL);
}

static void want_says_how_many_bytes_it_takes(void **state)
{
    (void)state;
    assert_int_equal(parse_line("tick", 100), PARSE_MORE);
    assert_int_equal(want, 5);
    assert_int_equal(parse_line("", 100), PARSE_MORE);
    assert_int_equal(want, 1);
    assert_int_equal(parse_line("photo @50\nab", 100), PARSE_MORE);
    assert_int_equal(want, 10 + 50 + 1);
    assert_int_equal(parse_line("photo @2\nab", 100), PARSE_MORE);
    assert_int_equal(want, 12);
}

static void calls_answers_and_the_servers_own(void **state)
{
    (void)state;
    assert_int_equal(parse_line("add?9007199254740991 [1,2]\n", 100), PARSE_OK);
    assert_true(m.kind == MESSAGE_CALL && m.call == MESSAGE_CALL_MAX);
    assert_slice(m.head, "add?9007199254740991");
    assert_slice(m.name, "add");
    assert_int_equal(parse_line("=0\n", 100), PARSE_OK);
    assert_true(m.kind == MESSAGE_ANSWER && m.call == 0 && m.name.len == 0);
    assert_int_equal(parse_line("!3 {\"message\":\"no\"}\n", 100), PARSE_OK);
    assert_true(m.kind == MESSAGE_FAILURE && m.call == 3);
    assert_int_equal(parse_line(".close {\"reason\":\"done\"}\n", 100), PARSE_OK);
    assert_true(m.kind == MESSAGE_CONTROL);
    assert_slice(m.name, "close");
    assert_slice(m.head, ".close");
}

static void commands_to_the_page_are_told_from_the_other_words(void **state)
{
    (void)state;
    static const char *const commands[] = {".dom []\n", ".listen {}\n", ".unlisten {}\n",
                                           ".problem {}\n"};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        assert_int_equal(parse_line(commands[i], 100), PARSE_OK);
        assert_int_equal(m.kind, MESSAGE_COMMAND);
        assert_int_equal(message_is_problem(&m), i == 3);
    }
    assert_int_equal(parse_line(".domino {}\n", 100), PARSE_OK);
    assert_int_equal(m.kind, MESSAGE_CONTROL);
    assert_int_equal(parse_line("problem {}\n", 100), PARSE_OK);
    assert_false(message_is_problem(&m));
}

static const char *const refused[] = {
    "\n",
    " \n",
    "\r\n",
    "tick \n",
    "tick  1\n",
    "tick\t1\n",
    "tick 1 2\n",
    "tick {\n",
    "tick \"\xff\"\n",
    "tick \"\xc3\n",
    "t\xc3\xb8 1\n",
    "tick \x01\n",
    "photo @\n",
    "photo @-1\nx\n",
    "photo @01\nx\n",
    "photo @1x\nx\n",
    "photo @1 \nx\n",
    "photo @ 1\nx\n",
    "photo  @1\nx\n",
    "photo@1\nx\n",
    "photo @1\nxy\n",
    "photo @2\nxyz\n",
    "photo @9223372036854775808\n",
    "photo @18446744073709551617\nx\n",
    "photo @99999999999999999999999999\n",
    "!7 @1\nx\n",
    ".dom @1\nx\n",
    ".dom\n",
    ".listen\n",
    "=x @1\nx\n",
    "=x @0\n\n",
    "a?b @0\n\n",
    "@1\nx\n",
    "?7 1\n",
    "a?7?8 1\n",
    "a?07 1\n",
    "=\n",
    "+1\n",
    "!1\n",
    ".\n",
    ".ack x\n",
    "{\"json\":1}\n",
    "Traceback (most recent call last):\n",
    "photo @101\n",
    "abcdefghij @90\n",
};

static void anything_else_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        if (parse_line(refused[i], 100) != PARSE_BAD || !m.why)
            fail_msg("%s", refused[i]);
    assert_int_equal(message_parse_line(slice_make("a \"\0\"\n", 6), 0, 100, &used, &want, &m),
                     PARSE_BAD);
}

static void a_message_has_head_one_byte_and_body_within_the_limit(void **state)
{
    (void)state;
    assert_int_equal(parse_line("abc 1234\n", 8), PARSE_OK);
    assert_int_equal(parse_line("abc 1234\r\n", 8), PARSE_OK);
    assert_int_equal(parse_line("abc 12345\n", 8), PARSE_BAD);
    assert_int_equal(parse_line("abc @4\n1234\n", 8), PARSE_OK);
    assert_int_equal(parse_line("abc @5\n", 8), PARSE_BAD);
    assert_int_equal(parse_line("abc @0\n\n", 4), PARSE_OK);
    assert_int_equal(parse_line("abc @0\n\n", 3), PARSE_BAD);
    assert_int_equal(parse_line("abc\n", 3), PARSE_OK);
    assert_int_equal(parse_line("abcd\n", 3), PARSE_BAD);
}

/* A line without an end is refused as soon as it can't be right any more, not before. */
static void a_line_that_never_ends_is_refused(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, ' ', sizeof(text) - 1);
    memcpy(text, "a 1", 3);
    assert_int_equal(message_parse_line(slice_make(text, 1001), 0, 1000, &used, &want, &m),
                     PARSE_MORE);
    assert_int_equal(message_parse_line(slice_make(text, 1002), 1001, 1000, &used, &want, &m),
                     PARSE_BAD);
    text[1000] = '\r';
    text[1001] = '\n';
    assert_int_equal(message_parse_line(slice_make(text, 1002), 1001, 1000, &used, &want, &m),
                     PARSE_OK);
    memset(text, '9', sizeof(text) - 1);
    memcpy(text, "a @", 3);
    assert_int_equal(message_parse_line(slice_make(text, 4000), 0, 1000, &used, &want, &m),
                     PARSE_BAD);
}

static bool is_same(const struct message *a, const struct message *b)
{
    return a->kind == b->kind && a->binary == b->binary && a->call == b->call &&
           slice_equal(a->head, b->head) && slice_equal(a->name, b->name) &&
           slice_equal(a->body, b->body);
}

static void check_splits(struct slice in, size_t max_bytes)
{
    struct message part;
    used = want = 0;
    enum parse_status status = message_parse_line(in, 0, max_bytes, &used, &want, &m);
    for (size_t step = 1; step <= 5; step++) {
        enum parse_status early = PARSE_MORE;
        size_t seen = 0, len = 0, part_used = 0, part_want = 0;
        while (early == PARSE_MORE && len < in.len) {
            seen = len;
            len = len + step < in.len ? len + step : in.len;
            early = message_parse_line(slice_first(in, len), seen, max_bytes, &part_used,
                                       &part_want, &part);
            assert_true(early != PARSE_MORE || part_want > len);
        }
        assert_int_equal(early, status);
        if (status == PARSE_OK)
            assert_true(part_used == used && is_same(&m, &part));
    }
}

static void any_split_gives_the_same_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        check_splits(slice_of(refused[i]), 100);
    check_splits(slice_of("hello {\"name\":\"Frode B\xc3\xb8rli\"}\r\nnext"), 100);
    check_splits(slice_of("photo?12 @10\n\n\n\n\n\n\n\n\n\n\n\nnext"), 100);
    char text[1000];
    size_t n = (size_t)sprintf(text, "long \"%0600d\"\n", 0);
    check_splits(slice_make(text, n), 1000);
    check_splits(slice_make(text, n), 606);
    check_splits(slice_make(text, n), 500);
}

static void a_message_comes_back_from_its_line(void **state)
{
    (void)state;
    const char *lines[] = {"tick\n",      "tick 1\n",         "a?7 [1]\n", "=7\n",
                           ".close {}\n", "photo @3\na\nb\n", "=7 @0\n\n"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct message_line line;
        assert_int_equal(parse_line(lines[i], 100), PARSE_OK);
        message_line_head(&m, &line);
        assert_true(
            slice_starts_with(slice_of(lines[i]), slice_make(line.before, line.before_len)));
        assert_int_equal(strlen(lines[i]), line.before_len + m.body.len + 1);
    }
}

static void the_longest_head_fits(void **state)
{
    (void)state;
    char text[400];
    struct message_line line;
    memset(text, 'n', MESSAGE_NAME_MAX);
    strcpy(text + MESSAGE_NAME_MAX, "?9007199254740991 1");
    assert_int_equal(message_parse_text(slice_of(text), &m), PARSE_OK);
    assert_int_equal(m.head.len, MESSAGE_HEAD_MAX);
    m.binary = true;
    m.body.len = SIZE_MAX; /* its number alone is written */
    message_line_head(&m, &line);
    assert_true(line.before_len <= MESSAGE_LINE_MAX);
    memmove(text + 1, text, strlen(text) + 1);
    assert_int_equal(message_parse_text(slice_of(text), &m), PARSE_BAD);
}

static void a_binary_message_has_a_head_and_lf(void **state)
{
    (void)state;
    assert_int_equal(message_parse_binary(slice_make("photo?7\n\0\n", 10), &m), PARSE_OK);
    assert_true(m.binary && m.call == 7 && m.body.len == 2);
    assert_int_equal(message_parse_binary(slice_of("photo"), &m), PARSE_BAD);
    assert_int_equal(message_parse_binary(slice_of("!7\nx"), &m), PARSE_BAD);
    assert_int_equal(message_parse_binary(slice_of(".ping\n"), &m), PARSE_BAD);
    assert_int_equal(message_parse_binary(slice_of("\x01\n"), &m), PARSE_BAD);
    assert_int_equal(message_parse_binary(slice_of(""), &m), PARSE_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_an_event_with_json),
        cmocka_unit_test(cr_belongs_to_the_line_end),
        cmocka_unit_test(a_line_may_announce_bytes),
        cmocka_unit_test(want_says_how_many_bytes_it_takes),
        cmocka_unit_test(calls_answers_and_the_servers_own),
        cmocka_unit_test(commands_to_the_page_are_told_from_the_other_words),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_message_has_head_one_byte_and_body_within_the_limit),
        cmocka_unit_test(a_line_that_never_ends_is_refused),
        cmocka_unit_test(any_split_gives_the_same_message),
        cmocka_unit_test(a_message_comes_back_from_its_line),
        cmocka_unit_test(the_longest_head_fits),
        cmocka_unit_test(a_binary_message_has_a_head_and_lf),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
