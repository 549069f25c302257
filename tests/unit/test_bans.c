/* SPDX-License-Identifier: MIT */
#include "limits/bans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct ban_key key(const char *client, const char *origin, const char *target,
                          const char *path)
{
    return (struct ban_key){slice_of(client), slice_of(origin), slice_of(target), slice_of(path)};
}

static void a_ban_is_for_client_origin_target_and_path(void **state)
{
    (void)state;
    struct bans *b = bans_new(64);
    struct ban_key k = key("c", "o", "t", "/p/q");
    bans_add(b, &k, SLICE_NONE, 60, 1000);
    assert_int_equal(bans_check(b, &k, 1000, NULL), 60);
    assert_int_equal(bans_check(b, &k, 60999, NULL), 1);
    assert_int_equal(bans_check(b, &k, 61000, NULL), 0);
    struct ban_key others[] = {key("d", "o", "t", "/p/q"),   key("c", "p", "t", "/p/q"),
                               key("c", "o", "u", "/p/q"),   key("c", "o", "t", "/p"),
                               key("c", "o", "t", "/p/q/r"), key("co", "", "t", "/p/q")};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_int_equal(bans_check(b, &others[i], 1000, NULL), 0);
    /* A shorter one does not shorten it; 0 does nothing; a day is the longest. */
    bans_add(b, &k, SLICE_NONE, 5, 1000);
    bans_add(b, &k, SLICE_NONE, 0, 1000);
    assert_int_equal(bans_check(b, &k, 1000, NULL), 60);
    bans_add(b, &k, SLICE_NONE, 999999, 1000);
    assert_int_equal(bans_check(b, &k, 1000, NULL), 86400);
    bans_free(b);
}

