/* SPDX-License-Identifier: MIT */
/* test_ws_client.c - a client's handshake: what it asks, and which answers
 * it takes (RFC 6455, 4.1). */
#include "proto/ws_client.h"

#include "proto/ws_handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define SWITCH "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define SPEAKS "Sec-WebSocket-Protocol: httpsocket.v1\r\n"

static struct http_response response;

static enum parse_status parse(const char *text)
{
    return http_response_parse(slice_of(text), &response);
}

static const char *refusal(const char *text)
{
    assert_int_equal(parse(text), PARSE_OK);
    return ws_response_refusal(&response, KEY, SLICE_LITERAL("httpsocket.v1"));
}

static void our_server_takes_the_request(void **state)
{
    (void)state;
    char out[1024];
    struct http_head head;
    struct ws_handshake handshake;
    struct ws_request r = {.target = SLICE_LITERAL("/chat?x=1"),
                           .host = SLICE_LITERAL("b.example:8080"),
                           .origin = SLICE_LITERAL("https://a.example"),
                           .subprotocols = SLICE_LITERAL("httpsocket.v1, key.x")};
    ws_key_of((const uint8_t *)"the sample nonce", r.key);
    assert_memory_equal(r.key, KEY, WS_KEY_SIZE);
    size_t len = ws_request_write(&r, out, sizeof(out));
    assert_int_equal(http_head_parse(slice_make(out, len), 0, &head), PARSE_OK);
    assert_int_equal(head.size, len);
    assert_int_equal(ws_handshake_check(&head, &handshake), WS_HANDSHAKE_OK);
    assert_true(slice_equal(handshake.origin, r.origin));
    assert_true(slice_equal(head.target, r.target));
    assert_true(slice_equal(head.host, r.host));
    r.origin = SLICE_NONE;
    len = ws_request_write(&r, out, sizeof(out));
    assert_int_equal(http_head_parse(slice_make(out, len), 0, &head), PARSE_OK);
    assert_int_equal(http_head_count(&head, SLICE_LITERAL("origin")), 0);
    assert_int_equal(ws_request_write(&r, out, len), 0);
}

static void a_good_answer_is_taken(void **state)
{
    (void)state;
    assert_null(refusal("HTTP/1.1 101 Switching Protocols\r\n" SWITCH ACCEPT SPEAKS "\r\n"));
    assert_null(refusal("HTTP/1.1 101\r\nUPGRADE: WebSocket\r\nconnection: keep-alive, upgrade\r\n"
                        "X: \xe9\r\n" ACCEPT SPEAKS "\r\nrest"));
    assert_int_equal(response.size,
                     strlen("HTTP/1.1 101\r\nUPGRADE: WebSocket\r\nconnection: "
                            "keep-alive, upgrade\r\nX: \xe9\r\n" ACCEPT SPEAKS "\r\n"));
}

static void rfc6455_4_1_a_bad_answer_is_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"HTTP/1.1 200 OK\r\n" SWITCH ACCEPT SPEAKS "\r\n", "the server did not switch protocols"},
        {"HTTP/1.0 101 x\r\n" SWITCH ACCEPT SPEAKS "\r\n", "a 101 of HTTP/1.0"},
        {"HTTP/1.1 101 x\r\nConnection: upgrade\r\n" ACCEPT SPEAKS "\r\n",
         "a 101 that does not upgrade to websocket"},
        {"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n" ACCEPT SPEAKS "\r\n",
         "a 101 that does not upgrade to websocket"},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n" ACCEPT SPEAKS "\r\n",
         "a 101 without Connection: upgrade"},
        {"HTTP/1.1 101 x\r\n" SWITCH SPEAKS "\r\n", "Sec-WebSocket-Accept is not of our key"},
        {"HTTP/1.1 101 x\r\n" SWITCH ACCEPT ACCEPT SPEAKS "\r\n",
         "Sec-WebSocket-Accept is not of our key"},
        {"HTTP/1.1 101 x\r\n" SWITCH "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" SPEAKS
         "\r\n",
         "Sec-WebSocket-Accept is not of our key"},
        {"HTTP/1.1 101 x\r\n" SWITCH ACCEPT SPEAKS
         "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
         "an extension that was not offered"},
        {"HTTP/1.1 101 x\r\n" SWITCH ACCEPT "\r\n", "the server does not speak httpsocket.v1"},
        {"HTTP/1.1 101 x\r\n" SWITCH ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\n",
         "the server does not speak httpsocket.v1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_string_equal(refusal(rows[i][0]), rows[i][1]);
}

static void rfc9112_4_what_is_no_response_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/2.0 101 x\r\n",
        "HTTP/1.1  101 x\r\n",
        "HTTP/1.1 1x1 x\r\n",
        "HTTP/1.1 099 x\r\n",
        "HTTP/1.1 1010\r\n",
        "HTTP/1.1 101 x\n",
        "\r\nHTTP/1.1 101 x\r\n",
        "HTTP/1.1 101 a\x01z\r\n",
        "HTTP/1.1 101 x\r\nno colon\r\n",
        "HTTP/1.1 101 x\r\nName : x\r\n",
        "HTTP/1.1 101 x\r\n folded\r\n",
        "HTTP/1.1 101 x\r\nA: b\nC: d\r\n",
        "HTTP/1.1 101 x\r\nA: b\rc\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(parse(bad[i]), PARSE_BAD);
        assert_non_null(response.why);
    }
    static char many[HTTP_HEADERS_MAX * 8 + 64] = "HTTP/1.1 101 x\r\n";
    for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
        strcat(many, "A: b\r\n");
    assert_int_equal(parse(many), PARSE_BAD);
}

static void a_response_may_come_in_any_two_pieces(void **state)
{
    (void)state;
    const char *text = "HTTP/1.1 404 Not Found\r\nA: b\r\nA: c\r\nB:\t d \r\n\r\n";
    for (size_t len = 0; len < strlen(text); len++)
        assert_int_equal(http_response_parse(slice_make(text, len), &response), PARSE_MORE);
    assert_int_equal(parse(text), PARSE_OK);
    assert_int_equal(response.status, 404);
    assert_true(slice_equal(response.reason, slice_of("Not Found")));
    assert_int_equal(http_response_count(&response, SLICE_LITERAL("a")), 2);
    assert_null(http_response_once(&response, SLICE_LITERAL("a")).ptr);
    assert_true(slice_equal(http_response_once(&response, SLICE_LITERAL("b")), slice_of("d")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_server_takes_the_request),
        cmocka_unit_test(a_good_answer_is_taken),
        cmocka_unit_test(rfc6455_4_1_a_bad_answer_is_refused),
        cmocka_unit_test(rfc9112_4_what_is_no_response_is_refused),
        cmocka_unit_test(a_response_may_come_in_any_two_pieces),
    };
    return cmocka_run_group_tests_name("ws_client", tests, NULL, NULL);
}
