/* SPDX-License-Identifier: MIT */
/* What programs say of topics, and the walk over JSON beneath. */
#include "proto/json_walk.h"
#include "proto/topic.h"

#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define assert_slice(s, text) assert_true(slice_equal(s, SLICE_LITERAL(text)))

static void a_walk_gives_members_as_they_are_written(void **state)
{
    (void)state;
    struct slice rest;
    struct json_member m;
    assert_true(json_walk_object(
        SLICE_LITERAL(" {\"a\" : 1.50 ,\"b\":\"x\\\"},\",\"c\":{\"d\":[1,\"]\"]}, \"\":null }"),
        &rest));
    assert_true(json_next_member(&rest, &m));
    assert_slice(m.key, "\"a\"");
    assert_slice(m.value, "1.50");
    assert_true(json_next_member(&rest, &m));
    assert_slice(m.value, "\"x\\\"},\"");
    assert_true(json_next_member(&rest, &m));
    assert_slice(m.value, "{\"d\":[1,\"]\"]}");
    assert_true(json_next_member(&rest, &m));
    assert_slice(m.key, "\"\"");
    assert_slice(m.value, "null");
    assert_false(json_next_member(&rest, &m));
}

static void a_walk_over_an_array_gives_its_items(void **state)
{
    (void)state;
    static const char *const items[] = {"1", "[]", "\"\\\\\"", "{\"a\":[{}]}", "true"};
    struct slice rest, item;
    assert_true(json_walk_array(SLICE_LITERAL("[1,[], \"\\\\\" ,{\"a\":[{}]},\ttrue ]"), &rest));
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        assert_true(json_next_item(&rest, &item));
        assert_true(slice_equal(item, slice_of(items[i])));
    }
    assert_false(json_next_item(&rest, &item));
    assert_true(json_walk_array(SLICE_LITERAL("[ ]"), &rest));
    assert_false(json_next_item(&rest, &item));
    assert_false(json_walk_array(SLICE_LITERAL("{}"), &rest));
    assert_false(json_walk_object(SLICE_LITERAL("7"), &rest));
}

static void a_key_is_the_same_however_it_is_escaped(void **state)
{
    (void)state;
    assert_true(json_key_is(SLICE_LITERAL("\"topic\""), SLICE_LITERAL("topic")));
    assert_true(json_key_is(SLICE_LITERAL("\"\\u0074opic\""), SLICE_LITERAL("topic")));
    assert_false(json_key_is(SLICE_LITERAL("\"topics\""), SLICE_LITERAL("topic")));
    assert_false(json_key_is(SLICE_LITERAL("\"\""), SLICE_LITERAL("topic")));
}

static void a_subscription_is_read(void **state)
{
    (void)state;
    struct topic_subscription s;
    const char *why;
    assert_true(topic_parse_subscribe(
        SLICE_LITERAL("{\"to\":\"page\",\"history\":10,\"last\":true,\"self\":false,"
                      "\"presence\":{\"n\":1},\"watch\":true,\"topic\":\"a\\/b\"}"),
        &s, &why));
    assert_slice(topic_name_slice(&s.topic), "a/b");
    assert_int_equal(s.history, 10);
    assert_true(s.last && s.without_self && s.to_page && s.watch);
    assert_slice(s.presence, "{\"n\":1}");
    assert_true(topic_parse_subscribe(SLICE_LITERAL("{\"topic\":\"x\"}"), &s, &why));
    assert_false(s.last || s.without_self || s.to_page || s.watch || s.history || s.presence.len);
}

static void a_publication_is_read(void **state)
{
    (void)state;
    struct topic_publication p;
    const char *why;
    assert_true(topic_parse_publish(
        SLICE_LITERAL("{\"topic\":\"t\",\"event\":\"e\",\"data\": [1, 2],\"keep\":true}"), &p,
        &why));
    assert_slice(slice_make(p.event, p.event_len), "e");
    assert_slice(p.data, "[1, 2]");
    assert_int_equal(p.keep, TOPIC_KEEP_THIS);
    assert_true(topic_parse_publish(SLICE_LITERAL("{\"topic\":\"t\",\"event\":\"e\"}"), &p, &why));
    assert_int_equal(p.data.len, 0);
    assert_int_equal(p.keep, TOPIC_KEEP_AS_IT_IS);
    assert_true(topic_parse_publish(
        SLICE_LITERAL("{\"topic\":\"t\",\"event\":\"e\",\"keep\":false}"), &p, &why));
    assert_int_equal(p.keep, TOPIC_KEEP_NONE);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"{}", "`topic`"},
        {"7", "object"},
        {"{\"topic\":\"\"}", "`topic`"},
        {"{\"topic\":\"a b\"}", "`topic`"},
        {"{\"topic\":\"\\ud83d\\ude00\"}", "`topic`"},
        {"{\"topic\":\"a\",\"topic\":\"a\"}", "twice"},
        {"{\"topic\":\"a\",\"x\":1}", "not known"},
        {"{\"topic\":\"a\",\"history\":1.5}", "`history`"},
        {"{\"topic\":\"a\",\"history\":4294967296}", "`history`"},
        {"{\"topic\":\"a\",\"presence\":[]}", "`presence`"},
        {"{\"topic\":\"a\",\"to\":\"pages\"}", "`to`"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct topic_subscription s;
        const char *why = NULL;
        assert_false(topic_parse_subscribe(slice_of(cases[i].json), &s, &why));
        assert_non_null(strstr(why, cases[i].why));
    }
}

static void names_are_as_long_as_they_may_be(void **state)
{
    (void)state;
    char json[512], name[TOPIC_NAME_MAX + 2];
    struct topic_name topic;
    const char *why;
    memset(name, 'a', sizeof(name));
    int len = snprintf(json, sizeof(json), "{\"topic\":\"%.*s\"}", TOPIC_NAME_MAX, name);
    assert_true(topic_parse_unsubscribe(slice_make(json, (size_t)len), &topic, &why));
    assert_int_equal(topic.len, TOPIC_NAME_MAX);
    len = snprintf(json, sizeof(json), "{\"topic\":\"%.*s\"}", TOPIC_NAME_MAX + 1, name);
    assert_false(topic_parse_unsubscribe(slice_make(json, (size_t)len), &topic, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_gives_members_as_they_are_written),
        cmocka_unit_test(a_walk_over_an_array_gives_its_items),
        cmocka_unit_test(a_key_is_the_same_however_it_is_escaped),
        cmocka_unit_test(a_subscription_is_read),
        cmocka_unit_test(a_publication_is_read),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(names_are_as_long_as_they_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
