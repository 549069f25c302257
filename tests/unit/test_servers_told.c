/* SPDX-License-Identifier: MIT */
/* What brokers tell of the servers, and what follows from it. */
#include "cluster/servers_told.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define INSTANCE "0123456789abcdef0123456789abcdef"

enum {
    NOW = 1000000
};

/* ---- answers of a broker ---- */

static struct redisReply *text(const char *s)
{
    struct redisReply *r = calloc(1, sizeof(*r));
    r->type = REDIS_REPLY_STRING;
    r->str = strdup(s);
    r->len = strlen(s);
    return r;
}

static struct redisReply *array(size_t count, ...)
{
    struct redisReply *r = calloc(1, sizeof(*r));
    va_list args;
    r->type = REDIS_REPLY_ARRAY;
    r->elements = count;
    r->element = calloc(count + 1, sizeof(*r->element));
    va_start(args, count);
    for (size_t i = 0; i < count; i++)
        r->element[i] = va_arg(args, struct redisReply *);
    va_end(args);
    return r;
}

static struct redisReply *number(long long n)
{
    struct redisReply *r = calloc(1, sizeof(*r));
    r->type = REDIS_REPLY_INTEGER;
    r->integer = n;
    return r;
}

static void drop(struct redisReply *r)
{
    for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++)
        drop(r->element[i]);
    free(r->element);
    free(r->str);
    free(r);
}

/* Takes the arrays. */
static void tell(struct servers_told *told, bool young, struct redisReply *late,
                 struct redisReply *all, uint64_t now)
{
    struct redisReply *r = array(5, text("ok"), text("1.2"), number(young), late, all);
    assert_true(servers_told_take(told, r, now));
    drop(r);
}

static const char *const one = INSTANCE "\t10.0.0.1:7400\t77\t-\t1.0\tone";
static const char *const two = INSTANCE "\t[2001:db8::2]:7400\t78\td\t1.1\ttwo";

static struct redisReply *both(void)
{
    return array(4, text("00000002"), text(two), text("00000001"), text(one));
}

static struct servers_view *view_of(struct servers_told *a, struct servers_told *b, uint64_t now)
{
    const struct servers_told *all[] = {a, b};
    return servers_told_view(all, b ? 2 : 1, now);
}

/* ---- one broker ---- */

static void servers_are_read_and_stand_by_their_tags(void **state)
{
    (void)state;
    struct servers_told told = {.up = true};
    tell(&told, false, array(1, text("00000001")), both(), NOW);
    struct servers_view *view = view_of(&told, NULL, NOW);
    assert_int_equal(view->count, 2);
    assert_true(view->fresh);
    const struct server_info *first = servers_view_find(view, 1);
    const struct server_info *second = servers_view_find(view, 2);
    assert_string_equal(first->name, "one");
    assert_int_equal(net_address_port(&first->address), 7400);
    assert_int_equal(first->since_ms, 77);
    assert_true(first->late);
    assert_false(first->draining);
    assert_string_equal(second->version, "1.1");
    assert_true(second->draining);
    assert_false(second->late);
    assert_null(servers_view_find(view, 3));
    assert_true(servers_view_is_gone(view, 3));
    assert_false(servers_view_has_other(view, 2)); /* one is late, two drains */
    servers_view_unref(view);
    tell(&told, false, array(0), number(0), NOW); /* nothing has changed but that */
    view = view_of(&told, NULL, NOW);
    assert_true(servers_view_has_other(view, 2));
    servers_view_unref(view);
    servers_told_done(&told);
}

