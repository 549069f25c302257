/* SPDX-License-Identifier: MIT */
#include "proto/ws_client.h"

#include "proto/ws_handshake.h"

#include <openssl/evp.h>
#include <stdio.h>

void ws_key_of(const uint8_t nonce[16], char ret[WS_KEY_SIZE])
{
    unsigned char text[WS_KEY_SIZE + 1];
    EVP_EncodeBlock(text, nonce, 16);
    memcpy(ret, text, WS_KEY_SIZE);
}

size_t ws_request_write(const struct ws_request *r, char *out, size_t room)
{
    int len = snprintf(out, room,
                       "GET %.*s HTTP/1.1\r\n"
                       "Host: %.*s\r\n"
                       "Upgrade: websocket\r\n"
                       "Connection: Upgrade\r\n"
                       "%s%.*s%s"
                       "Sec-WebSocket-Key: %.*s\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Protocol: %.*s\r\n"
                       "\r\n",
                       SLICE_ARG(r->target), SLICE_ARG(r->host), r->origin.len ? "Origin: " : "",
                       SLICE_ARG(r->origin), r->origin.len ? "\r\n" : "", WS_KEY_SIZE, r->key,
                       SLICE_ARG(r->subprotocols));
    return len > 0 && (size_t)len < room ? (size_t)len : 0;
}

static bool lists(const struct http_response *r, struct slice name, struct slice token)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (slice_equal_nocase(r->headers[i].name, name) &&
            http_list_has(r->headers[i].value, token))
            return true;
    return false;
}

static bool accepts(const struct http_response *r, const char key[WS_KEY_SIZE])
{
    char accept[WS_ACCEPT_SIZE];
    ws_accept_of(slice_make(key, WS_KEY_SIZE), accept);
    return slice_equal(http_response_once(r, SLICE_LITERAL("sec-websocket-accept")),
                       slice_make(accept, WS_ACCEPT_SIZE));
}

const char *ws_response_refusal(const struct http_response *response, const char key[WS_KEY_SIZE],
                                struct slice subprotocol)
{
    struct slice upgrade = http_response_once(response, SLICE_LITERAL("upgrade"));
    if (response->status != 101)
        return "the server did not switch protocols";
    if (response->minor == 0)
        return "a 101 of HTTP/1.0";
    if (!slice_equal_nocase(upgrade, SLICE_LITERAL("websocket")))
        return "a 101 that does not upgrade to websocket";
    if (!lists(response, SLICE_LITERAL("connection"), SLICE_LITERAL("upgrade")))
        return "a 101 without Connection: upgrade";
    if (!accepts(response, key))
        return "Sec-WebSocket-Accept is not of our key";
    if (http_response_count(response, SLICE_LITERAL("sec-websocket-extensions")))
        return "an extension that was not offered";
    if (!slice_equal(http_response_once(response, SLICE_LITERAL("sec-websocket-protocol")),
                     subprotocol))
        return "the server does not speak httpsocket.v1";
    return NULL;
}
