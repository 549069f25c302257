/* SPDX-License-Identifier: MIT */
#include "proto/origin.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_host_is_normalised(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        enum host_kind kind;
        uint16_t port;
    } cases[] = {
        {"a.example", "a.example", HOST_NAME, 0},
        {"A.Example:8080", "a.example", HOST_NAME, 8080},
        {"a.example:", "a.example", HOST_NAME, 0},
        {"a.example.:1", "a.example.", HOST_NAME, 1},
        {"my_app", "my_app", HOST_NAME, 0},
        {"xn--bcher-kva.example", "xn--bcher-kva.example", HOST_NAME, 0},
        {"1a.2b", "1a.2b", HOST_NAME, 0},
        {"0xg", "0xg", HOST_NAME, 0},
        {"127.0.0.1:65535", "127.0.0.1", HOST_IPV4, 65535},
        {"[::1]", "[::1]", HOST_IPV6, 0},
        {"[0:0::0:1]:80", "[::1]", HOST_IPV6, 80},
        {"[2001:DB8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]", HOST_IPV6, 0},
        {"[2001:db8:0:1:1:1:1:1]", "[2001:db8:0:1:1:1:1:1]", HOST_IPV6, 0},
        {"[::]", "[::]", HOST_IPV6, 0},
        {"[1::]", "[1::]", HOST_IPV6, 0},
        {"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", HOST_IPV6, 0},
        {"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", HOST_IPV6, 0},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]", HOST_IPV6, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct authority a;
        assert_true(authority_parse(slice_of(cases[i].text), &a));
        assert_string_equal(a.host, cases[i].host);
        assert_int_equal(a.host_len, strlen(a.host));
        assert_int_equal(a.kind, cases[i].kind);
        assert_int_equal(a.port, cases[i].port);
    }
}

static void what_is_no_host_is_refused(void **state)
{
    (void)state;
    static const struct slice bad[] = {
        {"", 0},
        {":80", 3},
        {".", 1},
        {"a..b", 4},
        {".a", 2},
        {"a..", 3},
        {"a b", 3},
        {"a@b", 3},
        {"a%20b", 5},
        {"b\xc3\xbc.example", 11},
        {"a\0b", 3},
        {"127.0.0.1\0", 10},
        {"127.1", 5},
        {"0x7f.1", 6},
        {"0177.0.0.1", 10},
        {"a.0x", 4},
        {"a.1", 3},
        {"1.2.3.4.5", 9},
        {"256.1.1.1", 9},
        {"1.2.3.4.", 8},
        {"a:0", 3},
        {"a:080", 5},
        {"a:65536", 7},
        {"a:+80", 5},
        {"a:80:80", 7},
        {"a/", 2},
        {"[::1", 4},
        {"[::1]80", 7},
        {"[::1]]", 6},
        {"[fe80::1%eth0]", 14},
        {"[]", 2},
        {"[::1\0]", 6},
        {"::1", 3},
        {"[a.example]", 11},
    };
    struct authority a = {.port = 7};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(authority_parse(bad[i], &a));
    assert_int_equal(a.port, 7);
}

static void names_end_at_253_bytes_and_labels_at_63(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'a', sizeof(text));
    struct authority a;
    assert_true(authority_parse(slice_make(text, 63), &a));
    assert_false(authority_parse(slice_make(text, 64), &a));
    for (size_t i = 49; i < sizeof(text); i += 50)
        text[i] = '.';
    assert_true(authority_parse(slice_make(text, 253), &a));
    assert_false(authority_parse(slice_make(text, 254), &a));
    text[253] = '.';
    assert_true(authority_parse(slice_make(text, 254), &a));
    assert_int_equal(a.host_len, AUTHORITY_HOST_MAX);
    assert_false(authority_parse(slice_make(text, 255), &a));
}

