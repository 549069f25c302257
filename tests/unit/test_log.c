/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "base/log_share.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char written[8192];

/* Runs with stderr in a file, then gives what it holds. */
static int stderr_saved;
static FILE *capture;

static void capture_start(enum log_format format)
{
    log_setup(LOG_INFO, format);
    capture = tmpfile();
    assert_non_null(capture);
    stderr_saved = dup(STDERR_FILENO);
    dup2(fileno(capture), STDERR_FILENO);
}

static struct slice capture_stop(void)
{
    dup2(stderr_saved, STDERR_FILENO);
    close(stderr_saved);
    rewind(capture);
    size_t len = fread(written, 1, sizeof(written) - 1, capture);
    written[len] = '\0';
    fclose(capture);
    return slice_make(written, len);
}

static struct slice logged(enum log_format format, struct slice value)
{
    capture_start(format);
    log_info("test.event", log_slice("key", value));
    return capture_stop();
}

static void assert_text(const char *value, const char *wanted)
{
    struct slice line = logged(LOG_FORMAT_TEXT, slice_of(value));
    struct slice end = slice_of(wanted);
    assert_true(slice_ends_with(slice_first(line, line.len - 1), end));
    assert_true(line.ptr[line.len - end.len - 2] == '=');
    assert_int_equal(slice_find(line, '\n'), line.len - 1);
}

/* Jansson is strict about JSON and about UTF-8. */
static void assert_json(struct slice value, const char *wanted)
{
    struct slice line = logged(LOG_FORMAT_JSON, value);
    json_t *object = json_loadb(line.ptr, line.len, 0, NULL);
    assert_non_null(object);
    const char *text = json_string_value(json_object_get(object, "key"));
    assert_non_null(text);
    assert_string_equal(text, wanted);
    json_decref(object);
    assert_int_equal(slice_find(line, '\n'), line.len - 1);
}

static void utf8_text_passes_unchanged(void **state)
{
    (void)state;
    assert_text("Frode Børli €, 😀", "\"Frode Børli €, 😀\"");
    assert_json(slice_of("Frode Børli €, 😀"), "Frode Børli €, 😀");
}

static void bytes_that_are_no_utf8_are_escaped(void **state)
{
    (void)state;
    assert_text("a\xff"
                "b",
                "\"a\\xffb\"");
    assert_text("\xc3", "\"\\xc3\"");
    assert_text("\xed\xa0\x80", "\"\\xed\\xa0\\x80\"");
    assert_json(slice_of("a\xff"
                         "b"),
                "a\xef\xbf\xbd"
                "b");
    assert_json(slice_of("\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd");
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    assert_text("a\nb", "\"a\\u000ab\"");
    assert_text("\x1b[2J", "\"\\u001b[2J\"");
    assert_text("\x7f", "\"\\u007f\"");
    assert_text("\xc2\x9b"
                "1m",
                "\"\\u009b1m\"");
    assert_text("\xc2\xa0", "\"\xc2\xa0\"");
    assert_text("say \"hi\\\"", "\"say \\\"hi\\\\\\\"\"");
    assert_json(slice_of("a\n\x7f\xc2\x9b\"\\"), "a\n\x7f\xc2\x9b\"\\");
    assert_json(slice_of("\x01"), "\x01");
    struct slice raw = logged(LOG_FORMAT_JSON, slice_of("\x7f\xc2\x9b"));
    assert_non_null(memmem(raw.ptr, raw.len, "\\u007f\\u009b", 12));
}

static void a_word_stands_without_quotes_and_other_text_with(void **state)
{
    (void)state;
    assert_text("gone", "gone");
    assert_text("", "\"\"");
    assert_text("a=b", "\"a=b\"");
    assert_text("a b", "\"a b\"");
}

static void a_long_value_is_cut_between_characters(void **state)
{
    (void)state;
    char value[600], wanted[300];
    for (size_t lead = 0; lead < 4; lead++) {
        memset(value, 'a', lead);
        value[lead] = '\0';
        for (size_t i = 0; i < 100; i++)
            strcat(value, "😀");
        size_t whole = lead + (256 - lead) / 4 * 4;
        memcpy(wanted, value, whole);
        strcpy(wanted + whole, "...");
        assert_json(slice_of(value), wanted);
    }
}

static void a_line_that_is_full_stays_whole_and_says_so(void **state)
{
    (void)state;
    char value[257];
    memset(value, 1, 256);
    value[256] = '\0';
    for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        capture_start((enum log_format)format);
        log_info("test.event", log_text("a", value), log_text("b", value), log_text("c", value),
                 log_text("d", "d"));
        struct slice line = capture_stop();
        assert_true(line.len <= 4096);
        assert_null(memmem(line.ptr, line.len, "c=", 2));
        if (format == LOG_FORMAT_TEXT) {
            assert_true(slice_ends_with(line, SLICE_LITERAL(" cut=true\n")));
            continue;
        }
        json_t *object = json_loadb(line.ptr, line.len, 0, NULL);
        assert_true(json_is_true(json_object_get(object, "cut")));
        assert_string_equal(json_string_value(json_object_get(object, "b")), value);
        assert_null(json_object_get(object, "c"));
        json_decref(object);
    }
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    int evaluated = 0;
    capture_start(LOG_FORMAT_TEXT);
    log_debug("test.event", log_int("n", ++evaluated));
    assert_int_equal(capture_stop().len, 0);
    assert_int_equal(evaluated, 0);
}

static void one_cause_hides_no_line_of_another(void **state)
{
    (void)state;
    size_t lines = 0;
    uint64_t before = log_share_left_out();
    capture_start(LOG_FORMAT_TEXT);
    for (int i = 0; i < 3 * LOG_SHARE_BURST; i++)
        log_info("test.flood", log_cause(SLICE_LITERAL("a")), log_int("n", 1));
    log_info("test.flood", log_cause(SLICE_LITERAL("b")), log_int("n", 2));
    log_info("test.event", log_int("n", 3));
    log_share_tell();
    struct slice text = capture_stop();
    assert_non_null(memmem(text.ptr, text.len, "info test.flood n=2\n", 20));
    assert_non_null(memmem(text.ptr, text.len, "info test.event n=3\n", 20));
    assert_non_null(memmem(text.ptr, text.len, "warn log.left_out event=test.flood lines=", 41));
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    assert_true(lines <= LOG_SHARE_BURST + 20);
    assert_int_equal(log_share_left_out() - before, 3 * LOG_SHARE_BURST + 3 - lines);
}

static void levels_have_names(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_true(log_level_parse(slice_of("debug"), &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_parse(slice_of("nothing"), &level));
    assert_int_equal(level, LOG_NOTHING);
    assert_false(log_level_parse(slice_of("loud"), &level));
    assert_int_equal(level, LOG_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_text_passes_unchanged),
        cmocka_unit_test(bytes_that_are_no_utf8_are_escaped),
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(a_word_stands_without_quotes_and_other_text_with),
        cmocka_unit_test(a_long_value_is_cut_between_characters),
        cmocka_unit_test(a_line_that_is_full_stays_whole_and_says_so),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(one_cause_hides_no_line_of_another),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
