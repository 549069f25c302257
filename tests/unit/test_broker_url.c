/* SPDX-License-Identifier: MIT */
#include "cluster/broker_url.h"

#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct broker_url *read_url(const char *text, char why[256])
{
    struct text fault = {0};
    struct broker_url *url = broker_url_parse(slice_of(text), &fault);
    snprintf(why, 256, "%.*s", SLICE_ARG(text_slice(&fault)));
    text_done(&fault);
    assert_true(url ? !*why : *why);
    return url;
}

/* Every part of a URL in one line; `-` is what there is none of. */
static void expect_url(const char *text, const char *parts)
{
    char why[256], got[1024];
    struct broker_url *url = read_url(text, why);
    if (!url)
        fail_msg("%s: %s", text, why);
    int len = snprintf(got, sizeof(got), "%s %s %s %u %s", url->tls ? "tls" : "plain",
                       url->user ? url->user : "-", url->password ? url->password : "-", url->db,
                       url->master ? url->master : "-");
    for (size_t i = 0; i < url->host_count; i++)
        len += snprintf(got + len, sizeof(got) - (size_t)len, " %s:%u", url->hosts[i].name,
                        url->hosts[i].port);
    assert_string_equal(got, parts);
    broker_url_free(url);
}

static void each_part_is_read(void **state)
{
    (void)state;
    expect_url("redis://a.example", "plain - - 0 - a.example:6379");
    expect_url("redis://a_b-c.example:7000/15", "plain - - 15 - a_b-c.example:7000");
    expect_url("rediss://10.0.0.1/", "tls - - 0 - 10.0.0.1:6379");
    expect_url("redis://[2001:db8::1]:1", "plain - - 0 - 2001:db8::1:1");
    expect_url("redis://[fe80::1%eth0]", "plain - - 0 - fe80::1%eth0:6379");
    expect_url("redis://:pw@h", "plain - pw 0 - h:6379");
    expect_url("redis://me:pw:x@h:1/2", "plain me pw:x 2 - h:1");
    expect_url("redis://me@h", "plain me - 0 - h:6379");
    expect_url("redis://m%40e:%2f%3A%25@h", "plain m@e /:% 0 - h:6379");
    expect_url("redis://me:p@ss@h", "plain me p@ss 0 - h:6379");
    expect_url("unix:/run/redis.sock", "plain - - 0 - /run/redis.sock:0");
    expect_url("unix:redis%20sock?db=3", "plain - - 3 - redis sock:0");
    expect_url("unix:///run/r", "plain - - 0 - /run/r:0");
    expect_url("redis+unix://me:pw@/run/r?db=1", "plain me pw 1 - /run/r:0");
    expect_url("redis-sentinel://a#m", "plain - - 0 m a:26379");
    expect_url("rediss-sentinel://:pw@a,b:1,[::1]:2/3#my%20one",
               "tls - pw 3 my one a:26379 b:1 ::1:2");
}

static void the_text_for_logs_reads_back_and_has_no_password(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"redis://me:pw@h/1", "redis://me@h:6379/1"},
        {"redis://:pw@[::1]:7", "redis://[::1]:7"},
        {"redis+unix://me:pw@/run/r?db=1", "unix:/run/r?db=1"},
        {"rediss-sentinel://:pw@a,b:1/3#m", "rediss-sentinel://a:26379,b:1/3#m"},
    };
    char why[256];
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct broker_url *url = read_url(texts[i][0], why);
        assert_string_equal(url->text, texts[i][1]);
        struct broker_url *again = read_url(url->text, why);
        assert_string_equal(again->text, url->text);
        broker_url_free(again);
        broker_url_free(url);
    }
}

static void what_is_wrong_is_refused_and_no_password_is_repeated(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "redis",
        "redis:/h",
        "http://h",
        "REDIS://h",
        "redis://",
        "redis://:secret@",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:secret",
        "redis://h:+1",
        "redis://h/secret",
        "redis://h/-1",
        "redis://h/1000001",
        "redis://a,b",
        "redis://h#m",
        "redis://h?db=1",
        "redis://:@h",
        "redis://@h",
        "redis://secret:@h",
        "redis://:secret%@h",
        "redis://:secret%0@h",
        "redis://:secret%zz@h",
        "redis://:secret%00@h",
        "redis://:sec/ret@h",
        "redis://:sec#ret@h",
        "redis://[::1",
        "redis://[::g]",
        "redis://[1.2.3.4]",
        "redis://::1",
        "redis://h\n",
        "redis://h h",
        "redis://[fe80::1%]",
        "unix:",
        "unix://",
        "unix://secret@run/r",
        "unix:/r?db=",
        "unix:/r?x=1",
        "redis-sentinel://a",
        "redis-sentinel://a#",
        "redis-sentinel://#m",
        "redis-sentinel://a,#m",
        "redis-sentinel://,a#m",
        "redis-sentinel://a/x#m",
        "redis-sentinel://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17#m"};
    char why[256], long_one[512];
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct broker_url *url = read_url(texts[i], why);
        if (url)
            fail_msg("%s is taken", texts[i]);
        assert_null(strstr(why, "secret"));
        assert_null(strstr(why, "ret@"));
    }
    snprintf(long_one, sizeof(long_one), "redis://%0300d", 1);
    assert_null(read_url(long_one, why));
    snprintf(long_one, sizeof(long_one), "unix:/%0107d", 1);
    assert_null(read_url(long_one, why));
}

static void a_password_can_be_set_later(void **state)
{
    (void)state;
    char why[256];
    struct broker_url *url = read_url("redis://me@h", why);
    assert_true(broker_url_set_password(url, SLICE_LITERAL("one")));
    assert_true(broker_url_set_password(url, SLICE_LITERAL("t%77o")));
    assert_string_equal(url->password, "t%77o");
    broker_url_free(url);
}

/* Any text is taken or refused; what is taken reads back as its text for logs says. */
static void random_texts_are_taken_or_refused(void **state)
{
    (void)state;
    static const char *const pieces[] = {"redis://",    "rediss://", "unix:", "redis-sentinel://",
                                         "redis+unix:", "a",         "b.c",   ":",
                                         "@",           "/",         "//",    "#",
                                         "?db=",        "%",         "%41",   "%00",
                                         "[",           "]",         "::1",   ",",
                                         "1",           "65535",     "x y",   "\xc3"};
    uint64_t r = 7;
    unsigned taken = 0;
    for (int round = 0; round < 200000; round++) {
        char text[256] = "", why[256];
        strcpy(text, pieces[random_below(&r, 5)]);
        for (size_t n = random_below(&r, 8); n > 0; n--)
            strcat(text, pieces[random_below(&r, COUNT_OF(pieces))]);
        struct broker_url *url = read_url(text, why);
        if (!url)
            continue;
        taken++;
        assert_true(url->host_count > 0);
        assert_true(!url->password || *url->password);
        broker_url_free(url);
    }
    assert_true(taken > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_is_read),
        cmocka_unit_test(the_text_for_logs_reads_back_and_has_no_password),
        cmocka_unit_test(what_is_wrong_is_refused_and_no_password_is_repeated),
        cmocka_unit_test(a_password_can_be_set_later),
        cmocka_unit_test(random_texts_are_taken_or_refused),
    };
    return cmocka_run_group_tests_name("broker_url", tests, NULL, NULL);
}
