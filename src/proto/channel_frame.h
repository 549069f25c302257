/* SPDX-License-Identifier: MIT */
/* channel_frame.h - the frames of byte streams: one binary WebSocket message each, whose first byte
 * is below 0x20 (docs/protocol.md, section 10).
 *
 * Pure: a parsed frame has slices into the input; JSON is checked to be an object and never
 * interpreted. Only the head of a frame is written here. The caller sends the body behind it,
 * without a copy.
 */
#ifndef PROTO_CHANNEL_FRAME_H
#define PROTO_CHANNEL_FRAME_H

#include "base/slice.h"
#include "proto/status.h"

#define CHANNEL_HEAD_SIZE 5 /* of every frame but STATE */
#define CHANNEL_HEAD_MAX  21
#define CHANNEL_COUNT_MAX                                                                          \
    9007199254740991u            /* of `received` and `limit`: JavaScript counts to here */
#define CHANNEL_DATA_MAX   65536 /* what a sender puts into one DATA at most */
#define CHANNEL_FIRST_MAX  0x1f  /* a first byte up to here is a stream's */
#define CHANNEL_JSON_DEPTH 512

enum channel_frame_type {
    CHANNEL_OPEN = 1,
    CHANNEL_OPENED = 2,
    CHANNEL_DATA = 3,
    CHANNEL_STATE = 4,
    CHANNEL_END = 5,
    CHANNEL_RESET = 6,
    CHANNEL_GONE = 7
};

struct channel_frame {
    enum channel_frame_type type;
    uint32_t channel;         /* not 0 */
    uint64_t received, limit; /* of STATE */
    struct slice body;        /* of OPEN, OPENED and RESET a JSON object, of DATA bytes */
    const char *why;          /* with PARSE_BAD: a static text */
};

/* Does this binary message belong to a byte stream? */
static inline bool channel_frame_is(struct slice message)
{
    return message.len && (unsigned char)message.ptr[0] <= CHANNEL_FIRST_MAX;
}

/* One whole message; never PARSE_MORE. */
enum parse_status channel_frame_parse(struct slice message, struct channel_frame *ret);

/* The bytes before the body, of any type. Returns their number. */
size_t channel_frame_head(const struct channel_frame *frame, char out[CHANNEL_HEAD_MAX]);

#endif
