/* SPDX-License-Identifier: MIT */
/* ws_handshake.h - the server's side of the opening handshake (RFC 6455, 4.2), from a parsed
 * request head.
 *
 * Pure. One look at each header.
 */
#ifndef PROTO_WS_HANDSHAKE_H
#define PROTO_WS_HANDSHAKE_H

#include "proto/http_head.h"

#define WS_ACCEPT_SIZE 28

enum ws_handshake_status {
    WS_HANDSHAKE_OK,
    WS_HANDSHAKE_NONE,        /* no WebSocket handshake: an ordinary request */
    WS_HANDSHAKE_BAD,         /* 400 */
    WS_HANDSHAKE_BAD_VERSION, /* 426 with Sec-WebSocket-Version: 13 */
};

struct ws_handshake {
    struct slice key;    /* ws_accept_of() makes the answer of it */
    struct slice origin; /* SLICE_NONE if absent */
    const char *why;
};

enum ws_handshake_status ws_handshake_check(const struct http_head *head, struct ws_handshake *ret);

/* Walks the offered subprotocols over all Sec-WebSocket-Protocol headers. `*at` begins at 0. False
 * at the end. */
bool ws_subprotocol_next(const struct http_head *head, size_t *at, struct slice *rest,
                         struct slice *ret);

/* Sec-WebSocket-Accept of a key (RFC 6455, 1.3), also for clients. */
void ws_accept_of(struct slice key, char ret[WS_ACCEPT_SIZE]);

#endif
