/* SPDX-License-Identifier: MIT */
#include "dev/files.h"

#include "every_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void what_a_change_means(void **state)
{
    (void)state;
    static const struct {
        const char *own, *changed;
        bool run;
        enum dev_change expected;
    } rows[] = {
        {"chat.py", "chat.py", true, DEV_CODE},
        {"chat", "chat", true, DEV_CODE},
        {".hidden", ".hidden", true, DEV_CODE},
        {"chat.py", "words.py", false, DEV_CODE},
        {"chat.py", "other.py", true, DEV_NONE}, /* a program of its own */
        {"chat.py", "words.php", false, DEV_NONE},
        {"chat.py", "chat.css", false, DEV_ASSETS},
        {"chat.py", "a.b.mjs", false, DEV_ASSETS},
        {"chat.py", "chart.svg", true, DEV_ASSETS},
        {"chat.py", "chat.py~", true, DEV_NONE},
        {"chat.py", ".chat.py.swp", false, DEV_NONE},
        {"chat.py", ".x.css", false, DEV_NONE},
        {"chat.py", "chat.db", false, DEV_NONE},
        {"chat.py", "css", false, DEV_NONE},
        {"chat", "notes", false, DEV_NONE}, /* no extension is no extension in common */
        {"chat.py", "", false, DEV_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (dev_change_of(rows[i].own, rows[i].changed, rows[i].run) != rows[i].expected)
            fail_msg("row %zu: %s, %s", i, rows[i].own, rows[i].changed);
}

/* ---- a folder, and two files in it that are watched ---- */

static struct loop *loop;
static struct dev_files *files;
static char folder[64];

struct seen {
    struct dev_file file;
    int code, assets;
};
static struct seen one, two;

static void on_change(struct dev_file *file, enum dev_change change)
{
    struct seen *seen = container_of(file, struct seen, file);
    seen->code += change == DEV_CODE;
    seen->assets += change == DEV_ASSETS;
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, mode_t mode)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    fputs("#!/bin/sh\n", file);
    fclose(file);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static int begin(void **state)
{
    (void)state;
    one = two = (struct seen){0};
    snprintf(folder, sizeof(folder), "/tmp/dev-files-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_file("one.sh", 0755);
    write_file("two.sh", 0755);
    loop = loop_new();
    files = dev_files_new(loop);
    assert_non_null(files);
    dev_file_watch(files, &one.file, path_of("one.sh"), on_change);
    dev_file_watch(files, &two.file, path_of("two.sh"), on_change);
    return 0;
}

static int end(void **state)
{
    (void)state;
    static const char *const names[] = {"one.sh", "two.sh", "last.css"};
    dev_file_unwatch(&one.file);
    dev_file_unwatch(&two.file);
    dev_files_free(files);
    loop_free(loop);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_of(names[i]));
    return rmdir(folder);
}

static void turn_until(const int *count, int wanted)
{
    while (*count < wanted)
        assert_true(loop_turn(loop, -1) >= 0);
}

static void some_events_of_one_saving_are_told_once(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        write_file("one.sh", 0755);
    turn_until(&one.code, 1);
    write_file("last.css", 0644); /* whatever was on its way is there before this */
    turn_until(&one.assets, 1);
    turn_until(&two.assets, 1);
    assert_int_equal(one.code, 1);
    assert_int_equal(two.code, 0);
}

static void a_program_without_its_run_bit_is_waited_for(void **state)
{
    (void)state;
    unlink(path_of("one.sh"));
    write_file("one.sh", 0644);
    write_file("two.sh", 0755);
    turn_until(&two.code, 1);
    assert_int_equal(one.code, 0);
    assert_int_equal(chmod(path_of("one.sh"), 0755), 0);
    turn_until(&one.code, 1);
}

static void forget(struct dev_file *file, enum dev_change change)
{
    on_change(file, change);
    dev_file_unwatch(file);
}

static void a_file_may_be_forgotten_when_it_has_changed(void **state)
{
    (void)state;
    one.file.on_change = forget;
    write_file("last.css", 0644);
    turn_until(&two.assets, 1);
    assert_int_equal(one.assets, 1);
    assert_null(one.file.files);
    write_file("two.sh", 0755);
    turn_until(&two.code, 1); /* the folder is still watched for the other */
}

static void what_is_not_there_is_not_watched(void **state)
{
    (void)state;
    struct seen none = {0};
    dev_file_watch(files, &none.file, path_of("nowhere/three.sh"), on_change);
    assert_null(none.file.files);
    dev_file_unwatch(&none.file);
    dev_file_watch(NULL, &none.file, path_of("one.sh"), on_change);
    assert_null(none.file.files);
    dev_file_unwatch(&none.file);
}

int main(void)
{
#define WITH_FOLDER(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_change_means),
        WITH_FOLDER(some_events_of_one_saving_are_told_once),
        WITH_FOLDER(a_program_without_its_run_bit_is_waited_for),
        WITH_FOLDER(a_file_may_be_forgotten_when_it_has_changed),
        WITH_FOLDER(what_is_not_there_is_not_watched),
    };
    return run_on_every_backend("dev_files", tests);
}
