/* SPDX-License-Identifier: MIT */
/* Addresses, targets and refusals. */
#include "access/ip.h"
#include "access/refusal.h"
#include "access/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- addresses ---- */

static struct ip ip(const char *text)
{
    struct ip a;
    assert_true(ip_parse(slice_of(text), &a));
    return a;
}

static void only_public_addresses_are_public(void **state)
{
    (void)state;
    static const char *public[] = {
        "1.1.1.1",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.0",       "169.253.255.255", "169.255.0.0",    "172.15.255.255",
        "172.32.0.0",      "192.0.1.0",       "192.167.255.255", "192.169.0.0",    "198.17.255.255",
        "198.20.0.0",      "223.255.255.255", "168.63.129.15",   "2000::1",        "2001:200::1",
        "2606:4700::1111", "2a00::",          "3ffe::1",         "3fff:1000::",    "2003::"};
    static const char *special[] = {"0.0.0.0",
                                    "0.255.255.255",
                                    "10.0.0.1",
                                    "100.64.0.1",
                                    "100.127.255.255",
                                    "127.0.0.1",
                                    "168.63.129.16",
                                    "169.254.0.1",
                                    "169.254.169.254",
                                    "172.16.0.0",
                                    "172.31.255.255",
                                    "192.0.0.9",
                                    "192.0.2.1",
                                    "192.31.196.1",
                                    "192.52.193.1",
                                    "192.88.99.1",
                                    "192.168.0.1",
                                    "192.175.48.1",
                                    "198.18.0.1",
                                    "198.19.255.255",
                                    "198.51.100.1",
                                    "203.0.113.1",
                                    "224.0.0.1",
                                    "239.255.255.255",
                                    "240.0.0.1",
                                    "255.255.255.255",
                                    "::",
                                    "::1",
                                    "::ffff:8.8.8.8",
                                    "::8.8.8.8",
                                    "64:ff9b::8.8.8.8",
                                    "64:ff9b:1::1",
                                    "100::1",
                                    "2001::1",
                                    "2001:0:1::",
                                    "2001:2::1",
                                    "2001:10::1",
                                    "2001:20::1",
                                    "2001:1ff::1",
                                    "2001:db8::1",
                                    "2002:7f00:1::",
                                    "2620:4f:8000::1",
                                    "3fff::1",
                                    "3fff:fff::1",
                                    "4000::1",
                                    "1fff::1",
                                    "5f00::1",
                                    "fc00::1",
                                    "fd00:ec2::254",
                                    "fe80::1",
                                    "fec0::1",
                                    "ff02::1"};
    for (size_t i = 0; i < sizeof(public) / sizeof(*public); i++) {
        struct ip a = ip(public[i]);
        if (ip_special(&a))
            fail_msg("%s is public", public[i]);
    }
    for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++) {
        struct ip a = ip(special[i]);
        if (!ip_special(&a))
            fail_msg("%s is not public", special[i]);
    }
}

static void an_address_survives_its_socket_form(void **state)
{
    (void)state;
    static const char *texts[] = {"203.0.113.10", "2001:db8::10"};
    for (size_t i = 0; i < 2; i++) {
        struct ip a = ip(texts[i]), b;
        struct sockaddr_storage s;
        char text[IP_TEXT_SIZE];
        socklen_t len = ip_to_sockaddr(&a, 7000, &s);
        assert_true(len > 0 && ip_of_sockaddr((struct sockaddr *)&s, &b));
        assert_true(ip_equal(&a, &b));
        assert_string_equal(ip_print(&b, text).ptr, texts[i]);
    }
    struct ip mapped = ip("::ffff:203.0.113.10"), plain = ip("203.0.113.10");
    assert_true(ip_equal(&mapped, &plain));
}

