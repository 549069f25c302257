/* SPDX-License-Identifier: MIT */
/* outbox.h - the messages that were sent in a session and are not yet acknowledged: numbered, in
 * order, ready to be sent again.
 *
 * Each lies there as the WebSocket frame that a server sends, so that messages one behind the other
 * leave in one piece, from where they are. They lie in *blocks*: small ones of this session
 * together in one, a large one in its own, and those that many sessions get at a time in a block
 * whose bytes all of them share.
 *
 * Pure memory: knows no wire. An empty outbox owns nothing.
 *
 * Memory   `held` is what the outbox takes from the heap. Bytes that are shared count whole for
 *          each session: once the others have let go of them they are its alone.
 * Cost     No allocation for most messages. A block that is shared: one small object of a pool.
 * Threads  Any one at a time; one that was given shared bytes stays in its thread.
 */
#ifndef SESSION_OUTBOX_H
#define SESSION_OUTBOX_H

#include "base/list.h"
#include "core/chunk.h"
#include "proto/ws_frame.h"

struct outbox_block {
    struct outbox_block *next;
    struct shared_bytes *shared; /* one reference */
    uint32_t at, end;            /* of its bytes: the frames that are kept, */
    uint32_t count;              /* so many, */
    uint32_t payload;            /* with so many bytes, without their heads */
    bool open;                   /* more may be appended: nobody else does */
    bool of_pool;                /* it lies not in its own shared bytes */
};

struct outbox {
    struct outbox_block *first, *last;
    uint64_t acked; /* the number of the first message that is kept */
    uint64_t sent;  /* the number of the next one */
    size_t bytes;   /* of all that is kept, without heads */
    size_t held;    /* what that takes from the heap */
};

/* A message that is kept. */
struct outbox_message {
    bool binary;
    uint32_t head; /* bytes of the frame's head, before the data */
    size_t len;
    const char *data;
};

/* Between two messages. With a block of NULL: behind the last one. */
struct outbox_place {
    struct outbox_block *block;
    uint32_t at;
};

/* The pieces as one message. Returns the place before it; no block without memory, and nothing has
 * changed. */
struct outbox_place outbox_push(struct outbox *o, bool binary, const struct slice *pieces,
                                size_t count);

/* Frames of messages, made for many outboxes. */
struct outbox_frames {
    struct shared_bytes *shared; /* they are all that is in it */
    uint32_t count;
    uint32_t payload;
};
/* The head of the frame of a message of `len` bytes. Returns its size. */
size_t outbox_frame_head(char out[WS_HEAD_MAX], bool binary, size_t len);
/* All of them, by a reference. Returns the place before them; no block without memory, and nothing
 * has changed. */
struct outbox_place outbox_push_frames(struct outbox *o, const struct outbox_frames *frames);

/* ---- one message after the other ---- */

struct outbox_place outbox_begin(const struct outbox *o);
/* The message at this place; there must be one. */
struct outbox_message outbox_at(struct outbox_place place);
/* The place behind it. */
struct outbox_place outbox_behind(struct outbox_place place);

/* ---- acknowledged ---- */

/* Whether the rest can be sent to a peer that has received `received` messages. */
bool outbox_serves(const struct outbox *o, uint64_t received);

/* Forgets all messages before number `received`. Returns false and changes nothing unless
 * outbox_serves() that number. */
bool outbox_ack(struct outbox *o, uint64_t received);

void outbox_clear(struct outbox *o);

#endif
