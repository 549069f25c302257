/* SPDX-License-Identifier: MIT */
#include "page/splice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ELEMENT "<META>"

struct output {
    char text[64 * 1024];
    size_t len;
};

static void put(void *arg, struct slice data)
{
    struct output *out = arg;
    assert_true(out->len + data.len <= sizeof(out->text));
    memcpy(out->text + out->len, data.ptr, data.len);
    out->len += data.len;
}

/* The document in pieces of `size` bytes, each in memory of its own length. */
static void feed(struct slice document, size_t size, struct output *out)
{
    struct page_splice splice = {0};
    out->len = 0;
    while (document.len > 0) {
        struct slice piece = slice_first(document, size);
        char *copy = slice_to_string(piece);
        document = slice_skip(document, piece.len);
        page_splice_feed(&splice, slice_make(copy, piece.len), false, SLICE_LITERAL(ELEMENT), put,
                         out);
        free(copy);
    }
    page_splice_feed(&splice, SLICE_LITERAL(""), true, SLICE_LITERAL(ELEMENT), put, out);
    page_splice_done(&splice);
}

static void expect_in_any_split(const char *document, const char *expected)
{
    static struct output out;
    size_t len = strlen(document);
    for (size_t size = 1; size <= len + 1; size++) {
        feed(slice_of(document), size, &out);
        if (!slice_equal(slice_make(out.text, out.len), slice_of(expected)))
            fail_msg("in pieces of %zu: %.*s", size, (int)out.len, out.text);
    }
}

static void the_element_is_first_in_the_head_in_any_split(void **state)
{
    (void)state;
    expect_in_any_split("<!doctype html>\n<html lang=\"no\"><head><title>x</title></head>",
                        "<!doctype html>\n<html lang=\"no\"><head><META><title>x</title></head>");
    expect_in_any_split("\xef\xbb\xbf <!-- a > b --><!DOCTYPE html><p>hi",
                        "\xef\xbb\xbf <!-- a > b --><!DOCTYPE html><META><p>hi");
    expect_in_any_split("<html><head data-x='>'><script>1</script>",
                        "<html><head data-x='>'><META><script>1</script>");
    expect_in_any_split("plain text", "<META>plain text");
}

static void a_document_that_ends_before_the_place_is_known_still_gets_it(void **state)
{
    (void)state;
    static struct output out;
    static const char *const documents[] = {"", "<", "<!doctype", "<!doctype html>", "<!-- open"};
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        feed(slice_of(documents[i]), 3, &out);
        assert_int_equal(out.len, strlen(documents[i]) + strlen(ELEMENT));
        out.text[out.len] = '\0';
        assert_non_null(strstr(out.text, ELEMENT));
    }
}

static void what_is_held_back_is_bounded_and_all_of_it_comes(void **state)
{
    (void)state;
    static struct output out;
    static char document[3 * SPLICE_HELD_MAX];
    memset(document, ' ', sizeof(document));
    memcpy(document, "<!--", 4);
    struct page_splice splice = {0};
    out.len = 0;
    page_splice_feed(&splice, slice_make(document, sizeof(document)), false, SLICE_LITERAL(ELEMENT),
                     put, &out);
    assert_int_equal(out.len, sizeof(document) + strlen(ELEMENT));
    page_splice_done(&splice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_element_is_first_in_the_head_in_any_split),
        cmocka_unit_test(a_document_that_ends_before_the_place_is_known_still_gets_it),
        cmocka_unit_test(what_is_held_back_is_bounded_and_all_of_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
