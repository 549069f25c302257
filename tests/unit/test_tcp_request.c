/* SPDX-License-Identifier: MIT */
/* What a page may ask the gateway for. */
#include "gateway/request.h"

#include "random.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_whole_request_is_read(void **state)
{
    (void)state;
    struct tcp_request r;
    assert_null(tcp_request_parse(
        SLICE_LITERAL("{\"kind\":\"tcp\",\"host\":\"imap.b.example\",\"port\":993,\"secure\":true,"
                      "\"keepAliveDelay\":1001,\"noDelay\":true}"),
        &r));
    assert_string_equal(r.target, "imap.b.example:993");
    assert_int_equal(r.host_len, 14);
    assert_int_equal(r.port, 993);
    assert_true(r.secure && r.no_delay);
    assert_int_equal(r.keep_alive_s, 2);
}

static void what_is_not_said_is_off(void **state)
{
    (void)state;
    struct tcp_request r;
    assert_null(tcp_request_parse(
        SLICE_LITERAL("{\"kind\":\"tcp\",\"host\":\"b\\u00fccher.example\",\"port\":1}"), &r));
    assert_string_equal(r.target, "b\xc3\xbc"
                                  "cher.example:1");
    assert_false(r.secure || r.no_delay);
    assert_int_equal(r.keep_alive_s, 0);
}

static void a_bare_address_of_ipv6_gets_its_brackets(void **state)
{
    (void)state;
    struct tcp_request r;
    assert_null(tcp_request_parse(
        SLICE_LITERAL("{\"host\":\"2001:db8::1\",\"port\":7,\"kind\":\"tcp\"}"), &r));
    assert_string_equal(r.target, "[2001:db8::1]:7");
    assert_int_equal(r.host_len, 13);
    assert_null(
        tcp_request_parse(SLICE_LITERAL("{\"host\":\"[::1]\",\"port\":7,\"kind\":\"tcp\"}"), &r));
    assert_string_equal(r.target, "[::1]:7");
}

#define TCP "{\"kind\":\"tcp\","

static const struct {
    const char *json, *why;
} bad[] = {
    {"", "JSON object"},
    {"[]", "JSON object"},
    {"7", "JSON object"},
    {TCP "\"host\":\"a.example\",\"port\":1", "JSON object"},
    {TCP "\"host\":\"a.example\",\"port\":1} x", "JSON object"},
    {TCP "\"host\":\"a.example\",\"port\":1,\"port\":2}", "each member once"},
    {TCP "\"host\":\"a\\u0000b.example\",\"port\":1}", "JSON object"},
    {"{\"kind\":\"udp\",\"host\":\"a.example\",\"port\":1}", "kind"},
    {TCP "\"port\":1}", "host and port"},
    {TCP "\"host\":\"a.example\"}", "host and port"},
    {TCP "\"host\":\"\",\"port\":1}", "host"},
    {TCP "\"host\":7,\"port\":1}", "host"},
    {TCP "\"host\":\"a.example\",\"port\":0}", "port"},
    {TCP "\"host\":\"a.example\",\"port\":65536}", "port"},
    {TCP "\"host\":\"a.example\",\"port\":1.0}", "port"},
    {TCP "\"host\":\"a.example\",\"port\":\"1\"}", "port"},
    {TCP "\"host\":\"a.example\",\"port\":1,\"secure\":1}", "secure"},
    {TCP "\"host\":\"a.example\",\"port\":1,\"Secure\":true}", "no other members"},
    {TCP "\"host\":\"a.example\",\"port\":1,\"noDelay\":null}", "noDelay"},
    {TCP "\"host\":\"a.example\",\"port\":1,\"keepAliveDelay\":999}", "keepAliveDelay"},
    {TCP "\"host\":\"a.example\",\"port\":1,\"keepAliveDelay\":1e3}", "keepAliveDelay"},
    {TCP "\"host\":\"a.example\",\"port\":1,\"keepAliveDelay\":32767001}", "keepAliveDelay"},
};

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    struct tcp_request r;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *why = tcp_request_parse(slice_of(bad[i].json), &r);
        if (!why || !strstr(why, bad[i].why))
            fail_msg("%s: %s", bad[i].json, why ? why : "accepted");
    }
}

static void lengths_have_limits(void **state)
{
    (void)state;
    struct tcp_request r;
    char json[TCP_REQUEST_MAX + 64], host[TCP_HOST_MAX + 2];
    memset(host, 'x', sizeof(host));
    for (size_t len = TCP_HOST_MAX; len <= TCP_HOST_MAX + 1; len++) {
        int n = sprintf(json, TCP "\"host\":\"%.*s\",\"port\":65535}", (int)len, host);
        assert_int_equal(tcp_request_parse(slice_make(json, (size_t)n), &r) != NULL,
                         len > TCP_HOST_MAX);
    }
    int n = sprintf(json, TCP "\"host\":\"a.example\",\"port\":1%*s}", TCP_REQUEST_MAX, "");
    assert_non_null(tcp_request_parse(slice_make(json, (size_t)n), &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_request_is_read),
        cmocka_unit_test(what_is_not_said_is_off),
        cmocka_unit_test(a_bare_address_of_ipv6_gets_its_brackets),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(lengths_have_limits),
    };
    return cmocka_run_group_tests_name("tcp_request", tests, NULL, NULL);
}