static void ranges_end_where_their_bits_do(void **state)
{
    (void)state;
    struct ip_range r;
    assert_true(ip_range_parse(slice_of("10.32.0.0/11"), &r));
    struct ip in = ip("10.63.255.255"), out = ip("10.64.0.0"), six = ip("::ffff:10.32.0.0");
    assert_true(ip_range_has(&r, &in));
    assert_false(ip_range_has(&r, &out));
    assert_false(ip_range_has(&r, &six));
    static const char *bad[] = {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8",   "::1/127",
                                "::/129",     "x",           "",          "10.0.0.0/-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(ip_range_parse(slice_of(bad[i]), &r));
    assert_true(ip_range_parse(slice_of("0.0.0.0/0"), &r) && ip_range_has(&r, &out));
    assert_true(ip_range_parse(slice_of("::1"), &r) && r.bits == 128);
}

static void reverse_names_are_written_as_the_rfcs_say(void **state)
{
    (void)state;
    char text[IP_REVERSE_SIZE];
    struct ip four = ip("203.0.113.10"), six = ip("2001:db8::10");
    assert_string_equal(ip_reverse_name(&four, text).ptr, "10.113.0.203.in-addr.arpa");
    assert_string_equal(ip_reverse_name(&six, text).ptr,
                        "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

/* ---- targets ---- */

static void targets_become_names_of_the_dns(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
    } good[] = {
        {"b.test:1", "b.test"},
        {"B.TEST.:65535", "b.test"},
        {"b\xc3\xbc"
         "cher.test:1",
         "xn--bcher-kva.test"},
        {"BU\xcc\x88"
         "CHER.test:1",
         "xn--bcher-kva.test"},
        {"xn--bcher-kva.test:1", "xn--bcher-kva.test"},
        {"b\xe3\x80\x82test:1", "b.test"}, /* ideographic full stop */
        {"\xef\xbd\x82.test:1", "b.test"}, /* fullwidth b */
        {"stra\xc3\x9f"
         "e.test:1",
         "xn--strae-oqa.test"}, /* non-transitional */
        {"a--b.test:1", "a--b.test"},
    };
    static const struct {
        const char *text;
        enum access_reason why;
    } bad[] = {
        {"", ACCESS_TARGET_SYNTAX},
        {":1", ACCESS_TARGET_SYNTAX},
        {"b.test", ACCESS_TARGET_SYNTAX},
        {"b.test:", ACCESS_TARGET_SYNTAX},
        {"b.test:0", ACCESS_TARGET_SYNTAX},
        {"b.test:01", ACCESS_TARGET_SYNTAX},
        {"b.test:1 ", ACCESS_TARGET_SYNTAX},
        {"b.test:+1", ACCESS_TARGET_SYNTAX},
        {"b..test:1", ACCESS_TARGET_SYNTAX},
        {".:1", ACCESS_TARGET_SYNTAX},
        {".b.test:1", ACCESS_TARGET_SYNTAX},
        {"b.test..:1", ACCESS_TARGET_SYNTAX},
        {"b test:1", ACCESS_TARGET_SYNTAX},
        {"b.test/x:1", ACCESS_TARGET_SYNTAX},
        {"u@b.test:1", ACCESS_TARGET_SYNTAX},
        {"b%2etest:1", ACCESS_TARGET_SYNTAX},
        {"b_c.test:1", ACCESS_TARGET_SYNTAX},
        {"-b.test:1", ACCESS_TARGET_SYNTAX},
        {"b-.test:1", ACCESS_TARGET_SYNTAX},
        {"xn--\x80.test:1", ACCESS_TARGET_SYNTAX},
        {"\xff.test:1", ACCESS_TARGET_SYNTAX},
        {"[b.test]:1", ACCESS_TARGET_SYNTAX},
        {"[::1:1", ACCESS_TARGET_SYNTAX},
        {"[::1]:1", ACCESS_TARGET_IP_LITERAL},
        {"[fe80::1%eth0]:1", ACCESS_TARGET_IP_LITERAL},
        {"127.0.0.1:1", ACCESS_TARGET_IP_LITERAL},
        {"127.0.0.1.:1", ACCESS_TARGET_IP_LITERAL},
        {"127.1:1", ACCESS_TARGET_IP_LITERAL},
        {"2130706433:1", ACCESS_TARGET_IP_LITERAL},
        {"0x7f000001:1", ACCESS_TARGET_IP_LITERAL},
        {"0X7F.1:1", ACCESS_TARGET_IP_LITERAL},
        {"b.test.0x:1", ACCESS_TARGET_IP_LITERAL},
        {"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1:1",
         ACCESS_TARGET_IP_LITERAL}, /* fullwidth 127 */
        {"localhost:1", ACCESS_TARGET_SPECIAL_NAME},
        {"LOCALHOST.:1", ACCESS_TARGET_SPECIAL_NAME},
        {"a.localhost:1", ACCESS_TARGET_SPECIAL_NAME},
        {"printer.local:1", ACCESS_TARGET_SPECIAL_NAME},
        {"router.home.arpa:1", ACCESS_TARGET_SPECIAL_NAME},
        {"x.onion:1", ACCESS_TARGET_SPECIAL_NAME},
        {"x.invalid:1", ACCESS_TARGET_SPECIAL_NAME},
        {"metadata.google.internal:1", ACCESS_TARGET_SPECIAL_NAME},
        {"intranet:1", ACCESS_TARGET_SPECIAL_NAME},
    };
    struct target t;
    enum access_reason why;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        if (!target_parse(slice_of(good[i].text), &t, &why))
            fail_msg("%s: %s", good[i].text, access_reason_row(why)->token);
        assert_string_equal(t.host, good[i].host);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (target_parse(slice_of(bad[i].text), &t, &why))
            fail_msg("%s was taken as %s", bad[i].text, t.host);
        if (why != bad[i].why)
            fail_msg("%s: %s", bad[i].text, access_reason_row(why)->token);
    }
}

/* ---- refusals ---- */

static const char *header(const struct refusal *r, const char *name)
{
    static char value[600];
    for (size_t i = 0; i < r->count; i++) {
        if (!slice_equal(r->headers[i].name, slice_of(name)))
            continue;
        snprintf(value, sizeof(value), "%.*s", SLICE_ARG(r->headers[i].value));
        return value;
    }
    return NULL;
}

static void a_refusal_tells_reason_and_time_to_the_asker(void **state)
{
    (void)state;
    struct refusal r;
    refusal_make(&r, ACCESS_NO_RECORD, 600, slice_of("https://a.example"), NULL);
    assert_int_equal(r.status, 403);
    assert_int_equal(r.close_code, 4403);
    assert_true(slice_equal(r.close_reason, slice_of("no-record retry=600")));
    assert_string_equal(header(&r, "Script-Access-Reason"), "no-record");
    assert_string_equal(header(&r, "Retry-After"), "600");
    assert_string_equal(header(&r, "Vary"), "Origin");
    assert_string_equal(header(&r, "Access-Control-Allow-Origin"), "https://a.example");
    assert_non_null(header(&r, "Access-Control-Expose-Headers"));
    assert_null(header(&r, "WWW-Authenticate"));
    refusal_make(&r, ACCESS_TARGET_SYNTAX, 0, slice_of("null"), NULL);
    assert_true(slice_equal(r.close_reason, slice_of("target-syntax")));
    assert_null(header(&r, "Retry-After"));
    assert_string_equal(header(&r, "Access-Control-Allow-Origin"), "null");
}

static void a_401_carries_its_challenge(void **state)
{
    (void)state;
    struct refusal r;
    struct refusal_challenge c = {slice_of("b\".te\\st\r\nX: y"), slice_of("/chat")};
    refusal_make(&r, ACCESS_SCRIPT_DENIED, 120, slice_of("https://a.example"), &c);
    assert_string_equal(header(&r, "WWW-Authenticate"), "Script realm=\"b.testX: y\"");
    assert_string_equal(header(&r, "Access-Control-Max-Age"), "120");
    assert_string_equal(header(&r, "Access-Control-Policy-Path"), "/chat");
    char longest[REFUSAL_REALM_MAX * 4];
    memset(longest, 'x', sizeof(longest));
    c = (struct refusal_challenge){slice_make(longest, sizeof(longest)), slice_of("/a\r\nX: y")};
    refusal_make(&r, ACCESS_SCRIPT_DENIED, 60, SLICE_NONE, &c);
    assert_null(header(&r, "Access-Control-Policy-Path"));
    assert_true(strlen(header(&r, "WWW-Authenticate")) <= REFUSAL_REALM_MAX + 1);
}

static void what_is_no_origin_is_not_sent_back(void **state)
{
    (void)state;
    struct refusal r;
    static const char *bad[] = {"https://a.example\r\nX: y", "*", "", "chrome-extension://x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        refusal_make(&r, ACCESS_ORIGIN_OPAQUE, 60, slice_of(bad[i]), NULL);
        assert_null(header(&r, "Access-Control-Allow-Origin"));
    }
}

static void every_reason_has_its_row(void **state)
{
    (void)state;
    for (int i = 0; i < ACCESS_REASONS; i++) {
        const struct access_reason_row *row = access_reason_row((enum access_reason)i);
        struct refusal r;
        assert_true(strlen(row->token) < 32 && strlen(row->text) > 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(row->token, access_reason_row((enum access_reason)k)->token);
        if (row->verdict == ACCESS_ALLOW) {
            assert_int_equal(row->http, 101);
            continue;
        }
        assert_true(row->ws_close == row->http + 4000 || row->http == 503);
        refusal_make(&r, (enum access_reason)i, UINT32_MAX, slice_of("null"), NULL);
        assert_true(r.close_reason.len < REFUSAL_CLOSE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_public_addresses_are_public),
        cmocka_unit_test(an_address_survives_its_socket_form),
        cmocka_unit_test(ranges_end_where_their_bits_do),
        cmocka_unit_test(reverse_names_are_written_as_the_rfcs_say),
        cmocka_unit_test(targets_become_names_of_the_dns),
        cmocka_unit_test(a_refusal_tells_reason_and_time_to_the_asker),
        cmocka_unit_test(a_401_carries_its_challenge),
        cmocka_unit_test(what_is_no_origin_is_not_sent_back),
        cmocka_unit_test(every_reason_has_its_row),
    };
    return cmocka_run_group_tests_name("access_tables", tests, NULL, NULL);
}
