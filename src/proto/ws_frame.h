/* SPDX-License-Identifier: MIT */
/* ws_frame.h - WebSocket frames (RFC 6455, section 5), one header at a time.
 *
 * Pure. The payload is not looked at here: the caller knows how much of it has come.
 */
#ifndef PROTO_WS_FRAME_H
#define PROTO_WS_FRAME_H

#include "base/slice.h"
#include "proto/status.h"

enum ws_op {
    WS_OP_CONTINUATION = 0,
    WS_OP_TEXT = 1,
    WS_OP_BINARY = 2,
    WS_OP_CLOSE = 8,
    WS_OP_PING = 9,
    WS_OP_PONG = 10,
};

#define WS_HEAD_MAX 14

struct ws_head {
    bool fin;
    uint8_t rsv; /* the three bits, RSV1 is 4 */
    enum ws_op op;
    bool masked;
    uint8_t size; /* of this header in bytes, 2 to 14 */
    uint8_t mask[4];
    uint64_t length; /* of the payload */
    const char *why; /* with PARSE_BAD */
};

/* Decides from the first two bytes whatever they can decide. PARSE_BAD: an opcode that is not
 * defined, a control frame that is fragmented or longer than 125, a length not in its shortest form
 * or with the top bit set. RSV and masking are left to the caller, who knows the extensions and its
 * side. */
enum parse_status ws_head_parse(struct slice in, struct ws_head *ret);

/* Writes the header of an unmasked frame, FIN set, in the shortest form; returns its size (2, 4 or
 * 10). */
size_t ws_head_write(char out[WS_HEAD_MAX], enum ws_op op, uint64_t length);

/* Writes the header of any frame: `head->mask` is used if `masked`. For clients and tests. */
size_t ws_head_write_full(char out[WS_HEAD_MAX], const struct ws_head *head);

/* XORs data in place with the mask, as if `offset` bytes of the payload had come before. 16 bytes
 * at a time, or 32 where the machine can. */
void ws_mask(char *data, size_t len, const uint8_t mask[4], uint64_t offset);
/* As ws_mask() of a whole payload; returns whether it is all ASCII then. */
bool ws_mask_ascii(char *data, size_t len, const uint8_t mask[4]);
/* ws_mask() byte by byte: the oracle of the tests. */
void ws_mask_plain(char *data, size_t len, const uint8_t mask[4], uint64_t offset);

/* True for the codes that an endpoint may receive in a close frame (RFC 6455, 7.4; with the
 * registered 1012 to 1014). */
bool ws_close_code_valid(unsigned code);

#endif
