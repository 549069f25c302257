/* SPDX-License-Identifier: MIT */
#include "serve/route_table.h"

#include "assert_slice.h"
#include "base/list.h"

#include <errno.h>
#include <stdlib.h>

struct place {
    struct route route;
    const char *name;
};

static struct route_table table;

static int add(const char *pattern)
{
    struct place *p = calloc(1, sizeof(*p));
    int error = route_add(&table, &p->route, pattern);
    p->name = pattern;
    if (error) {
        route_done(&p->route);
        free(p);
    }
    return error;
}

static void drop(struct route *route)
{
    route_done(route);
    free(container_of(route, struct place, route));
}

static void expect(const char *method, const char *path, const char *pattern)
{
    struct route_match match;
    route_find(&table, slice_of(method), slice_of(path), &match);
    assert_ptr_equal(match.route == NULL, pattern == NULL);
    if (pattern)
        assert_string_equal(container_of(match.route, struct place, route)->name, pattern);
}

static int done(void **state)
{
    (void)state;
    route_table_done(&table, drop);
    return 0;
}

static void the_most_particular_pattern_wins(void **state)
{
    static const char *const patterns[] = {"/",         "GET /a",      "/a/{x}",
                                           "/a/b",      "/a/{x}/c",    "/a/b/{rest...}",
                                           "/{all...}", "POST /a/{y}", "/a/{x}/{rest...}"};
    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
        assert_int_equal(add(patterns[i]), 0);
    expect("GET", "/", "/");
    expect("GET", "/a", "GET /a");
    expect("PUT", "/a", "/{all...}");
    expect("GET", "/a/b", "/a/b");
    expect("GET", "/a/z", "/a/{x}");
    expect("POST", "/a/z", "POST /a/{y}");
    expect("GET", "/a/z/c", "/a/{x}/c");
    expect("GET", "/a/b/c", "/a/b/{rest...}");
    expect("GET", "/a/b/", "/a/b/{rest...}");
    expect("GET", "/a/z/c/d", "/a/{x}/{rest...}");
    expect("GET", "/a/", "/{all...}");
    expect("GET", "//", "/{all...}");
}

static void a_text_that_leads_nowhere_is_left_again(void **state)
{
    (void)state;
    assert_int_equal(add("/x/fixed/end"), 0);
    assert_int_equal(add("/x/{any}/other"), 0);
    expect("GET", "/x/fixed/other", "/x/{any}/other");
    expect("GET", "/x/fixed/end", "/x/fixed/end");
    expect("GET", "/x/fixed", NULL);
}

static void head_is_answered_by_get(void **state)
{
    struct route_match match;
    (void)state;
    assert_int_equal(add("GET /h"), 0);
    assert_int_equal(add("PUT /h"), 0);
    expect("HEAD", "/h", "GET /h");
    assert_int_equal(add("/h"), 0);
    expect("HEAD", "/h", "GET /h");
    assert_int_equal(add("HEAD /h"), 0);
    expect("HEAD", "/h", "HEAD /h");
    assert_int_equal(add("DELETE /only"), 0);
    route_find(&table, SLICE_LITERAL("GET"), SLICE_LITERAL("/only"), &match);
    assert_null(match.route);
    assert_slice(match.other_methods->method, "DELETE");
}

static void values_have_the_names_of_their_own_pattern(void **state)
{
    struct route_match match;
    (void)state;
    assert_int_equal(add("GET /v/{id}/{part}"), 0);
    assert_int_equal(add("PUT /v/{key}/{rest...}"), 0);
    route_find(&table, SLICE_LITERAL("GET"), SLICE_LITERAL("/v/1/two"), &match);
    assert_int_equal(match.route->param_count, 2);
    assert_slice(match.route->names[1], "part");
    assert_slice(match.values[0], "1");
    assert_slice(match.values[1], "two");
    route_find(&table, SLICE_LITERAL("PUT"), SLICE_LITERAL("/v/1/two/three"), &match);
    assert_slice(match.route->names[0], "key");
    assert_slice(match.values[0], "1");
    assert_slice(match.values[1], "two/three");
}

static void wrong_patterns_are_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "a",
                                        "GET",
                                        "GET a",
                                        "G T /a",
                                        "/a//b",
                                        "/a/../b",
                                        "/a/.",
                                        "/{}",
                                        "/{a...}/b",
                                        "/{a}/{a}",
                                        "/x{a}",
                                        "/{a}x",
                                        "/{a",
                                        "/a}",
                                        "/{a b}",
                                        " /a",
                                        "/{...}",
                                        "/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/{9}"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(add(wrong[i]), -EINVAL);
    char deep[200] = "";
    for (int i = 0; i < ROUTE_SEGMENTS_MAX + 1; i++)
        strcat(deep, "/a");
    assert_int_equal(add(deep), -EINVAL);
    assert_int_equal(add("/same/{x}"), 0);
    assert_int_equal(add("/same/{y}"), -EEXIST);
    assert_int_equal(add("GET /same/{y}"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_most_particular_pattern_wins, done),
        cmocka_unit_test_teardown(a_text_that_leads_nowhere_is_left_again, done),
        cmocka_unit_test_teardown(head_is_answered_by_get, done),
        cmocka_unit_test_teardown(values_have_the_names_of_their_own_pattern, done),
        cmocka_unit_test_teardown(wrong_patterns_are_refused, done),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
