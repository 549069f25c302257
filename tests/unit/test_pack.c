/* SPDX-License-Identifier: MIT */
/* Fields that one process writes and the next one reads, which may be of another version. */
#include "base/pack.h"
#include "base/pack_kinds.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    NUMBER = 1,
    TEXT,
    INNER,
    DESCRIPTOR,
    LATER = 900 /* of a version that is to come */
};

static void write_all(struct pack *p)
{
    pack_number(p, NUMBER, 1ull << 40);
    pack_number(p, LATER, 7);
    pack_slice(p, TEXT, SLICE_LITERAL("one"));
    size_t inner = pack_begin(p, INNER);
    pack_slice(p, TEXT, SLICE_LITERAL("inside"));
    pack_fd(p, DESCRIPTOR, 0);
    pack_end(p, inner);
    pack_slice(p, TEXT, SLICE_LITERAL("two"));
}

static void what_was_written_is_read_and_unknown_fields_are_passed_over(void **state)
{
    (void)state;
    struct pack p = {0};
    write_all(&p);
    struct slice all = text_slice(&p.out), inner = packed_slice(all, INNER);
    assert_false(p.failed);
    assert_int_equal(packed_number(all, NUMBER), 1ull << 40);
    assert_true(slice_equal(packed_slice(all, TEXT), SLICE_LITERAL("one")));
    assert_true(slice_equal(packed_slice(inner, TEXT), SLICE_LITERAL("inside")));
    assert_int_equal(packed_fd(inner, DESCRIPTOR), 0);
    assert_int_equal(p.fd_count, 1);
    pack_done(&p);
}

static void what_is_missing_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(packed_number(SLICE_NONE, NUMBER), 0);
    assert_int_equal(packed_slice(SLICE_NONE, TEXT).len, 0);
    assert_int_equal(packed_fd(SLICE_NONE, DESCRIPTOR), -1);
}

static void fields_of_one_tag_come_in_their_order(void **state)
{
    (void)state;
    struct pack p = {0};
    write_all(&p);
    struct slice rest = text_slice(&p.out), found[2] = {SLICE_NONE, SLICE_NONE};
    size_t count = 0;
    for (struct packed field; packed_next(&rest, &field);)
        if (field.tag == TEXT)
            found[count++] = field.value;
    assert_int_equal(count, 2);
    assert_true(slice_equal(found[1], SLICE_LITERAL("two")));
    pack_done(&p);
}

static void a_part_of_it_is_read_as_far_as_fields_are_whole(void **state)
{
    (void)state;
    struct pack p = {0};
    write_all(&p);
    for (size_t len = 0; len < p.out.len; len++) {
        struct slice rest = slice_first(text_slice(&p.out), len);
        for (struct packed field; packed_next(&rest, &field);)
            assert_true(field.value.ptr + field.value.len <= p.out.ptr + len);
    }
    pack_done(&p);
}

static void a_length_beyond_the_end_ends_the_list(void **state)
{
    (void)state;
    char head[PACK_HEAD_LEN];
    struct packed field;
    pack_head(TEXT, UINT64_MAX, head);
    struct slice in = slice_make(head, sizeof(head));
    assert_false(packed_next(&in, &field));
}

static void our_own_kinds_fit_and_others_are_named(void **state)
{
    (void)state;
    struct text printed = {0}, written = {0}, why = {0};
    pack_kinds_print(&printed);
    pack_kinds_written(&written);
    assert_true(pack_kinds_fit(text_slice(&printed), &why));
    assert_true(pack_kinds_read(text_slice(&written), &why));
    assert_int_equal(why.len, 0);
    assert_false(pack_kinds_fit(SLICE_LITERAL("ipc 7 9\n"), &why));
    assert_true(
        slice_starts_with(text_slice(&why), SLICE_LITERAL("it reads ipc of version 7 to 9, not ")));
    text_done(&why);
    assert_false(pack_kinds_fit(SLICE_LITERAL("httpsocketd: unknown option\n"), &why));
    text_done(&why);
    assert_false(pack_kinds_read(SLICE_LITERAL("session 99\n"), &why));
    assert_false(pack_kinds_read(SLICE_LITERAL("teapot 1\n"), &why));
    text_done(&why);
    text_done(&printed);
    text_done(&written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_and_unknown_fields_are_passed_over),
        cmocka_unit_test(what_is_missing_is_nothing),
        cmocka_unit_test(fields_of_one_tag_come_in_their_order),
        cmocka_unit_test(a_part_of_it_is_read_as_far_as_fields_are_whole),
        cmocka_unit_test(a_length_beyond_the_end_ends_the_list),
        cmocka_unit_test(our_own_kinds_fit_and_others_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
