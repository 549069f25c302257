/* SPDX-License-Identifier: MIT */
/* Which file answers for a path: a folder with everything that may lie in one. */
#include "http/site.h"

#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char base[64], root[80];
static struct site *site;

static void path_in(char out[256], const char *name)
{
    snprintf(out, 256, "%s/%s", root, name);
}

static void put(const char *name, const char *text, mode_t mode)
{
    char path[256];
    path_in(path, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void folder(const char *name)
{
    char path[256];
    path_in(path, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void link_to(const char *name, const char *target)
{
    char path[256];
    path_in(path, name);
    assert_int_equal(symlink(target, path), 0);
}

static void make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.70s/%.30s", root, name);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static int make_tree(void **state)
{
    (void)state;
    char path[256];
    strcpy(base, "/tmp/httpsocket-site-XXXXXX");
    assert_non_null(mkdtemp(base));
    assert_int_equal(chmod(base, 0755), 0);
    snprintf(root, sizeof(root), "%s/root", base);
    assert_int_equal(mkdir(root, 0755), 0);

    put("index.html", "<h1>", 0644);
    put("style.css", "body{}", 0644);
    put("empty", "", 0644);
    put("run", "#!/bin/sh\n", 0755);
    put("chat.py", "#!/usr/bin/python3\n", 0755);
    put("secret.py", "#!/usr/bin/python3\n", 0644);
    put("binary", "\177ELF and so on", 0755);
    put("library.so", "\177ELF and so on", 0644);
    put("notes.txt", "text with a run bit is text", 0755);
    put(".hidden", "x", 0644);
    folder(".git");
    put(".git/config", "x", 0644);
    folder(".well-known");
    put(".well-known/security.txt", "x", 0644);
    put(".well-known/.secret", "x", 0644);

    folder("plain");
    put("plain/a.txt", "a", 0644);
    folder("sub");
    put("sub/index.html", "<h1>", 0644);
    folder("app");
    put("app/index", "#!/bin/sh\n", 0755);
    put("app/index.css", "x", 0644);
    folder("page");
    put("page/index.css", "x", 0644);
    put("page/index.php", "#!/usr/bin/php\n", 0755);
    put("page/index.zz", "#!/bin/sh\n", 0755);
    folder("unready");
    put("unready/index.py", "#!/usr/bin/python3\n", 0644);
    folder("listed");
    put("listed/index", "no program", 0644);

    folder("both");
    put("both/x", "x", 0644);
    put("both.sh", "#!/bin/sh\n", 0755);
    put("two.b", "#!/bin/sh\n", 0755);
    put("two.a", "#!/bin/sh\n", 0755);
    put("two.0", "no program", 0644);
    put("exact", "file", 0644);
    put("exact.py", "#!/usr/bin/python3\n", 0755);

    snprintf(path, sizeof(path), "%s/outside", base);
    FILE *f = fopen(path, "w");
    fputs("outside", f);
    fclose(f);
    link_to("inner", "plain/a.txt");
    link_to("plain/up", "../style.css");
    link_to("folder", "plain");
    link_to("escape", "../outside");
    link_to("absolute", path);
    link_to("parent", "..");
    link_to("loop", "loop");
    link_to("self", ".");
    link_to("passwd", "/etc/passwd");
    link_to("magic", "/proc/self/root");
    link_to("program", "run");
    path_in(path, "pipe");
    assert_int_equal(mkfifo(path, 0644), 0);
    make_socket("socket");
    put("odd name\n\xff", "x", 0644);

    site = site_new(root);
    assert_non_null(site);
    return 0;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
    (void)stat;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int remove_tree(void **state)
{
    (void)state;
    site_free(site);
    return nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What `path` finds, as text: `none`, `file style.css`, `program run /run` (and SCRIPT_NAME). */
static const char *look(const char *path)
{
    static char out[PATH_MAX + 600];
    static const char *const kinds[] = {"none", "forbidden", "redirect",
                                        "file", "program",   "failed"};
    struct site_found found;
    int before = count_descriptors();
    memset(&found, 0xee, sizeof(found));
    site_find(site, slice_of(path), &found);
    assert_int_equal(found.fd >= 0, found.kind == SITE_FILE && !found.kept);
    site_found_done(&found);
    assert_int_equal(count_descriptors(), before);
    const char *name = found.file + strlen(root) + 1;
    if (found.kind == SITE_FILE)
        snprintf(out, sizeof(out), "file %s", name);
    else if (found.kind == SITE_PROGRAM)
        snprintf(out, sizeof(out), "program %s %.*s", name, (int)found.script_len, path);
    else
        snprintf(out, sizeof(out), "%s", kinds[found.kind]);
    if (found.kind == SITE_FILE || found.kind == SITE_PROGRAM)
        assert_memory_equal(found.file, root, strlen(root));
    return out;
}

static void expect(const char *path, const char *expected)
{
    const char *got = look(path);
    if (strcmp(got, expected) != 0)
        fail_msg("%s: expected %s, got %s", path, expected, got);
}

static void files_are_found_as_they_are(void **state)
{
    (void)state;
    expect("/style.css", "file style.css");
    expect("/empty", "file empty");
    expect("/plain/a.txt", "file plain/a.txt");
    expect("/odd name\n\xff", "file odd name\n\xff");
    expect("/library.so", "file library.so");
    expect("/notes.txt", "file notes.txt");
    expect("/missing", "none");
    expect("/plain/missing", "none");
    expect("/missing/deeper/still", "none");
    expect("/STYLE.CSS", "none");
}

static void nothing_follows_a_file(void **state)
{
    (void)state;
    expect("/style.css/", "none");
    expect("/style.css/x", "none");
    expect("/plain/a.txt/x/y", "none");
}

static void programs_run_and_their_sources_stay(void **state)
{
    (void)state;
    expect("/run", "program run /run");
    expect("/binary", "program binary /binary");
    expect("/chat.py", "program chat.py /chat.py");
    expect("/secret.py", "forbidden");
    expect("/secret.py/x", "forbidden");
    expect("/program", "program program /program");
}

static void a_program_is_found_without_its_ending(void **state)
{
    (void)state;
    expect("/chat", "program chat.py /chat");
    expect("/two", "program two.a /two");
    expect("/exact", "file exact");
    expect("/secret", "forbidden");
    expect("/style", "none");
    expect("/cha", "none");
    expect("/chat.", "none");
}

static void what_follows_a_program_is_its_path_info(void **state)
{
    (void)state;
    expect("/run/", "program run /run");
    expect("/run/a/b", "program run /run");
    expect("/run/.git/x", "program run /run");
    expect("/chat/room/7", "program chat.py /chat");
    expect("/chat/", "program chat.py /chat");
    expect("/chat.py/x", "program chat.py /chat.py");
    expect("/plain/run/x", "none");
}

static void folders_answer_by_their_index(void **state)
{
    (void)state;
    expect("/", "file index.html");
    expect("/sub/", "file sub/index.html");
    expect("/app/", "program app/index /app/");
    expect("/page/", "program page/index.php /page/");
    expect("/unready/", "forbidden");
    expect("/plain/", "none");
    expect("/listed/", "none");
    expect("/folder/a.txt", "file folder/a.txt");
    expect("/page/index", "program page/index.php /page/index");
}

static void a_folder_without_its_slash_is_redirected(void **state)
{
    (void)state;
    expect("/sub", "redirect");
    expect("/plain", "redirect");
    expect("/folder", "redirect");
    expect("/both", "program both.sh /both");
    expect("/both/", "none");
    expect("/both/x", "file both/x");
    expect("/both/y", "none");
}

static void names_with_a_dot_are_not_there(void **state)
{
    (void)state;
    expect("/.hidden", "none");
    expect("/.git", "none");
    expect("/.git/", "none");
    expect("/.git/config", "none");
    expect("/.well-known/security.txt", "file .well-known/security.txt");
    expect("/.well-known/.secret", "none");
    expect("/.well-known", "redirect");
    expect("/self/.git/config", "none");
    /* as of http_path_decode these don't come; should they, they find nothing */
    expect("/..", "none");
    expect("/../outside", "none");
    expect("/plain/../../outside", "none");
    expect("/plain/./a.txt", "none");
}

static void symlinks_stay_inside(void **state)
{
    (void)state;
    expect("/inner", "file inner");
    expect("/plain/up", "file plain/up");
    expect("/folder/up", "file folder/up");
    expect("/escape", "none");
    expect("/absolute", "none");
    expect("/passwd", "none");
    expect("/parent", "none");
    expect("/parent/outside", "none");
    expect("/parent/root/style.css", "none");
    expect("/magic/etc/passwd", "none");
    expect("/loop", "none");
    expect("/loop/x", "none");
    expect("/self/self/self/style.css", "file self/self/self/style.css");
}

static void rename_in(const char *from, const char *to)
{
    char old[256], new[256];
    path_in(old, from);
    path_in(new, to);
    assert_int_equal(rename(old, new), 0);
}

/* Each name is looked for once before: what is known of it must not last. */
static void what_was_missing_is_found_as_soon_as_it_is_there(void **state)
{
    (void)state;
    static const char *const folders[] = {"", "sub/", "folder/"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        char url[64], name[64], with_ending[64], found[128];
        snprintf(url, sizeof(url), "/%slate", folders[i]);
        snprintf(name, sizeof(name), "%slate", folders[i]);
        snprintf(with_ending, sizeof(with_ending), "%slate.sh", folders[i]);
        put("parked", "#!/bin/sh\n", 0755);
        expect(url, "none");
        rename_in("parked", with_ending);
        snprintf(found, sizeof(found), "program %slate.sh /%slate", folders[i], folders[i]);
        expect(url, found);
        rename_in(with_ending, name);
        snprintf(found, sizeof(found), "program %slate /%slate", folders[i], folders[i]);
        expect(url, found);
        rename_in(name, "parked");
        expect(url, "none");
    }
    rename_in("parked", "sub/parked");
    rename_in("sub", "moved");
    expect("/sub/late", "none");
    expect("/moved/late", "none");
    rename_in("moved", "sub");
    rename_in("sub/parked", "parked");
}

static void behind_a_link_that_leads_outside_a_program_of_its_name_answers(void **state)
{
    (void)state;
    link_to("door", "..");
    put("door.sh", "#!/bin/sh\n", 0755);
    expect("/door/root/missing", "program door.sh /door");
    expect("/door/missing", "program door.sh /door");
    expect("/door/missing/deeper", "program door.sh /door");
}

static void a_very_long_way_round_is_not_found(void **state)
{
    (void)state;
    char path[8000] = "";
    for (int i = 0; i < 1000; i++)
        strcat(path, "/self");
    strcat(path, "/style.css");
    expect(path, "none");
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    expect(path, "none");
    memcpy(path, "/run/", 5); /* but a program's PATH_INFO may be long */
    expect(path, "program run /run");
}

/* The test's alarm is the judge: opening a FIFO must not wait for its writer. */
static void what_is_no_file_is_not_there(void **state)
{
    (void)state;
    alarm(10);
    expect("/pipe", "none");
    expect("/pipe/x", "none");
    expect("/socket", "none");
    alarm(0);
}

static void what_may_not_be_read_is_forbidden(void **state)
{
    (void)state;
    put("locked", "x", 0);
    folder("shut");
    put("shut/x", "x", 0644);
    char path[256];
    path_in(path, "shut");
    chmod(path, 0);
    bool is_root = geteuid() == 0; /* who may read everything */
    if (is_root)
        assert_int_equal(seteuid(65534), 0);
    expect("/locked", "forbidden");
    expect("/shut/x", "forbidden");
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    chmod(path, 0755);
}

static void a_root_that_is_no_folder_is_an_error(void **state)
{
    (void)state;
    char path[256];
    path_in(path, "style.css");
    assert_null(site_new(path));
    assert_int_equal(errno, ENOTDIR);
    path_in(path, "missing");
    assert_null(site_new(path));
    assert_int_equal(errno, ENOENT);
}

static void a_root_by_a_relative_name_becomes_absolute(void **state)
{
    (void)state;
    assert_int_equal(chdir(base), 0);
    struct site *relative = site_new("root/../root/");
    assert_non_null(relative);
    assert_string_equal(site_root(relative), root);
    site_free(relative);
    assert_int_equal(chdir("/"), 0);
    struct site *all = site_new("/");
    struct site_found found;
    site_find(all, SLICE_LITERAL("/etc/passwd"), &found);
    assert_int_equal(found.kind, SITE_FILE);
    assert_string_equal(found.file, "/etc/passwd");
    site_found_done(&found);
    site_find(all, SLICE_LITERAL("/"), &found);
    assert_int_equal(found.fd, -1);
    site_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_found_as_they_are),
        cmocka_unit_test(nothing_follows_a_file),
        cmocka_unit_test(programs_run_and_their_sources_stay),
        cmocka_unit_test(a_program_is_found_without_its_ending),
        cmocka_unit_test(what_follows_a_program_is_its_path_info),
        cmocka_unit_test(folders_answer_by_their_index),
        cmocka_unit_test(a_folder_without_its_slash_is_redirected),
        cmocka_unit_test(names_with_a_dot_are_not_there),
        cmocka_unit_test(symlinks_stay_inside),
        cmocka_unit_test(what_was_missing_is_found_as_soon_as_it_is_there),
        cmocka_unit_test(behind_a_link_that_leads_outside_a_program_of_its_name_answers),
        cmocka_unit_test(a_very_long_way_round_is_not_found),
        cmocka_unit_test(what_is_no_file_is_not_there),
        cmocka_unit_test(what_may_not_be_read_is_forbidden),
        cmocka_unit_test(a_root_that_is_no_folder_is_an_error),
        cmocka_unit_test(a_root_by_a_relative_name_becomes_absolute),
    };
    return cmocka_run_group_tests_name("site", tests, make_tree, remove_tree);
}
