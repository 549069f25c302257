/* SPDX-License-Identifier: MIT */
/* Copies of files in another coding: their bounds, and what happens at them. */
#include "descriptors.h"
#include "http/compress.h"
#include "http/compressor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char folder[64];
static char text[200000];
static atomic_bool never;

static int open_file(const char *name, struct stat *stat)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, stat), 0);
    return fd;
}

/* Numbers, which compress to some half; different ones in each file. */
static void put(const char *name, unsigned seed)
{
    struct stat stat;
    int fd = open_file(name, &stat);
    for (size_t i = 0; i + 9 <= sizeof(text); i += 8, seed = seed * 1103515245 + 12345)
        snprintf(text + i, 9, "%08x", seed);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
}

static struct compressed *look(struct compressor *c, const struct stat *stat,
                               enum encoding encoding, int fd)
{
    bool unknown;
    struct compressed *copy = compressor_find(c, stat, encoding, &unknown);
    if (unknown && fd >= 0)
        compressor_ask(c, stat, encoding, fd);
    return copy;
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/httpsocket-compressor-XXXXXX");
    assert_non_null(mkdtemp(folder));
    put("a", 1);
    put("b", 2);
    return 0;
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

/* Asks until there is a copy: a new file is left alone for two seconds. */
static struct compressed *find(struct compressor *c, const char *name, enum encoding encoding)
{
    struct stat stat;
    struct compressed *copy;
    int fd = open_file(name, &stat);
    while (!(copy = look(c, &stat, encoding, fd)))
        usleep(10000);
    close(fd);
    return copy;
}

static bool is_there(struct compressor *c, const char *name, enum encoding encoding)
{
    struct stat stat;
    close(open_file(name, &stat));
    struct compressed *copy = look(c, &stat, encoding, -1);
    if (copy)
        compressor_give_back(c, copy);
    return copy;
}

static void what_has_no_room_is_too_big_and_who_has_to_stop_stops(void **state)
{
    (void)state;
    char out[4096];
    atomic_bool stop = true;
    struct slice in = slice_make(text, sizeof(text));
    for (enum encoding e = ENCODING_GZIP; e < ENCODING_COUNT; e++) {
        size_t len = sizeof(out);
        assert_int_equal(compress_bytes(e, in, out, &len, &never), -E2BIG);
        assert_int_equal(compress_bytes(e, in, out, &len, &stop), -ECANCELED);
        len = 16;
        assert_int_equal(compress_bytes(e, SLICE_LITERAL("ab"), out, &len, &never),
                         e == ENCODING_GZIP ? -E2BIG : 0);
        len = sizeof(out);
        assert_int_equal(compress_bytes(e, SLICE_LITERAL(""), out, &len, &never), 0);
        assert_true(len > 0 && len < 64);
    }
}

static void a_copy_that_is_being_sent_is_not_forgotten(void **state)
{
    (void)state;
    struct compressor *c = compressor_new(150000, NULL); /* one copy of these */
    struct compressed *a = find(c, "a", ENCODING_GZIP);
    struct slice bytes = compressed_bytes(a);
    char *before = malloc(bytes.len);
    memcpy(before, bytes.ptr, bytes.len);
    struct stat stat;
    int fd = open_file("b", &stat);
    assert_null(look(c, &stat, ENCODING_GZIP, fd));
    compressor_limit(c, 1000);
    assert_memory_equal(compressed_bytes(a).ptr, before, bytes.len);
    assert_true(is_there(c, "a", ENCODING_GZIP));
    compressor_give_back(c, a);
    assert_false(is_there(c, "a", ENCODING_GZIP));
    assert_int_equal(compressor_count(c).bytes, 0);
    close(fd);
    free(before);
    compressor_free(c);
}

static void the_one_that_was_asked_for_longest_ago_makes_room(void **state)
{
    (void)state;
    struct compressor *c = compressor_new(240000, NULL); /* two of three */
    compressor_give_back(c, find(c, "a", ENCODING_GZIP));
    compressor_give_back(c, find(c, "b", ENCODING_GZIP));
    compressor_give_back(c, find(c, "a", ENCODING_GZIP));
    compressor_give_back(c, find(c, "a", ENCODING_BROTLI));
    assert_true(is_there(c, "a", ENCODING_GZIP));
    assert_true(is_there(c, "a", ENCODING_BROTLI));
    assert_false(is_there(c, "b", ENCODING_GZIP));
    assert_int_equal(compressor_count(c).forgotten, 1);
    compressor_free(c);
}

static void a_file_that_has_changed_has_no_copy(void **state)
{
    (void)state;
    struct compressor *c = compressor_new(1 << 20, NULL);
    compressor_give_back(c, find(c, "a", ENCODING_BROTLI));
    put("a", 3);
    assert_false(is_there(c, "a", ENCODING_BROTLI));
    compressor_free(c);
}

static void it_can_be_freed_while_files_wait(void **state)
{
    (void)state;
    struct compressor *c = compressor_new(1 << 20, NULL);
    struct stat stat;
    int before = count_descriptors();
    compressor_give_back(c, find(c, "b", ENCODING_BROTLI));
    int fd = open_file("b", &stat);
    for (int i = 0; i < 2 * COMPRESSOR_WAITING; i++) {
        stat.st_mtim.tv_nsec = i; /* others, which it will find changed */
        look(c, &stat, ENCODING_GZIP, fd);
    }
    assert_true(count_descriptors() <= before + 1 + COMPRESSOR_WAITING + 1);
    close(fd);
    compressor_free(c);
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_no_room_is_too_big_and_who_has_to_stop_stops),
        cmocka_unit_test(a_copy_that_is_being_sent_is_not_forgotten),
        cmocka_unit_test(the_one_that_was_asked_for_longest_ago_makes_room),
        cmocka_unit_test(it_can_be_freed_while_files_wait),
        cmocka_unit_test(a_file_that_has_changed_has_no_copy),
    };
    return cmocka_run_group_tests_name("compressor", tests, make_folder, remove_folder);
}