static void a_policy_path_reaches_below_by_segments(void **state)
{
    (void)state;
    static const struct {
        const char *refused, *policy, *asked;
        bool banned;
    } cases[] = {
        {"/chat/room", "/chat", "/chat/other", true},
        {"/chat/room", "/chat", "/chat", true},
        {"/chat/room", "/chat", "/chatter", false},
        {"/chat/room", "/chat/", "/chat/other", true},
        {"/chat/room", "/", "/anything", true},
        {"/chat/room", "/admin", "/admin", false},
        {"/chat/room", "/chat/roo", "/chat/roof", false},
        {"/chat/room", "/chat/room", "/chat/room/x", true},
        {"/chat/room", "/chat/room/x", "/chat/room/x", false},
        {"/chat/room", "/x/../chat", "/chat/other", false},
        {"/chat/../room", "/chat/..", "/chat/../x", false},
        {"/a%2eb/c", "/a%2eb", "/a%2eb/d", false},
        {"/a%2Fb/c", "/a%2Fb", "/a%2Fb/d", false},
        {"/a\\b/c", "/a\\b", "/a\\b/d", false},
        {"/a//b/c", "/a//b", "/a//b/d", false},
        {"/chat/room", "chat", "/chat/other", false},
        {"/chat/room", "", "/chat/other", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct bans *b = bans_new(64);
        struct ban_key refused = key("c", "o", "t", cases[i].refused);
        struct ban_key asked = key("c", "o", "t", cases[i].asked);
        bans_add(b, &refused, slice_of(cases[i].policy), 60, 0);
        assert_int_equal(bans_check(b, &refused, 0, NULL), 60);
        if ((bans_check(b, &asked, 0, NULL) > 0) != cases[i].banned)
            fail_msg("%s, Policy-Path %s, then %s", cases[i].refused, cases[i].policy,
                     cases[i].asked);
        bans_free(b);
    }
}

static void a_ban_says_from_where_down_it_is(void **state)
{
    (void)state;
    struct bans *b = bans_new(64);
    struct slice policy = slice_of("untouched");
    struct ban_key refused = key("c", "o", "t", "/p/q/r"), below = key("c", "o", "t", "/p/x"),
                   other = key("c", "o", "t", "/o");
    bans_add(b, &refused, slice_of("/p"), 60, 0);
    assert_int_equal(bans_check(b, &refused, 0, &policy), 60);
    assert_true(slice_equal(policy, slice_of("/p")));
    assert_int_equal(bans_check(b, &below, 0, &policy), 60);
    assert_true(slice_equal(policy, slice_of("/p")) && policy.ptr == below.path.ptr);
    bans_add(b, &below, SLICE_NONE, 90, 0); /* that path alone, and for longer */
    assert_int_equal(bans_check(b, &below, 0, &policy), 90);
    assert_int_equal(policy.len, 0);
    assert_int_equal(bans_check(b, &other, 0, &policy), 0);
    assert_int_equal(policy.len, 0);
    bans_free(b);
}

static void a_flood_of_bans_keeps_the_longest_and_its_memory(void **state)
{
    (void)state;
    struct bans *b = bans_new(1024);
    size_t bytes = bans_bytes(b);
    char client[32];
    struct ban_key k = key("", "o", "t", "/");
    k.client = slice_of("patient");
    bans_add(b, &k, SLICE_NONE, 86400, 0);
    for (int i = 0; i < 100000; i++) {
        k.client = slice_make(client, (size_t)sprintf(client, "%d", i));
        bans_add(b, &k, SLICE_NONE, 60, 0);
        assert_int_equal(bans_check(b, &k, 0, NULL), 60);
    }
    k.client = slice_of("patient");
    assert_int_equal(bans_check(b, &k, 0, NULL), 86400);
    assert_int_equal(bans_bytes(b), bytes);
    assert_true(bytes < 1024 * 16 + 8192);
    bans_free(b);
}

/* ---- shared with other servers ---- */

static size_t told_count;
static struct ban told_bans[4];

static void hear(void *owner, const struct ban *ban)
{
    assert_ptr_equal(owner, &told_count);
    told_bans[told_count++] = *ban;
}

static void a_ban_of_one_server_holds_at_another_by_its_hash(void **state)
{
    (void)state;
    struct bans *one = bans_new(64), *other = bans_new(64);
    struct ban_key k = key("c", "o", "t", "/p/q"), below = key("c", "o", "t", "/p/r");
    told_count = 0;
    bans_told(one, hear, &told_count);
    bans_add(one, &k, slice_of("/p"), 60, 1000);
    assert_int_equal(told_count, 2); /* the path, and what is below the Policy-Path */
    for (size_t i = 0; i < told_count; i++)
        bans_put(other, &told_bans[i], 1000);
    assert_int_equal(bans_check(other, &k, 1000, NULL), 60);
    assert_int_equal(bans_check(other, &below, 1000, NULL), 60);
    bans_put(other, &(struct ban){told_bans[0].hash, UINT64_MAX}, 1000); /* a day is the longest */
    assert_int_equal(bans_check(other, &k, 1000, NULL), 86400);
    bans_lift(other);
    assert_int_equal(bans_check(other, &k, 1000, NULL), 0);
    bans_put(other, &told_bans[0], 61000); /* it has ended */
    assert_int_equal(bans_check(other, &k, 60999, NULL), 0);
    bans_free(one);
    bans_free(other);
}

static void a_look_at_all_bans_shows_each_that_has_not_ended_once(void **state)
{
    (void)state;
    struct bans *b = bans_new(4096);
    static struct ban seen[BANS_LOOK];
    size_t at = 0, count = 0, looks = 0;
    uint64_t sum = 0;
    for (uint64_t hash = 1; hash <= 3000; hash++)
        bans_put(b, &(struct ban){hash, hash % 2 ? 5000 : 500}, 0);
    do {
        size_t n = bans_look(b, &at, 1000, seen);
        assert_true(n <= BANS_LOOK);
        for (size_t i = 0; i < n; i++)
            sum += seen[i].hash;
        count += n;
        looks++;
    } while (at);
    assert_int_equal(count, 1500);
    assert_int_equal(sum, 2250000);
    assert_int_equal(looks, 3);
    bans_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ban_is_for_client_origin_target_and_path),
        cmocka_unit_test(a_policy_path_reaches_below_by_segments),
        cmocka_unit_test(a_ban_says_from_where_down_it_is),
        cmocka_unit_test(a_flood_of_bans_keeps_the_longest_and_its_memory),
        cmocka_unit_test(a_ban_of_one_server_holds_at_another_by_its_hash),
        cmocka_unit_test(a_look_at_all_bans_shows_each_that_has_not_ended_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
