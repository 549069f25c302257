/* SPDX-License-Identifier: MIT */
/* test_client.c - the pure parts of the C client: ends, backoff, the outbox and its window,
 * targets, the welcome. */
#include "client/backoff.h"
#include "client/dial.h"
#include "client/outbox_window.h"
#include "client/welcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "random.h"

static void the_reason_tells_when_to_come_back(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
        int64_t retry_s;
    } rows[] = {
        {"draining retry=5", "draining", 5},
        {"retry=7", "", 7},
        {"rate-limited", "rate-limited", -1},
        {"x retry=", "x retry=", -1},
        {"x retry=-1", "x retry=-1", -1},
        {"x noretry=5", "x noretry=5", -1},
        {"retry=5 x", "retry=5 x", -1},
        {"", "", -1},
        {"x retry=1000000000", "x retry=1000000000", -1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct end end = end_make(1012, slice_of(rows[i].text));
        assert_string_equal(end.reason, rows[i].reason);
        assert_int_equal(end.retry_s, rows[i].retry_s);
    }
    char longest[400];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + END_REASON_MAX - 1, "\xc3\xa9", 2);
    struct end end = end_make(4400, slice_make(longest, sizeof(longest)));
    assert_int_equal(strlen(end.reason), END_REASON_MAX - 1); /* not half a character */
}

static void the_delay_doubles_up_to_30_seconds(void **state)
{
    (void)state;
    uint64_t whole = 250;
    for (unsigned attempt = 0; attempt < 40; attempt++) {
        assert_int_equal(backoff_delay(attempt, 0), whole / 2);
        for (uint32_t chance = 0; chance < 100000; chance += 77)
            assert_in_range(backoff_delay(attempt, chance), whole / 2, whole);
        whole = whole * 2 < 30000 ? whole * 2 : 30000;
    }
}

static void after_a_connection_that_worked_it_comes_back_at_once(void **state)
{
    (void)state;
    struct backoff p = {0};
    struct end lost = {.code = 1006}, busy = {.code = 1013, .retry_s = 9};
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(backoff_delay_after(&p, &lost, 0, 0), backoff_delay(i, 0));
    backoff_opened(&p, 1000); /* reached, but it carried nothing: no more than four failures */
    assert_int_equal(backoff_delay_after(&p, &lost, 1001, 0), backoff_delay(4, 0));
    backoff_opened(&p, 2000);
    backoff_worked(&p);
    assert_int_equal(backoff_delay_after(&p, &lost, 2001, 0), 0);
    assert_int_equal(backoff_delay_after(&p, &lost, 2001, 0), backoff_delay(1, 0));
    backoff_opened(&p, 3000); /* lasted five seconds */
    assert_int_equal(backoff_delay_after(&p, &lost, 8000, 0), 0);
    backoff_opened(&p, 9000);
    backoff_worked(&p);
    assert_int_equal(backoff_delay_after(&p, &busy, 9001, 0), 9000 + backoff_delay(0, 0));
    busy.retry_s = -1;
    assert_int_equal(backoff_delay_after(&p, &busy, 9001, 0), 5000 + backoff_delay(1, 0));
}

static bool push(struct outbox_window *o, size_t len)
{
    static const char letters[4096] = {0};
    struct slice piece = slice_make(letters, len);
    return outbox_window_push(o, false, &piece, 1);
}

static void no_more_than_a_window_is_under_way_and_a_larger_one_goes_alone(void **state)
{
    (void)state;
    struct outbox_window o = {0};
    assert_true(push(&o, 60) && push(&o, 40) && push(&o, 1) && push(&o, 500) && push(&o, 1));
    assert_int_equal(outbox_window_next(&o, 100)->len, 60);
    assert_int_equal(outbox_window_next(&o, 100)->len, 40);
    assert_null(outbox_window_next(&o, 100));
    assert_false(outbox_window_ack(&o, 3)); /* not sent yet */
    assert_true(outbox_window_ack(&o, 1));
    assert_false(outbox_window_ack(&o, 0));
    assert_int_equal(outbox_window_next(&o, 100)->len, 1);
    assert_null(outbox_window_next(&o, 100));
    assert_true(outbox_window_ack(&o, 3));
    assert_int_equal(outbox_window_next(&o, 100)->len, 500);
    assert_null(outbox_window_next(&o, 100));
    assert_false(outbox_window_rewind(&o, 5));
    assert_false(outbox_window_rewind(&o, 2));
    assert_true(outbox_window_rewind(&o, 3)); /* it did not arrive: it goes out again */
    assert_true(outbox_window_exceeds(&o, 0));
    assert_false(outbox_window_exceeds(&o, 1)); /* what went out once was taken for good */
    assert_int_equal(outbox_window_next(&o, 100)->len, 500);
    assert_true(outbox_window_ack(&o, 4));
    assert_int_equal(outbox_window_next(&o, 100)->len, 1);
    assert_true(outbox_window_ack(&o, 5));
    assert_int_equal(o.kept.bytes, 0);
    assert_int_equal(o.in_flight, 0);
    outbox_window_clear(&o);
}

