/* SPDX-License-Identifier: MIT */
/* parts.h - the inside of a peer, for the files of this room alone.
 *
 *   peer.c      the states, the stream's events, the public calls
 *   whole.c     messages that have come whole: the quick way
 *   reader.c    bytes to messages: every rule of RFC 6455 about what comes in
 *   sender.c    messages to frames
 *   masks.c     the keys of a client's frames
 *   pack.c      for the process that takes over
 *   liveness.c  the one timer: pings, dead peers, the closing time-out, work put off
 *
 * A function that calls the owner back may leave the peer PEER_GONE; the memory stays until the end
 * of the turn.
 */
#ifndef WS_PARTS_H
#define WS_PARTS_H

#include "ws/buffer.h"
#include "ws/peer.h"

#include "base/utf8.h"
#include "limits/pace.h"
#include "net/progress.h"

enum peer_state {
    PEER_OPEN,
    PEER_CLOSING, /* our close frame is sent, theirs has not come */
    PEER_GONE     /* on_end has run, or ws_peer_drop */
};

/* What has come in part. A peer has one from the first byte of a frame that did not come whole to
 * the last byte of its message; and, on the stack, while the reader is at work. */
struct ws_reader {
    struct shared_bytes *message;  /* of a message; NULL: nothing has come, or all in one piece */
    struct shared_bytes *control;  /* of a control frame, likewise */
    struct shared_bytes *arriving; /* borrowed: holds the message that is being delivered */
    struct pace pace;              /* of the message that is under way */
    uint32_t message_left_ms;      /* at pace.began_ms: until it has to be whole */
    uint64_t left;                 /* bytes to come of this frame's payload */
    uint8_t mask[4];               /* turned: its first byte is for the next payload byte */
    struct utf8_stream utf8;
    uint8_t op;         /* of this frame */
    uint8_t message_op; /* of the message that is under way; 0: none */
    bool in_frame, fin;
    uint8_t head_len; /* a header that has come in part */
    char head[WS_HEAD_MAX];
};

struct ws_peer {
    struct stream *stream; /* owned; NULL once gone */
    const struct ws_peer_ops *ops;
    void *owner;
    const struct ws_config *config; /* borrowed: outlives the peer, see peer.h */
    struct ws_counts *counts;       /* borrowed: outlives the peer too */
    union {
        struct timer timer;
        struct reap reap; /* once gone */
    };
    uint64_t received_ms; /* the last sign of life */
    union {
        uint64_t pinged_ms;    /* while open: not answered if it is later than received_ms */
        uint64_t close_due_ms; /* while closing */
    };
    uint64_t alive_ms;              /* ws_peer_alive_ms() */
    struct net_progress pinged;     /* before that ping */
    struct net_progress watched;    /* at the last ws_peer_alive_ms() */
    struct shared_bytes *held;      /* input behind the frame at which the owner paused */
    struct memory_account *account; /* borrowed: pays for `message`, `control` and `held` */
    size_t counted;
    struct ws_reader *reader; /* owned; NULL: nothing is under way */
    uint16_t close_code;      /* while closing: the one that we sent */
    uint8_t state;
    bool answered : 1; /* our close frame was */
    bool paused : 1;   /* by the owner */
    bool choked : 1;   /* by pongs that the other side does not read */
    bool stopped : 1;  /* what the stream was told last */
    bool overfull : 1; /* queue_max was passed; the timer looks whether it still is */
    bool waited : 1;   /* once more for what the other side had still to read */
    bool in_place : 1; /* the message that is delivered lies behind its header */
};

_Static_assert(sizeof(struct ws_peer) + sizeof(struct stream) <= 256,
               "an idle peer is at most 256 B");

/* ---- peer.c ---- */

/* The peer broke a rule: says so by a close frame and ends (RFC 6455, 7.1.7). */
void peer_fail(struct ws_peer *p, unsigned code, const char *why);
/* Ends the peer and tells the owner. The queue is still sent. */
void peer_end(struct ws_peer *p, unsigned code, struct slice reason);
/* As peer_end(), when both have sent their close frame. A client sends nothing more then, and waits
 * for the server to close (RFC 6455, 7.1.1): once the queue has left, nothing that comes could
 * destroy it. */
void peer_part(struct ws_peer *p, unsigned code, struct slice reason);
/* As peer_end(), but at once: the queue is lost. */
void peer_cut(struct ws_peer *p, unsigned code, const char *why);
/* Pauses or resumes the stream as the flags say. */
void peer_settle(struct ws_peer *p);

/* ---- whole.c ---- */

/* Delivers the whole messages that `in` begins with; no frame or message is under way. Returns the
 * rest. */
struct bytes whole_take(struct ws_peer *p, struct bytes in);

/* ---- reader.c ---- */

/* Takes all of `in`. Bytes that are left because the owner has paused are held. */
void reader_take(struct ws_peer *p, struct bytes in);
/* Goes on with the held bytes. */
void reader_release(struct ws_peer *p);
/* A message or a header has begun and is not whole. */
bool reader_is_under_way(const struct ws_peer *p);
/* Makes the reader of a peer that has none. NULL without memory. */
struct ws_reader *reader_make(struct ws_peer *p);
/* Frees the part of an unfinished message that has come. The reader itself may be in use. */
void reader_forget(struct ws_peer *p);
/* Frees the reader, outside of any callback. */
void reader_free(struct ws_peer *p);
/* Says to the account what is held. */
void reader_count(struct ws_peer *p);

/* ---- sender.c ---- */

void sender_frame(struct ws_peer *p, enum ws_op op, const struct slice *pieces, size_t count);
/* A frame of one piece. */
void sender_one(struct ws_peer *p, enum ws_op op, struct slice data);
/* The frame is made where `data` is, which has bytes of its own header before it: a server's header
 * is shorter than a client's. */
void sender_back(struct ws_peer *p, enum ws_op op, struct bytes data);
/* A frame: `head`, then a part of `shared`. */
void sender_shared(struct ws_peer *p, enum ws_op op, struct slice head, struct shared_bytes *shared,
                   size_t at, size_t len);
/* 1005: without a code. */
void sender_close(struct ws_peer *p, unsigned code, struct slice reason);
void sender_pong(struct ws_peer *p, struct slice data);

/* ---- liveness.c ---- */

void liveness_init(struct ws_peer *p);
/* Sets the timer for the next event that is due. */
void liveness_arm(struct ws_peer *p);
/* A message is under way: the timer fires in time to judge its pace. */
void liveness_watch_pace(struct ws_peer *p);
/* A message begins: its pace and its time count from now on. */
void liveness_begin_message(struct ws_peer *p);
/* The owner pauses: until it resumes no time passes for the message. */
void liveness_stop_pace(struct ws_peer *p);
void liveness_resume_pace(struct ws_peer *p);

#endif
