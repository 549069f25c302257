/* SPDX-License-Identifier: MIT */
#include "proto/ws_handshake.h"

#include "proto/sha1.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "random.h"

#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define SWITCH  "Upgrade: websocket\r\nConnection: Upgrade\r\n"

static struct http_head head;
static char text[4096];

static enum ws_handshake_status check_request(const char *line, const char *fields,
                                              struct ws_handshake *ret)
{
    snprintf(text, sizeof(text), "%s\r\nHost: server.example.com\r\n%s\r\n", line, fields);
    assert_int_equal(http_head_parse(slice_of(text), 0, &head), PARSE_OK);
    return ws_handshake_check(&head, ret);
}

static enum ws_handshake_status check(const char *fields, struct ws_handshake *ret)
{
    return check_request("GET /chat HTTP/1.1", fields, ret);
}

static void rfc6455_1_3_the_example(void **state)
{
    (void)state;
    struct ws_handshake h;
    char accept[WS_ACCEPT_SIZE];
    assert_int_equal(check(SWITCH KEY VERSION "Origin: http://example.com\r\n"
                                              "Sec-WebSocket-Protocol: chat, superchat\r\n",
                           &h),
                     WS_HANDSHAKE_OK);
    ws_accept_of(h.key, accept);
    assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT_SIZE);
    assert_true(slice_equal(h.origin, slice_of("http://example.com")));
}

static void random_bytes(uint64_t *seed, unsigned char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)next_random(seed);
}

static void the_twins_of_the_hash_are_what_another_implementation_is(void **state)
{
    (void)state;
    unsigned char input[SHA1_TEXT], wanted[SHA1_SIZE], hash[SHA1_SIZE];
    uint64_t seed = 1;
    for (int i = 0; i < 1000; i++) {
        random_bytes(&seed, input, sizeof(input));
        SHA1(input, sizeof(input), wanted);
        sha1_of_60_plain((const char *)input, hash);
        assert_memory_equal(hash, wanted, SHA1_SIZE);
#ifdef __x86_64__
        if (!sha1_has_shani())
            continue;
        sha1_of_60_shani((const char *)input, hash);
        assert_memory_equal(hash, wanted, SHA1_SIZE);
#endif
    }
}

static void an_accept_is_that_of_another_implementation(void **state)
{
    (void)state;
    unsigned char key[25], input[61], hash[SHA1_SIZE], wanted[29];
    char accept[WS_ACCEPT_SIZE];
    uint64_t seed = 1;
    for (int i = 0; i < 200; i++) {
        random_bytes(&seed, hash, 16);
        EVP_EncodeBlock(key, hash, 16);
        int len = sprintf((char *)input, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (char *)key);
        SHA1(input, (size_t)len, hash);
        EVP_EncodeBlock(wanted, hash, SHA1_SIZE);
        ws_accept_of(slice_make(key, 24), accept);
        assert_memory_equal(accept, wanted, WS_ACCEPT_SIZE);
    }
}

