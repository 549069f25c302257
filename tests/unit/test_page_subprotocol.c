/* SPDX-License-Identifier: MIT */
#include "page/subprotocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ID  "AAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY "kkkkkkkkkkkkkkkkkkkkkk"

static bool read_subprotocol(const char *headers, struct page_subprotocol *ret)
{
    static struct http_head head;
    static char text[2048];
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    assert_int_equal(http_head_parse(slice_of(text), 0, &head), PARSE_OK);
    return page_subprotocol_read(&head, ret);
}

static void expect_text(struct slice found, const char *expected)
{
    assert_true(expected ? slice_equal(found, slice_of(expected)) : !found.ptr);
}

static void a_new_session_an_old_one_and_none(void **state)
{
    (void)state;
    struct page_subprotocol subprotocol;
    assert_true(
        read_subprotocol("Sec-WebSocket-Protocol: httpsocket.v1, key." KEY "\r\n", &subprotocol));
    assert_true(subprotocol.session_protocol);
    expect_text(subprotocol.session, NULL);
    expect_text(subprotocol.key, KEY);
    assert_int_equal(subprotocol.received, 0);

    assert_true(read_subprotocol("Sec-WebSocket-Protocol: chat, received.17\r\n"
                                 "Sec-WebSocket-Protocol: key." KEY ", session." ID
                                 ",httpsocket.v1\r\n",
                                 &subprotocol));
    expect_text(subprotocol.session, ID);
    assert_int_equal(subprotocol.received, 17);

    assert_true(read_subprotocol("Sec-WebSocket-Protocol: httpsocket.v1, key." KEY ", session." ID
                                 ", received.3, parts.16384\r\n",
                                 &subprotocol));
    assert_true(subprotocol.parts);
    assert_int_equal(subprotocol.has_of_next, 16384);

    assert_true(read_subprotocol("", &subprotocol));
    assert_false(subprotocol.session_protocol);
    assert_true(read_subprotocol("Sec-WebSocket-Protocol: chat, superchat\r\n", &subprotocol));
    assert_false(subprotocol.session_protocol);
}

static void a_broken_offer_is_named(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        ", key.short",
        ", key." KEY "!",
        ", key." KEY ", key.j" KEY,
        ", key." KEY ", session.short",
        ", key." KEY ", session." ID ", session." ID,
        ", key." KEY ", session." ID ", received.-1",
        ", key." KEY ", session." ID ", received.",
        ", key." KEY ", session." ID ", received.9007199254740992",
        ", key." KEY ", received.1",
        ", key." KEY ", parts.1",
        ", key." KEY ", session." ID ", parts.",
        ", key." KEY ", session." ID ", parts.01",
        ", key." KEY ", session." ID ", parts.1, parts.1",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char headers[512];
        struct page_subprotocol subprotocol;
        snprintf(headers, sizeof(headers), "Sec-WebSocket-Protocol: httpsocket.v1%s\r\n", rows[i]);
        if (read_subprotocol(headers, &subprotocol))
            fail_msg("taken: %s", rows[i]);
        assert_true(subprotocol.session_protocol);
        assert_non_null(subprotocol.why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_session_an_old_one_and_none),
        cmocka_unit_test(a_broken_offer_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
