/* SPDX-License-Identifier: MIT */
/* ws_client.h - the client's side of the opening handshake (RFC 6455, 4.1): the request, and
 * whether an answer accepts it.
 *
 * Pure: the key comes from the caller, who draws it.
 */
#ifndef PROTO_WS_CLIENT_H
#define PROTO_WS_CLIENT_H

#include "proto/http_response.h"

#define WS_KEY_SIZE 24

struct ws_request {
    struct slice target; /* origin-form: `/path?query` */
    struct slice host;   /* of the Host header */
    struct slice origin; /* empty: none */
    struct slice subprotocols;
    char key[WS_KEY_SIZE];
};

/* `nonce` in Base64: the key of one handshake, of 16 random bytes. */
void ws_key_of(const uint8_t nonce[16], char ret[WS_KEY_SIZE]);

/* Writes the request into `out`. Returns its length, or 0 if the request is larger than `room`. The
 * slices hold no control characters: the caller has checked them. */
size_t ws_request_write(const struct ws_request *r, char *out, size_t room);

/* NULL: the response is a 101 that accepts this key and chose `subprotocol`, and nothing that was
 * not offered. Otherwise what is wrong with it, a static text. */
const char *ws_response_refusal(const struct http_response *response, const char key[WS_KEY_SIZE],
                                struct slice subprotocol);

#endif
