/* SPDX-License-Identifier: MIT */
#include "net/address.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void parse(const char *text, struct net_address *ret)
{
    const char *why = "";
    if (net_address_parse(slice_of(text), ret, &why) != 0)
        fail_msg("%s: %s", text, why);
}

static void check_print(const struct net_address *a, const char *text, const char *host)
{
    char out[NET_ADDRESS_TEXT_MAX];
    assert_int_equal(net_address_print(a, out), strlen(text));
    assert_string_equal(out, text);
    assert_int_equal(net_address_print_host(a, out), strlen(host));
    assert_string_equal(out, host);
}

static void what_is_parsed_prints_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed, *host;
        int family, port;
    } rows[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1", AF_INET, 8080},
        {"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", AF_INET, 0},
        {"255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255", AF_INET, 65535},
        {"localhost:80", "127.0.0.1:80", "127.0.0.1", AF_INET, 80},
        {"LocalHost:80", "127.0.0.1:80", "127.0.0.1", AF_INET, 80},
        {"[::1]:80", "[::1]:80", "::1", AF_INET6, 80},
        {"[::]:443", "[::]:443", "::", AF_INET6, 443},
        {"[2001:DB8:0:0::7]:1", "[2001:db8::7]:1", "2001:db8::7", AF_INET6, 1},
        {"[::ffff:192.0.2.1]:9", "192.0.2.1:9", "192.0.2.1", AF_INET6, 9},
        {"[fe80::1%lo]:5", "[fe80::1%lo]:5", "fe80::1%lo", AF_INET6, 5},
        {"*:80", "[::]:80", "::", AF_INET6, 80},
        {"unix:/run/a b.sock", "unix:/run/a b.sock", "unix", AF_UNIX, 0},
        {"unix:relative", "unix:relative", "unix", AF_UNIX, 0},
        {"unix:unix:80", "unix:unix:80", "unix", AF_UNIX, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct net_address a;
        parse(rows[i].text, &a);
        assert_int_equal(a.any.sa_family, rows[i].family);
        assert_int_equal(net_address_port(&a), rows[i].port);
        assert_int_equal(a.dual_stack, rows[i].text[0] == '*');
        check_print(&a, rows[i].printed, rows[i].host);
    }
}

static void bad_forms_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "expected ADDRESS:PORT or unix:PATH"},
        {"8080", "expected ADDRESS:PORT or unix:PATH"},
        {"127.0.0.1", "expected ADDRESS:PORT or unix:PATH"},
        {"[::1]", "expected ADDRESS:PORT or unix:PATH"},
        {":8080", "expected an address before the port (for all of them: *)"},
        {"127.0.0.1:", "a port is a number from 0 to 65535"},
        {"127.0.0.1:65536", "a port is a number from 0 to 65535"},
        {"127.0.0.1:-1", "a port is a number from 0 to 65535"},
        {"127.0.0.1: 80", "a port is a number from 0 to 65535"},
        {"127.0.0.1:http", "a port is a number from 0 to 65535"},
        {"127.0.0.1:99999999999999999999999", "a port is a number from 0 to 65535"},
        {"127.0.0:80", "expected an IP address; names are not looked up"},
        {"127.0.0.256:80", "expected an IP address; names are not looked up"},
        {"0177.0.0.1:80", "expected an IP address; names are not looked up"},
        {"127.0.0.1 :80", "expected an IP address; names are not looked up"},
        {"example.org:80", "expected an IP address; names are not looked up"},
        {"**:80", "expected an IP address; names are not looked up"},
        {"::1:80", "an IPv6 address goes in brackets: [::1]:8080"},
        {"[]:80", "not an IPv6 address between the brackets"},
        {"[127.0.0.1]:80", "not an IPv6 address between the brackets"},
        {"[::1::2]:80", "not an IPv6 address between the brackets"},
        {"[::1%]:80", "no such network interface after the %"},
        {"[::1%no-such-card]:80", "no such network interface after the %"},
        {"[::1:80", "expected ] after the IPv6 address"},
        {"[:80", "expected ] after the IPv6 address"},
        {"unix:", "expected a path after unix:"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct net_address a = {.len = 77};
        const char *why = "";
        assert_int_equal(net_address_parse(slice_of(rows[i].text), &a, &why), -EINVAL);
        assert_string_equal(why, rows[i].why);
        assert_int_equal(a.len, 77);
    }
}

static void bytes_that_end_a_c_string_are_refused(void **state)
{
    (void)state;
    struct net_address a;
    const char *why;
    assert_int_equal(net_address_parse(SLICE_LITERAL("unix:/a\0b"), &a, &why), -EINVAL);
    assert_int_equal(net_address_parse(SLICE_LITERAL("1.2.3.4\0:80"), &a, &why), -EINVAL);
    assert_int_equal(net_address_parse(SLICE_LITERAL("[::1\0]:80"), &a, &why), -EINVAL);
}

static void a_unix_path_has_room_for_107_bytes(void **state)
{
    (void)state;
    char text[5 + 108 + 1] = "unix:";
    memset(text + 5, 'p', 108);
    struct net_address a;
    const char *why;
    assert_int_equal(net_address_parse(slice_of(text), &a, &why), -EINVAL);
    assert_string_equal(why, "the path of a Unix socket has at most 107 bytes");
    text[5 + 107] = 0;
    parse(text, &a);
    check_print(&a, text, "unix");
}

static void a_unix_socket_without_a_name_prints(void **state)
{
    (void)state;
    struct net_address a = {.len = sizeof(sa_family_t), .un = {.sun_family = AF_UNIX}};
    memset(a.un.sun_path, 'x', sizeof(a.un.sun_path));
    check_print(&a, "unix:", "unix");
}

static void check_keys(const char *one, const char *other, bool equal)
{
    struct net_address a, b;
    parse(one, &a);
    parse(other, &b);
    struct net_client_key ka = net_client_key_of(&a), kb = net_client_key_of(&b);
    assert_int_equal(memcmp(&ka, &kb, sizeof(ka)) == 0, equal);
}

static void clients_are_told_apart_by_address_or_network(void **state)
{
    (void)state;
    check_keys("192.0.2.1:1", "192.0.2.1:2", true);
    check_keys("192.0.2.1:1", "192.0.2.2:1", false);
    check_keys("192.0.2.1:1", "[::ffff:192.0.2.1]:1", true);
    check_keys("[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::9]:1", true);
    check_keys("[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1", false);
    check_keys("unix:/a", "unix:/b", true);
    check_keys("unix:/a", "[::1]:1", false);
    check_keys("unix:/a", "0.0.0.0:1", false);
    check_keys("0.0.0.0:1", "[::]:1", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_parsed_prints_the_same),
        cmocka_unit_test(bad_forms_are_refused_with_a_reason),
        cmocka_unit_test(bytes_that_end_a_c_string_are_refused),
        cmocka_unit_test(a_unix_path_has_room_for_107_bytes),
        cmocka_unit_test(a_unix_socket_without_a_name_prints),
        cmocka_unit_test(clients_are_told_apart_by_address_or_network),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
