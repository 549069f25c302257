/* SPDX-License-Identifier: MIT */
#include "program/kinds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What the operator says of programs: words, paths and patterns. That they
 * run is in tests/scenario. */

static struct program_kinds *programs;
static struct text why;

static int make(void **state)
{
    (void)state;
    programs = program_kinds_new();
    return programs ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    program_kinds_free(programs);
    text_done(&why);
    return 0;
}

static void add(const char *text)
{
    if (!program_kinds_add_stdio(programs, text, &why))
        fail_msg("%s: %.*s", text, SLICE_ARG(text_slice(&why)));
}

static const struct program_command *find(const char *path)
{
    return program_kinds_stdio(programs, slice_of(path));
}

static void a_command_is_words_and_a_file(void **state)
{
    (void)state;
    add("env A=b 'two words' \"a \\\" quote\"");
    const struct program_command *command = find("/");
    assert_non_null(command);
    assert_string_equal(command->argv[0], "env");
    assert_string_equal(command->argv[1], "A=b");
    assert_string_equal(command->argv[2], "two words");
    assert_string_equal(command->argv[3], "a \" quote");
    assert_null(command->argv[4]);
    assert_true(command->file[0] == '/');
}

static void the_longest_path_that_covers_wins(void **state)
{
    (void)state;
    add("/a=cat one");
    add("/a/b/=cat two");
    add("/a/b=cat three"); /* the first of equals */
    assert_null(find("/"));
    assert_null(find("/ab"));
    assert_string_equal(find("/a")->argv[1], "one");
    assert_string_equal(find("/a/")->argv[1], "one");
    assert_string_equal(find("/a/bc")->argv[1], "one");
    assert_string_equal(find("/a/b")->argv[1], "two");
    assert_string_equal(find("/a/b/c/d")->argv[1], "two");
    add("/=cat zero");
    assert_string_equal(find("/ab")->argv[1], "zero");
    assert_int_equal(find("/ab")->path.len, 0);
}

static void an_argument_with_an_equals_sign_is_no_path(void **state)
{
    (void)state;
    add("/bin/sh -c x=1");
    assert_string_equal(find("/anywhere")->argv[2], "x=1");
}

static void what_is_no_command_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "/a=",
        "cat 'x",
        "cat | cat",
        "cat $(ls)",
        "cat `ls`",
        "cat $NOT_SET_ANYWHERE",
        "no-such-program-anywhere",
        "/",
        "/etc/passwd x",
        "/a=/no/such",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        text_done(&why);
        if (program_kinds_add_stdio(programs, bad[i], &why) || why.len == 0)
            fail_msg("%s", bad[i]);
    }
    assert_null(find("/a"));
}

static void before_a_command_or_a_pattern_is_said_what_its_stdout_is(void **state)
{
    (void)state;
    add("/a=cat");
    add("pipe:/b=cat");
    add("terminal:/c=cat x");
    add("terminal:cat");
    assert_int_equal(find("/a")->out, PROGRAM_STDOUT_AS_SET);
    assert_int_equal(find("/b")->out, PROGRAM_STDOUT_PIPE);
    assert_int_equal(find("/c")->out, PROGRAM_STDOUT_TERMINAL);
    assert_string_equal(find("/c")->argv[1], "x");
    assert_int_equal(find("/d")->out, PROGRAM_STDOUT_TERMINAL);
    assert_false(program_kinds_add_stdio(programs, "tty:/e=cat", &why));
    assert_true(program_kinds_add_stdio_files(programs, "terminal:/feeds/*.sh", &why));
    assert_true(program_kinds_add_stdio_files(programs, "/old", &why));
    assert_true(program_kinds_is_stdio_file(programs, "/feeds/a.sh"));
    assert_int_equal(program_kinds_file_stdout(programs, "/feeds/a.sh"), PROGRAM_STDOUT_TERMINAL);
    assert_int_equal(program_kinds_file_stdout(programs, "/old/a"), PROGRAM_STDOUT_AS_SET);
    assert_false(program_kinds_add_stdio_files(programs, "pipe:feeds", &why));
}

static bool is_stdio(const char *file)
{
    return program_kinds_is_stdio_file(programs, file);
}

static void files_are_told_by_patterns(void **state)
{
    (void)state;
    assert_false(is_stdio("/feeds/a.sh"));
    assert_true(program_kinds_add_stdio_files(programs, "/feeds/*.sh", &why));
    assert_true(program_kinds_add_stdio_files(programs, "/old", &why));
    assert_true(is_stdio("/feeds/a.sh"));
    assert_false(is_stdio("/feeds/more/a.sh"));
    assert_false(is_stdio("/feeds/a.py"));
    assert_true(is_stdio("/old/any/thing"));
    assert_true(is_stdio("/old"));
    assert_false(is_stdio("/older"));
    assert_false(program_kinds_add_stdio_files(programs, "feeds", &why));
    assert_true(why.len > 0);
}

static void shared_files_have_a_number_of_processes(void **state)
{
    (void)state;
    assert_true(program_kinds_add_shared(programs, "/chat.py", &why));
    assert_true(program_kinds_add_shared(programs, "/games=4", &why));
    assert_int_equal(program_kinds_shared(programs, "/chat.py"), 1);
    assert_int_equal(program_kinds_shared(programs, "/games/mines.py"), 4);
    assert_int_equal(program_kinds_shared(programs, "/other.py"), 0);
    static const char *const bad[] = {"/a=", "/a=0", "/a=257", "/a=x", "/a=1=2", "a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (program_kinds_add_shared(programs, bad[i], &why))
            fail_msg("%s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_command_is_words_and_a_file, make, drop),
        cmocka_unit_test_setup_teardown(the_longest_path_that_covers_wins, make, drop),
        cmocka_unit_test_setup_teardown(an_argument_with_an_equals_sign_is_no_path, make, drop),
        cmocka_unit_test_setup_teardown(what_is_no_command_is_refused, make, drop),
        cmocka_unit_test_setup_teardown(before_a_command_or_a_pattern_is_said_what_its_stdout_is,
                                        make, drop),
        cmocka_unit_test_setup_teardown(files_are_told_by_patterns, make, drop),
        cmocka_unit_test_setup_teardown(shared_files_have_a_number_of_processes, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