static void loopback_is_by_name_or_literal(void **state)
{
    (void)state;
    static const char *ours[] = {"localhost",   "LOCALHOST:80", "localhost.",
                                 "a.localhost", "127.9.9.9",    "[::1]"};
    static const char *others[] = {"localhost.example", "mylocalhost", "128.0.0.1", "[::2]",
                                   "127.0.0.example"};
    struct authority a;
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        assert_true(authority_parse(slice_of(ours[i]), &a) && authority_is_loopback(&a));
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_true(authority_parse(slice_of(others[i]), &a) && !authority_is_loopback(&a));
}

static void an_origin_is_written_as_browsers_write_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written;
    } cases[] = {
        {"https://a.example", "https://a.example"},
        {"HTTPS://A.Example:443", "https://a.example"},
        {"http://a.example:443", "http://a.example:443"},
        {"http://[::1]:80", "http://[::1]"},
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
        {"null", "null"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct origin o;
        char text[ORIGIN_TEXT_SIZE];
        assert_true(origin_parse(slice_of(cases[i].text), &o));
        struct slice written = origin_write(&o, text);
        assert_string_equal(text, cases[i].written);
        assert_int_equal(written.len, strlen(text));
    }
}

static void what_is_no_origin_is_refused(void **state)
{
    (void)state;
    static const char *bad[] = {
        "",
        "a.example",
        "https://",
        "https://a.example/",
        "https://a.example:",
        "ws://a",
        "file:///",
        "ftp://a.example",
        "https://u@a",
        "https://a https://b",
        "NULL",
        "chrome-extension://x",
        "https:/a",
        " https://a",
        "https://a ",
        "https//a",
    };
    struct origin o = {.authority.port = 7};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(origin_parse(slice_of(bad[i]), &o));
    assert_int_equal(o.authority.port, 7);
}

static void origins_are_equal_by_scheme_host_and_port(void **state)
{
    (void)state;
    struct origin a, b;
    assert_true(origin_parse(slice_of("https://a.example"), &a));
    assert_true(origin_parse(slice_of("https://A.example:443"), &b) && origin_equal(&a, &b));
    static const char *others[] = {"http://a.example", "https://a.example:444", "https://b.example",
                                   "https://a.example.", "http://a.example:443"};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_true(origin_parse(slice_of(others[i]), &b) && !origin_equal(&a, &b));
    assert_true(origin_parse(slice_of("null"), &a));
    assert_false(origin_equal(&a, &a));
}

static void a_url_gives_its_origin_and_the_rest(void **state)
{
    (void)state;
    struct origin o;
    struct slice rest;
    assert_true(origin_parse_url(slice_of("wss://b.test/chat?x"), &o, &rest));
    assert_true(slice_equal(rest, slice_of("/chat?x")));
    assert_int_equal(o.scheme, ORIGIN_HTTPS);
    assert_int_equal(o.authority.port, 443);
    assert_true(origin_parse_url(slice_of("http://[::1]:81"), &o, &rest));
    assert_int_equal(rest.len, 0);
    assert_true(origin_parse_url(slice_of("http://a?b"), &o, &rest) &&
                slice_equal(rest, slice_of("?b")));
    assert_false(origin_parse_url(slice_of("/chat"), &o, &rest));
    assert_false(origin_parse_url(slice_of("http://u:p@a/"), &o, &rest));
    assert_false(origin_parse_url(slice_of("http:///x"), &o, &rest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_normalised),
        cmocka_unit_test(what_is_no_host_is_refused),
        cmocka_unit_test(names_end_at_253_bytes_and_labels_at_63),
        cmocka_unit_test(loopback_is_by_name_or_literal),
        cmocka_unit_test(an_origin_is_written_as_browsers_write_it),
        cmocka_unit_test(what_is_no_origin_is_refused),
        cmocka_unit_test(origins_are_equal_by_scheme_host_and_port),
        cmocka_unit_test(a_url_gives_its_origin_and_the_rest),
    };
    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