static void what_is_no_record_is_passed_over(void **state)
{
    (void)state;
    static const char *const odd[] = {"", INSTANCE, "\t\t\t\t", INSTANCE "\tnowhere\t1\t-\t\t",
                                      INSTANCE "\t10.0.0.1:99999\t1\t-\t\t"};
    struct servers_told told = {.up = true};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        tell(&told, false, array(0), array(4, text("00000001"), text(odd[i]), text("x"), text(one)),
             NOW);
        assert_int_equal(told.count, 0);
    }
    tell(&told, false, array(0), array(2, text("00000001"), text(INSTANCE "\t")), NOW);
    assert_int_equal(told.count, 1); /* of a server without ways */
    assert_int_equal(told.infos[0].address.len, 0);
    servers_told_done(&told);
}

static void what_is_no_answer_changes_nothing(void **state)
{
    (void)state;
    struct servers_told told = {.up = true};
    struct redisReply *odd[] = {
        text("ok"),
        number(1),
        array(0),
        array(1, text("taken")),
        array(5, text("ok"), number(1), number(0), array(0), array(0)),
        array(5, text("ok"), text("1"), text("0"), array(0), array(0)),
        array(5, text("ok"), text("1"), number(0), text(""), array(0)),
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        assert_false(servers_told_take(&told, odd[i], NOW));
        drop(odd[i]);
    }
    assert_int_equal(told.told_ms, 0);
}

/* ---- what is certain ---- */

static void nobody_is_gone_who_may_only_be_unheard_of(void **state)
{
    (void)state;
    struct servers_told told = {.up = true};
    struct servers_view *view = view_of(&told, NULL, NOW);
    assert_false(view->fresh); /* nothing was told */
    servers_view_unref(view);
    tell(&told, true, array(0), both(), NOW);
    view = view_of(&told, NULL, NOW);
    assert_false(view->fresh); /* the broker has begun afresh */
    servers_view_unref(view);
    tell(&told, false, array(0), both(), NOW);
    view = view_of(&told, NULL, NOW + 5000);
    assert_false(view->fresh); /* that was long ago */
    assert_false(servers_view_is_gone(view, 3));
    assert_int_equal(view->count, 2);
    servers_view_unref(view);
    servers_told_done(&told);
}

static void while_all_brokers_are_away_the_servers_stay_known(void **state)
{
    (void)state;
    struct servers_told told = {.up = true};
    tell(&told, false, array(0), both(), NOW);
    told.up = false;
    struct servers_view *view = view_of(&told, NULL, NOW + 3600 * 1000);
    assert_int_equal(view->count, 2);
    assert_true(servers_view_find(view, 1)->late);
    assert_false(view->fresh);
    servers_view_unref(view);
    servers_told_done(&told);
}

static void what_a_broker_knew_that_is_away_counts_for_a_while(void **state)
{
    (void)state;
    struct servers_told away = {.up = true}, there = {.up = true};
    tell(&away, false, array(0), both(), NOW);
    away.up = false;
    tell(&there, false, array(1, text("00000001")), array(2, text("00000001"), text(one)), NOW);
    struct servers_view *view = view_of(&away, &there, NOW + 1000);
    assert_int_equal(view->count, 2);
    assert_true(servers_view_find(view, 1)->late); /* both say so */
    assert_true(servers_view_find(view, 2)->late);
    servers_view_unref(view);
    tell(&there, false, array(0), number(0), NOW + 16000);
    view = view_of(&away, &there, NOW + 16000);
    assert_int_equal(view->count, 1);
    assert_false(servers_view_find(view, 1)->late);
    assert_true(servers_view_is_gone(view, 2));
    servers_view_unref(view);
    servers_told_done(&away);
    servers_told_done(&there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_read_and_stand_by_their_tags),
        cmocka_unit_test(what_is_no_record_is_passed_over),
        cmocka_unit_test(what_is_no_answer_changes_nothing),
        cmocka_unit_test(nobody_is_gone_who_may_only_be_unheard_of),
        cmocka_unit_test(while_all_brokers_are_away_the_servers_stay_known),
        cmocka_unit_test(what_a_broker_knew_that_is_away_counts_for_a_while),
    };
    return cmocka_run_group_tests_name("servers_told", tests, NULL, NULL);
}
