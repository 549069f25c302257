/* SPDX-License-Identifier: MIT */
#include "access/server_origins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static bool ours(const struct server_origins *origins, enum origin_scheme scheme, const char *host,
                 const char *local, const char *expected)
{
    struct net_address address;
    struct origin origin;
    char text[ORIGIN_TEXT_SIZE];
    const char *why;
    assert_int_equal(net_address_parse(slice_of(local), &address, &why), 0);
    if (!server_origin_find(origins, scheme, slice_of(host), &address, &origin))
        return false;
    if (!slice_equal(origin_write(&origin, text), slice_of(expected)))
        fail_msg("%s instead of %s", text, expected);
    return true;
}

static void without_configuration_loopback_names_and_the_literal_address_are_ours(void **state)
{
    (void)state;
    const struct server_origins none = {0};
    assert_true(
        ours(&none, ORIGIN_HTTP, "localhost:8080", "127.0.0.1:8080", "http://localhost:8080"));
    assert_true(ours(&none, ORIGIN_HTTP, "app.localhost", "127.0.0.1:80", "http://app.localhost"));
    assert_true(ours(&none, ORIGIN_HTTPS, "127.0.0.1:443", "127.0.0.1:443", "https://127.0.0.1"));
    assert_true(ours(&none, ORIGIN_HTTP, "[::1]:8080", "[::1]:8080", "http://[::1]:8080"));
    assert_true(ours(&none, ORIGIN_HTTP, "192.0.2.7:80", "192.0.2.7:80", "http://192.0.2.7"));
    assert_false(ours(&none, ORIGIN_HTTP, "192.0.2.8:80", "192.0.2.7:80", ""));
    assert_false(ours(&none, ORIGIN_HTTP, "evil.example:8080", "127.0.0.1:8080", ""));
    assert_false(ours(&none, ORIGIN_HTTP, "localhost.evil.example", "127.0.0.1:8080", ""));
    assert_false(ours(&none, ORIGIN_HTTP, "", "127.0.0.1:8080", ""));
    assert_false(ours(&none, ORIGIN_HTTP, "a b", "127.0.0.1:8080", ""));
    struct origin origin;
    assert_true(server_origin_find(&none, ORIGIN_HTTP, SLICE_LITERAL("localhost"), NULL, &origin));
    assert_false(server_origin_find(&none, ORIGIN_HTTP, SLICE_LITERAL("192.0.2.7"), NULL, &origin));
}

static void with_configured_origins_nothing_else_is(void **state)
{
    (void)state;
    struct origin list[2];
    assert_true(origin_parse(SLICE_LITERAL("https://a.example"), &list[0]));
    assert_true(origin_parse(SLICE_LITERAL("http://b.example:81"), &list[1]));
    const struct server_origins origins = {list, 2};
    /* TLS may end at a proxy, so the listener's scheme does not decide. */
    assert_true(ours(&origins, ORIGIN_HTTP, "a.example", "127.0.0.1:8080", "https://a.example"));
    assert_true(
        ours(&origins, ORIGIN_HTTP, "A.Example:443", "127.0.0.1:8080", "https://a.example"));
    assert_true(
        ours(&origins, ORIGIN_HTTP, "b.example:81", "127.0.0.1:8080", "http://b.example:81"));
    assert_false(ours(&origins, ORIGIN_HTTP, "a.example:8080", "127.0.0.1:8080", ""));
    assert_false(ours(&origins, ORIGIN_HTTP, "b.example", "127.0.0.1:8080", ""));
    assert_false(ours(&origins, ORIGIN_HTTP, "localhost:8080", "127.0.0.1:8080", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_configuration_loopback_names_and_the_literal_address_are_ours),
        cmocka_unit_test(with_configured_origins_nothing_else_is),
    };
    return cmocka_run_group_tests_name("server_origins", tests, NULL, NULL);
}
