/* SPDX-License-Identifier: MIT */
/* Files that are kept in memory: whatever happens to a file, the next look finds what is there. */
#include "http/kept_files.h"
#include "http/site.h"

#include "descriptors.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char base[64], root[80];
static struct site *site;
static time_t later; /* than it is */

/* In the place of libc's: files are old when they have just been written. */
time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec + later;
    return now.tv_sec + later;
}

static const char *in_root(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *to = path[turn++ % 4];
    snprintf(to, sizeof(path[0]), "%s/%s", root, name);
    return to;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(in_root(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void use(size_t kept_files_max)
{
    struct site_config config = {.kept_files_max = kept_files_max};
    site_use(site, &config);
}

static int begin(void **state)
{
    (void)state;
    later = 10;
    strcpy(base, "/tmp/httpsocket-kept-XXXXXX");
    assert_non_null(mkdtemp(base));
    snprintf(root, sizeof(root), "%s/root", base);
    assert_int_equal(mkdir(root, 0755), 0);
    put("a.txt", "one");
    assert_int_equal(mkdir(in_root("sub"), 0755), 0);
    put("sub/index.html", "index");
    site = site_new(root);
    use(1 << 20);
    return 0;
}

static int finish(void **state)
{
    char command[128];
    (void)state;
    site_free(site);
    snprintf(command, sizeof(command), "rm -r %s", base);
    return system(command);
}

/* The text of the file at `path`: after `kept:` if it came from memory; `none`, `forbidden`. */
static const char *look(const char *path)
{
    static char text[128];
    struct site_found found;
    int before = count_descriptors();
    site_find(site, slice_of(path), &found);
    if (found.kind != SITE_FILE)
        return found.kind == SITE_NONE ? "none" : "forbidden";
    assert_int_equal(found.fd < 0, found.kept && found.kept->body.ptr);
    if (found.fd < 0) {
        snprintf(text, sizeof(text), "kept:%.*s", SLICE_ARG(found.kept->body));
    } else {
        ssize_t n = pread(found.fd, text, sizeof(text) - 1, 0);
        text[n] = '\0';
    }
    site_found_done(&found);
    assert_int_equal(count_descriptors(), before);
    return text;
}

static void a_small_file_is_kept_and_so_is_an_index(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_string_equal(look("/a.txt"), "kept:one");
        assert_string_equal(look("/sub/"), "kept:index");
    }
    assert_true(site_kept_bytes(site) > 8);
}

static void a_file_that_has_just_changed_is_not_kept(void **state)
{
    (void)state;
    later = 0;
    assert_string_equal(look("/a.txt"), "one");
    assert_int_equal(site_kept_bytes(site), 0);
}

static void an_edit_is_seen_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        char text[16], kept[32];
        snprintf(text, sizeof(text), "%03d", i);
        snprintf(kept, sizeof(kept), "kept:%s", text);
        usleep(10000); /* another tick of the file system's clock */
        put("a.txt", text);
        assert_string_equal(look("/a.txt"), kept);
    }
}

static void another_file_by_its_name_is_seen_at_once(void **state)
{
    (void)state;
    look("/a.txt");
    put("new", "two");
    assert_int_equal(rename(in_root("new"), in_root("a.txt")), 0);
    assert_string_equal(look("/a.txt"), "kept:two");
    assert_int_equal(unlink(in_root("a.txt")), 0);
    assert_string_equal(look("/a.txt"), "none");
    look("/sub/");
    assert_int_equal(rename(in_root("sub"), in_root("gone")), 0);
    assert_string_equal(look("/sub/"), "none");
    assert_string_equal(look("/gone/"), "kept:index");
}

static void a_program_or_a_folder_in_its_place_is_seen_at_once(void **state)
{
    (void)state;
    look("/a.txt");
    put("new", "#!/bin/sh\n");
    assert_int_equal(rename(in_root("new"), in_root("a.txt")), 0);
    assert_string_equal(look("/a.txt"), "forbidden");
    put("b.html", "text");
    assert_string_equal(look("/b.html"), "kept:text");
    assert_int_equal(unlink(in_root("b.html")), 0);
    assert_int_equal(mkdir(in_root("b.html"), 0755), 0);
    assert_string_equal(look("/b.html"), "forbidden"); /* a redirect */
}

