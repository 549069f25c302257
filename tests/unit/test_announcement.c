/* SPDX-License-Identifier: MIT */
/* What scripts/topics.lua announces, and what it never does. */
#include "cluster/announcement.h"

#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define assert_slice(s, text) assert_true(slice_equal(s, SLICE_LITERAL(text)))

static void an_event_has_all_its_parts(void **state)
{
    (void)state;
    struct announcement a;
    assert_true(announcement_parse(
        SLICE_LITERAL("E epochepochep 42 9f03ab12.1.7 1790000000000 8fJq2mXw0aTz 1 moved\n{\n}"),
        &a));
    assert_int_equal(a.kind, ANNOUNCED_EVENT);
    assert_slice(a.epoch, "epochepochep");
    assert_int_equal(a.seq, 42);
    assert_slice(a.ident, "9f03ab12.1.7");
    assert_int_equal(a.time_ms, 1790000000000);
    assert_slice(a.from, "8fJq2mXw0aTz");
    assert_int_equal(a.keep, TOPIC_KEEP_THIS);
    assert_slice(a.name, "moved");
    assert_slice(a.data, "{\n}");
}

static void an_event_may_be_from_nobody(void **state)
{
    (void)state;
    struct announcement a;
    assert_true(announcement_parse(SLICE_LITERAL("E epochepochep 1 a.0.1 5 - - e\nnull"), &a));
    assert_null(a.from.ptr);
    assert_int_equal(a.keep, TOPIC_KEEP_AS_IT_IS);
}

static void a_client_comes_and_leaves_alone_or_with_its_outpost(void **state)
{
    (void)state;
    struct announcement a;
    assert_true(announcement_parse(SLICE_LITERAL("P 3 a.0 8fJq2mXw0aTz {\"n\":\"a b\"}"), &a));
    assert_int_equal(a.kind, ANNOUNCED_PRESENT);
    assert_int_equal(a.changes, 3);
    assert_slice(a.outpost, "a.0");
    assert_slice(a.client, "8fJq2mXw0aTz");
    assert_slice(a.data, "{\"n\":\"a b\"}");
    assert_true(announcement_parse(SLICE_LITERAL("P 4 a.0 8fJq2mXw0aTz"), &a));
    assert_int_equal(a.data.len, 0);
    assert_true(announcement_parse(SLICE_LITERAL("G 5 a.0"), &a));
    assert_int_equal(a.kind, ANNOUNCED_GONE);
    assert_slice(a.outpost, "a.0");
}

static void what_is_cut_or_of_another_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "E",
        "X 1 2",
        "E epochepochep 1 a.0.1 5 - - e",    /* no LF */
        "E epoch 1 a.0.1 5 - - e\n1",        /* an epoch of another length */
        "E epochepochep 0 a.0.1 5 - - e\n1", /* no number */
        "E epochepochep -1 a.0.1 5 - - e\n1",
        "E epochepochep 1 a.0.1 x - - e\n1",
        "E epochepochep 1  5 - - e\n1",          /* no ident */
        "E epochepochep 1 a.0.1 5 - - \n1",      /* no name */
        "E epochepochep 1 a.0.1 5 - maybe e\n1", /* keep */
        "P x a.0 8fJq2mXw0aTz 1",
        "P 1 a.0 short 1",
        "P 1 an-outpost-with-far-too-long-a-name 8fJq2mXw0aTz 1",
        "G 1 ",
    };
    struct announcement a;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(announcement_parse(slice_of(bad[i]), &a));
}

/* Under ASan: no byte beyond is read. */
static void garbage_is_only_refused(void **state)
{
    (void)state;
    static const char letters[] = "EPG 0123456789.-\nabcdefghijkl";
    uint64_t seed = 1;
    for (int i = 0; i < 100000; i++) {
        char text[64];
        size_t len = random_below(&seed, sizeof(text));
        for (size_t n = 0; n < len; n++)
            text[n] = letters[random_below(&seed, sizeof(letters) - 1)];
        struct announcement a;
        announcement_parse(slice_make(text, len), &a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_all_its_parts),
        cmocka_unit_test(an_event_may_be_from_nobody),
        cmocka_unit_test(a_client_comes_and_leaves_alone_or_with_its_outpost),
        cmocka_unit_test(what_is_cut_or_of_another_form_is_refused),
        cmocka_unit_test(garbage_is_only_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
