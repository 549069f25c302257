/* SPDX-License-Identifier: MIT */
/* tests/vectors/bans.json against the server's table of bans: the rows are the test; the JavaScript
 * side runs the same ones. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "limits/bans.h"

static struct slice text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_string(value));
    return slice_make(json_string_value(value), json_string_length(value));
}

static struct ban_key key_of(struct slice path)
{
    return (struct ban_key){
        .client = SLICE_LITERAL("192.0.2.1"),
        .origin = SLICE_LITERAL("https://a.example"),
        .target = SLICE_LITERAL("https://b.example"),
        .path = path,
    };
}

static void check_all(struct bans *bans, const json_t *paths, uint32_t seconds)
{
    size_t i;
    const json_t *path;
    assert_true(json_is_array(paths));
    json_array_foreach(paths, i, path)
    {
        struct ban_key key = key_of(slice_make(json_string_value(path), json_string_length(path)));
        if (bans_check(bans, &key, 0, NULL) != seconds)
            fail_msg("%s: not %u s", json_string_value(path), seconds);
    }
}

static void run_row(const json_t *row)
{
    struct slice refused = text_of(row, "refused"), policy = text_of(row, "policy");
    struct bans *bans = bans_new(64);
    struct ban_key key = key_of(refused);
    assert_non_null(bans);
    bool counts = json_is_true(json_object_get(row, "counts"));
    if (ban_policy_path_counts(policy, refused) != counts)
        fail_msg("%s: counts is not %d", json_string_value(json_object_get(row, "why")), counts);
    bans_add(bans, &key, policy, 60, 0);
    check_all(bans, json_object_get(row, "banned"), 60);
    check_all(bans, json_object_get(row, "free"), 0);
    bans_free(bans);
}

static void every_row_bans_what_it_says(void **state)
{
    (void)state;
    json_error_t error;
    json_t *rows = json_load_file(BAN_VECTORS, 0, &error);
    if (!rows)
        fail_msg("%s:%d: %s", BAN_VECTORS, error.line, error.text);
    assert_true(json_array_size(rows) > 15);
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) run_row(row);
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row_bans_what_it_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
