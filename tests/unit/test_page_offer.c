/* SPDX-License-Identifier: MIT */
#include "page/offer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ID  "AAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY "kkkkkkkkkkkkkkkkkkkkkk"

static bool read_offer(const char *headers, struct page_offer *ret)
{
    static struct http_head head;
    static char text[2048];
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    assert_int_equal(http_head_parse(slice_of(text), 0, &head), PARSE_OK);
    return page_offer_read(&head, ret);
}

static void expect_text(struct slice found, const char *expected)
{
    assert_true(expected ? slice_equal(found, slice_of(expected)) : !found.ptr);
}

static void a_new_session_an_old_one_and_none(void **state)
{
    (void)state;
    struct page_offer offer;
    assert_true(read_offer("Sec-WebSocket-Protocol: httpsocket.v1, key." KEY "\r\n", &offer));
    assert_true(offer.session_protocol);
    expect_text(offer.session, NULL);
    expect_text(offer.key, KEY);
    assert_int_equal(offer.received, 0);

    assert_true(read_offer("Sec-WebSocket-Protocol: chat, received.17\r\n"
                           "Sec-WebSocket-Protocol: key." KEY ", session." ID ",httpsocket.v1\r\n",
                           &offer));
    expect_text(offer.session, ID);
    assert_int_equal(offer.received, 17);

    assert_true(read_offer("", &offer));
    assert_false(offer.session_protocol);
    assert_true(read_offer("Sec-WebSocket-Protocol: chat, superchat\r\n", &offer));
    assert_false(offer.session_protocol);
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
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char headers[512];
        struct page_offer offer;
        snprintf(headers, sizeof(headers), "Sec-WebSocket-Protocol: httpsocket.v1%s\r\n", rows[i]);
        if (read_offer(headers, &offer))
            fail_msg("taken: %s", rows[i]);
        assert_true(offer.session_protocol);
        assert_non_null(offer.why);
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