static void rfc6455_4_2_1_what_is_a_handshake_and_what_is_wrong_with_it(void **state)
{
    (void)state;
    static const struct {
        const char *name, *line, *fields;
        enum ws_handshake_status status;
    } rows[] = {
        {"plain request", "GET / HTTP/1.1", "", WS_HANDSHAKE_NONE},
        {"key without Upgrade", "GET / HTTP/1.1", KEY VERSION, WS_HANDSHAKE_NONE},
        {"upgrade to HTTP/2", "GET / HTTP/1.1", "Upgrade: h2c\r\nConnection: Upgrade\r\n",
         WS_HANDSHAKE_NONE},
        {"websocket2", "GET / HTTP/1.1",
         "Upgrade: websocket2\r\nConnection: Upgrade\r\n" KEY VERSION, WS_HANDSHAKE_NONE},
        {"RFC 9110, 7.8: HTTP/1.0 can't upgrade", "GET / HTTP/1.0", SWITCH KEY VERSION,
         WS_HANDSHAKE_NONE},
        {"case", "GET / HTTP/1.1", "upgrade: WebSocket\r\nconnection: x, UPGRADE\r\n" KEY VERSION,
         WS_HANDSHAKE_OK},
        {"among others", "GET / HTTP/1.1",
         "Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n" KEY VERSION, WS_HANDSHAKE_OK},
        {"two Upgrade headers", "GET / HTTP/1.1", "Upgrade: h2c\r\n" SWITCH KEY VERSION,
         WS_HANDSHAKE_OK},
        {"empty body", "GET / HTTP/1.1", SWITCH KEY VERSION "Content-Length: 0\r\n",
         WS_HANDSHAKE_OK},
        {"POST", "POST / HTTP/1.1", SWITCH KEY VERSION, WS_HANDSHAKE_BAD},
        {"HEAD", "HEAD / HTTP/1.1", SWITCH KEY VERSION, WS_HANDSHAKE_BAD},
        {"get", "get / HTTP/1.1", SWITCH KEY VERSION, WS_HANDSHAKE_BAD},
        {"no Connection", "GET / HTTP/1.1", "Upgrade: websocket\r\n" KEY VERSION, WS_HANDSHAKE_BAD},
        {"Connection without upgrade", "GET / HTTP/1.1",
         "Upgrade: websocket\r\nConnection: close\r\n" KEY VERSION, WS_HANDSHAKE_BAD},
        {"body by length", "GET / HTTP/1.1", SWITCH KEY VERSION "Content-Length: 1\r\n",
         WS_HANDSHAKE_BAD},
        {"chunked body", "GET / HTTP/1.1", SWITCH KEY VERSION "Transfer-Encoding: chunked\r\n",
         WS_HANDSHAKE_BAD},
        {"no version", "GET / HTTP/1.1", SWITCH KEY, WS_HANDSHAKE_BAD},
        {"two versions", "GET / HTTP/1.1", SWITCH KEY VERSION VERSION, WS_HANDSHAKE_BAD},
        {"list of versions", "GET / HTTP/1.1", SWITCH KEY "Sec-WebSocket-Version: 13, 8\r\n",
         WS_HANDSHAKE_BAD},
        {"version in words", "GET / HTTP/1.1", SWITCH KEY "Sec-WebSocket-Version: x\r\n",
         WS_HANDSHAKE_BAD},
        {"version beyond a byte", "GET / HTTP/1.1", SWITCH KEY "Sec-WebSocket-Version: 269\r\n",
         WS_HANDSHAKE_BAD},
        {"version with a zero before it", "GET / HTTP/1.1",
         SWITCH KEY "Sec-WebSocket-Version: 013\r\n", WS_HANDSHAKE_BAD},
        {"version 8", "GET / HTTP/1.1", SWITCH KEY "Sec-WebSocket-Version: 8\r\n",
         WS_HANDSHAKE_BAD_VERSION},
        {"version 14", "GET / HTTP/1.1", SWITCH KEY "Sec-WebSocket-Version: 14\r\n",
         WS_HANDSHAKE_BAD_VERSION},
        {"version 0, no key", "GET / HTTP/1.1", SWITCH "Sec-WebSocket-Version: 0\r\n",
         WS_HANDSHAKE_BAD_VERSION},
        {"no key", "GET / HTTP/1.1", SWITCH VERSION, WS_HANDSHAKE_BAD},
        {"two keys", "GET / HTTP/1.1", SWITCH KEY KEY VERSION, WS_HANDSHAKE_BAD},
        {"empty key", "GET / HTTP/1.1", SWITCH VERSION "Sec-WebSocket-Key:\r\n", WS_HANDSHAKE_BAD},
        {"key of 15 bytes", "GET / HTTP/1.1",
         SWITCH VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n", WS_HANDSHAKE_BAD},
        {"key of 17 bytes", "GET / HTTP/1.1",
         SWITCH VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=\r\n", WS_HANDSHAKE_BAD},
        {"key of 18 bytes", "GET / HTTP/1.1",
         SWITCH VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWFh\r\n", WS_HANDSHAKE_BAD},
        {"key without padding", "GET / HTTP/1.1",
         SWITCH VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n", WS_HANDSHAKE_BAD},
        {"key in another alphabet", "GET / HTTP/1.1",
         SWITCH VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-_==\r\n", WS_HANDSHAKE_BAD},
        {"two Origins", "GET / HTTP/1.1", SWITCH KEY VERSION "Origin: a\r\nOrigin: a\r\n",
         WS_HANDSHAKE_BAD},
        {"subprotocol that is no token", "GET / HTTP/1.1",
         SWITCH KEY VERSION "Sec-WebSocket-Protocol: a, b c\r\n", WS_HANDSHAKE_BAD},
        {"subprotocol in quotes", "GET / HTTP/1.1",
         SWITCH KEY VERSION "Sec-WebSocket-Protocol: \"a\"\r\n", WS_HANDSHAKE_BAD},
        {"9.1: extension that is no token", "GET / HTTP/1.1",
         SWITCH KEY VERSION "Sec-WebSocket-Extensions: a b\r\n", WS_HANDSHAKE_BAD},
        {"9.1: parameter without a name", "GET / HTTP/1.1",
         SWITCH KEY VERSION "Sec-WebSocket-Extensions: a; =1\r\n", WS_HANDSHAKE_BAD},
        {"9.1: parameter without its value", "GET / HTTP/1.1",
         SWITCH KEY VERSION "Sec-WebSocket-Extensions: a; b=\r\n", WS_HANDSHAKE_BAD},
        {"9.1: quoted value that is no token", "GET / HTTP/1.1",
         SWITCH KEY VERSION "Sec-WebSocket-Extensions: a; b=\"c,d\"\r\n", WS_HANDSHAKE_BAD},
        {"9.1: quote that does not end", "GET / HTTP/1.1",
         SWITCH KEY VERSION "Sec-WebSocket-Extensions: a; b=\"c\r\n", WS_HANDSHAKE_BAD},
        {"9.1: semicolon at the end", "GET / HTTP/1.1",
         SWITCH KEY VERSION "Sec-WebSocket-Extensions: a;\r\n", WS_HANDSHAKE_BAD},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ws_handshake h;
        enum ws_handshake_status status = check_request(rows[i].line, rows[i].fields, &h);
        if (status != rows[i].status)
            fail_msg("%s: %d %s", rows[i].name, status, h.why ? h.why : "");
        bool refused = status == WS_HANDSHAKE_BAD || status == WS_HANDSHAKE_BAD_VERSION;
        assert_int_equal(refused, h.why != NULL);
    }
}

static void rfc6455_4_1_each_byte_of_a_key_is_judged(void **state)
{
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char fields[200];
    struct ws_handshake h;
    size_t key = (size_t)sprintf(fields, SWITCH VERSION "Sec-WebSocket-Key: ");
    for (int c = '!'; c < 0x7f; c++) {
        for (size_t at = 0; at < 24; at++) {
            strcpy(fields + key, "dGhlIHNhbXBsZSBub25jZQ==\r\n");
            fields[key + at] = (char)c;
            bool good = at < 22 ? strchr(alphabet, c) != NULL : c == '=';
            assert_int_equal(check(fields, &h), good ? WS_HANDSHAKE_OK : WS_HANDSHAKE_BAD);
        }
    }
}

static void rfc6454_7_an_origin_may_be_absent_or_empty(void **state)
{
    (void)state;
    struct ws_handshake h;
    assert_int_equal(check(SWITCH KEY VERSION, &h), WS_HANDSHAKE_OK);
    assert_null(h.origin.ptr);
    assert_int_equal(check(SWITCH KEY VERSION "Origin:\r\n", &h), WS_HANDSHAKE_OK);
    assert_non_null(h.origin.ptr);
    assert_int_equal(h.origin.len, 0);
}

static void rfc6455_9_1_extensions_of_good_form_are_passed_over(void **state)
{
    (void)state;
    static const char *const values[] = {
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "x, permessage-deflate ; server_max_window_bits=\"10\" ; a",
        "permessage-deflate\t;\ta\t=\t1\t",
        "x-webkit-deflate-frame",
        "permessage-deflatex",
        "x; permessage-deflate",
        ",",
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char fields[400];
        struct ws_handshake h;
        snprintf(fields, sizeof(fields), SWITCH KEY VERSION "Sec-WebSocket-Extensions: %s\r\n",
                 values[i]);
        assert_int_equal(check(fields, &h), WS_HANDSHAKE_OK);
    }
}

static void rfc6455_11_3_4_subprotocols_over_all_headers_in_order(void **state)
{
    (void)state;
    struct ws_handshake h;
    size_t at = 0;
    struct slice rest, name;
    assert_int_equal(check("Sec-WebSocket-Protocol: httpsocket.v1, key.abc\r\n" SWITCH KEY VERSION
                           "sec-websocket-protocol: received.7 ,, x\r\nSec-WebSocket-Protocol:\r\n",
                           &h),
                     WS_HANDSHAKE_OK);
    const char *wanted[] = {"httpsocket.v1", "key.abc", "received.7", "x"};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        assert_true(ws_subprotocol_next(&head, &at, &rest, &name));
        assert_true(slice_equal(name, slice_of(wanted[i])));
    }
    assert_false(ws_subprotocol_next(&head, &at, &rest, &name));
    assert_false(ws_subprotocol_next(&head, &at, &rest, &name));
}

static void subprotocols_in_the_very_first_header(void **state)
{
    (void)state;
    size_t at = 0;
    struct slice rest, name;
    struct slice in = slice_of("GET / HTTP/1.1\r\nSec-WebSocket-Protocol: a, b\r\nHost: a\r\n\r\n");
    assert_int_equal(http_head_parse(in, 0, &head), PARSE_OK);
    assert_true(ws_subprotocol_next(&head, &at, &rest, &name));
    assert_true(slice_equal(name, slice_of("a")));
    assert_true(ws_subprotocol_next(&head, &at, &rest, &name));
    assert_true(slice_equal(name, slice_of("b")));
    assert_false(ws_subprotocol_next(&head, &at, &rest, &name));
}

static void no_subprotocol_at_all(void **state)
{
    (void)state;
    struct ws_handshake h;
    size_t at = 0;
    struct slice rest, name;
    assert_int_equal(check(SWITCH KEY VERSION, &h), WS_HANDSHAKE_OK);
    assert_false(ws_subprotocol_next(&head, &at, &rest, &name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6455_1_3_the_example),
        cmocka_unit_test(the_twins_of_the_hash_are_what_another_implementation_is),
        cmocka_unit_test(an_accept_is_that_of_another_implementation),
        cmocka_unit_test(rfc6455_4_2_1_what_is_a_handshake_and_what_is_wrong_with_it),
        cmocka_unit_test(rfc6455_4_1_each_byte_of_a_key_is_judged),
        cmocka_unit_test(rfc6454_7_an_origin_may_be_absent_or_empty),
        cmocka_unit_test(rfc6455_9_1_extensions_of_good_form_are_passed_over),
        cmocka_unit_test(rfc6455_11_3_4_subprotocols_over_all_headers_in_order),
        cmocka_unit_test(subprotocols_in_the_very_first_header),
        cmocka_unit_test(no_subprotocol_at_all),
    };
    return cmocka_run_group_tests_name("ws_handshake", tests, NULL, NULL);
}