/* Against a server that takes in order: whatever is cut, it gets every number once. */
static void any_cuts_deliver_each_message_once_and_in_order(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct outbox_window o = {0};
    uint64_t pushed = 0, taken = 0, number = 0;
    for (int step = 0; step < 100000; step++) {
        switch (random_below(&seed, 5)) {
        case 0:
            assert_true(push(&o, 8 + pushed++ % 50));
            break;
        case 1:
        case 2: {
            const struct outbox_message *m = outbox_window_next(&o, 200);
            if (!m)
                break;
            assert_int_equal(m->len, 8 + number % 50);
            if (number++ == taken)
                taken++;
            break;
        }
        case 3:
            assert_true(outbox_window_ack(&o, taken));
            break;
        case 4: /* a cut: the last ones under way may be lost */
            if (taken > o.kept.acked)
                taken -= random_below(&seed, (uint32_t)(taken - o.kept.acked) + 1);
            number = taken;
            assert_true(outbox_window_rewind(&o, taken));
            break;
        }
        assert_true(o.in_flight <= o.kept.bytes);
    }
    assert_true(taken > 1000);
    outbox_window_clear(&o);
}

static void a_url_becomes_a_target(void **state)
{
    (void)state;
    static const struct {
        const char *url, *origin, *host, *path, *declared;
        uint16_t port;
    } rows[] = {
        {"http://a.example", NULL, "a.example", "/", "http://a.example", 80},
        {"https://A.example/x?y=1", NULL, "a.example", "/x?y=1", "https://a.example", 443},
        {"ws://a.example:81?q", NULL, "a.example", "/?q", "http://a.example:81", 81},
        {"wss://[::1]:8443/", "http://b.example:80", "::1", "/", "http://b.example", 8443},
        {"http://10.0.0.1/", "null", "10.0.0.1", "/", "null", 80},
    };
    struct dial_target t;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_null(dial_target_init(&t, rows[i].url, rows[i].origin));
        assert_string_equal(t.host, rows[i].host);
        assert_string_equal(t.path, rows[i].path);
        assert_string_equal(t.declared, rows[i].declared);
        assert_int_equal(t.origin.authority.port, rows[i].port);
        dial_target_done(&t);
    }
    static const char *const bad[] = {"",
                                      "a.example",
                                      "ftp://a.example",
                                      "http://",
                                      "http://a b",
                                      "http://a/ b",
                                      "http://a/#x",
                                      "http://u@a/",
                                      "http://a/\r\nX: y",
                                      "http://\xc3\xa9.example/"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_non_null(dial_target_init(&t, bad[i], NULL));
    assert_non_null(dial_target_init(&t, "http://a.example", "a.example"));
    assert_non_null(dial_target_init(&t, "http://a.example", "http://a\r\nX: y"));
}

static void rfc8305_4_families_alternate(void **state)
{
    (void)state;
    struct net_address a[6] = {0};
    static const int given[] = {AF_INET6, AF_INET6, AF_INET6, AF_INET, AF_INET, AF_INET6};
    static const int order[] = {AF_INET6, AF_INET, AF_INET6, AF_INET, AF_INET6, AF_INET6};
    static const in_port_t who[] = {0, 3, 1, 4, 2, 5};
    for (in_port_t i = 0; i < 6; i++)
        a[i].v4 = (struct sockaddr_in){.sin_family = (sa_family_t)given[i], .sin_port = i};
    resolve_alternate(a, 6);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(a[i].any.sa_family, order[i]);
        assert_int_equal(a[i].v4.sin_port, who[i]);
    }
    resolve_alternate(a, 0);
}

#define SESSION "\"session\":\"AAAAAAAAAAAAAAAAAAAAAAAA\",\"resumed\":true,\"received\":3"
#define NUMBERS "\"window\":1000,\"maxMessage\":2000,\"ping\":20000,\"grace\":0"

static void a_welcome_is_checked(void **state)
{
    (void)state;
    struct welcome w;
    assert_null(welcome_parse(slice_of("{" SESSION "," NUMBERS ",\"later\":[1]}"), &w));
    assert_true(w.resumed);
    assert_int_equal(w.received, 3);
    assert_int_equal(w.message_max, 2000);
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{" SESSION "}",
        "{" NUMBERS "}",
        "{" SESSION "," NUMBERS ",\"window\":0}",
        "{\"session\":\"AAAAAAAAAAAAAAAAAAAAAAA!\",\"resumed\":true,\"received\":3," NUMBERS "}",
        "{\"session\":\"AAAA\",\"resumed\":true,\"received\":3," NUMBERS "}",
        "{\"session\":\"AAAAAAAAAAAAAAAAAAAAAAAA\",\"resumed\":1,\"received\":3," NUMBERS "}",
        "{\"session\":\"AAAAAAAAAAAAAAAAAAAAAAAA\",\"resumed\":true,\"received\":-1," NUMBERS "}",
        "{" SESSION ",\"window\":1000,\"maxMessage\":2000,\"ping\":0,\"grace\":0}",
        "{" SESSION ",\"window\":1e3,\"maxMessage\":2000,\"ping\":1,\"grace\":0}",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_non_null(welcome_parse(slice_of(bad[i]), &w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reason_tells_when_to_come_back),
        cmocka_unit_test(the_delay_doubles_up_to_30_seconds),
        cmocka_unit_test(after_a_connection_that_worked_it_comes_back_at_once),
        cmocka_unit_test(no_more_than_a_window_is_under_way_and_a_larger_one_goes_alone),
        cmocka_unit_test(any_cuts_deliver_each_message_once_and_in_order),
        cmocka_unit_test(a_url_becomes_a_target),
        cmocka_unit_test(rfc8305_4_families_alternate),
        cmocka_unit_test(a_welcome_is_checked),
    };
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