static void a_change_of_mode_is_looked_at(void **state)
{
    (void)state;
    put("data", "text");
    assert_string_equal(look("/data"), "kept:text");
    assert_int_equal(chmod(in_root("data"), 0755), 0); /* a forgotten run bit */
    assert_string_equal(look("/data"), "forbidden");
    assert_int_equal(chmod(in_root("data"), 0644), 0);
    assert_string_equal(look("/data"), "kept:text");
}

static void a_way_that_is_not_allowed_any_more_is_found_within_its_time(void **state)
{
    (void)state;
    char outside[96];
    snprintf(outside, sizeof(outside), "%s/sub", base);
    look("/sub/");
    assert_int_equal(rename(in_root("sub"), outside), 0);
    assert_int_equal(symlink(outside, in_root("sub")), 0);
    time_t end = time(NULL) + 20;
    while (strcmp(look("/sub/"), "none") != 0 && time(NULL) < end)
        usleep(10000);
    assert_string_equal(look("/sub/"), "none");
}

static void other_rules_forget_all(void **state)
{
    (void)state;
    char *served[] = {"/x.py"};
    struct site_config config = {.kept_files_max = 1 << 20, .served = served, .served_count = 1};
    put("x.py", "text");
    assert_string_equal(look("/x.py"), "forbidden");
    site_use(site, &config);
    assert_string_equal(look("/x.py"), "kept:text");
    use(1 << 20);
    assert_string_equal(look("/x.py"), "forbidden");
}

static void what_is_kept_has_a_bound(void **state)
{
    (void)state;
    use(4096);
    for (int i = 0; i < 100; i++) {
        char name[16], path[32];
        snprintf(name, sizeof(name), "%d.txt", i);
        snprintf(path, sizeof(path), "/%s", name);
        put(name, "text");
        assert_string_equal(look(path), "kept:text");
        assert_true(site_kept_bytes(site) <= 4096);
    }
    use(0);
    assert_string_equal(look("/a.txt"), "one");
    assert_int_equal(site_kept_bytes(site), 0);
}

static void a_large_file_is_known_and_read_from_its_descriptor(void **state)
{
    (void)state;
    struct site_found found;
    put("large.txt", "text");
    assert_int_equal(truncate(in_root("large.txt"), KEPT_BODY_MAX + 1), 0);
    for (int i = 0; i < 2; i++) {
        site_find(site, SLICE_LITERAL("/large.txt"), &found);
        assert_true(found.fd >= 0);
        assert_non_null(found.kept);
        assert_null(found.kept->body.ptr);
        assert_int_equal(found.begin_len, i ? 0 : SITE_BEGIN);
        site_found_done(&found);
    }
    put("large.txt", "#!/bin/sh\n");
    assert_string_equal(look("/large.txt"), "forbidden");
}

static void what_lies_beside_is_kept_as_well(void **state)
{
    (void)state;
    struct site_found found;
    struct site_beside beside;
    usleep(10000);
    put("a.txt.gz", "\x1f\x8b");
    site_find(site, SLICE_LITERAL("/a.txt"), &found);
    assert_true(site_find_beside(&found, SLICE_LITERAL(".gz"), &beside));
    assert_int_equal(beside.fd, -1);
    assert_int_equal(beside.kept->body.len, 2);
    assert_int_equal(unlink(in_root("a.txt.gz")), 0);
    assert_false(site_find_beside(&found, SLICE_LITERAL(".gz"), &beside));
    assert_int_equal(found.kept->body.len, 3);
}

#define kept_test(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        kept_test(a_small_file_is_kept_and_so_is_an_index),
        kept_test(a_file_that_has_just_changed_is_not_kept),
        kept_test(an_edit_is_seen_at_once),
        kept_test(another_file_by_its_name_is_seen_at_once),
        kept_test(a_program_or_a_folder_in_its_place_is_seen_at_once),
        kept_test(a_change_of_mode_is_looked_at),
        kept_test(a_way_that_is_not_allowed_any_more_is_found_within_its_time),
        kept_test(other_rules_forget_all),
        kept_test(what_is_kept_has_a_bound),
        kept_test(a_large_file_is_known_and_read_from_its_descriptor),
        kept_test(what_lies_beside_is_kept_as_well),
    };
    return cmocka_run_group_tests_name("kept_files", tests, NULL, NULL);
}
