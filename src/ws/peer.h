/* SPDX-License-Identifier: MIT */
/* peer.h - one WebSocket connection on a stream (RFC 6455), either side of it, after the handshake.
 *
 *   OPEN ──ws_peer_close──> CLOSING ──their close, end of stream, or close_timeout──> gone
 *     └──their close (echoed), a broken rule (close sent), end of stream, a dead peer──> gone
 *
 * Checks everything: masking, reserved bits, opcodes, fragmentation, control frames, UTF-8 as it
 * comes (it fails fast, also inside a frame), close codes and reasons, length limits as early as a
 * header tells. Pings a silent peer and drops a dead one, and closes one whose message trickles.
 *
 * Lifetime  ws_peer_new() takes the stream. After on_end, the last callback, the pointer is dead;
 *           what was queued before it still leaves. ws_peer_drop() ends it without on_end, at
 *           once. Both may happen inside any callback.
 * Memory    An idle peer, stream included, is at most 256 B and owns no buffer: a message in one
 *           piece is unmasked in the loop's buffer and delivered there; one in several pieces is
 *           gathered on the heap, which grows with what has come.
 * Cost      No timer and no allocation per message; what one dispatch answers leaves in one send. A
 *           short frame is written to where it leaves from. A client masks what is longer through a
 *           buffer on the stack: one copy more.
 * Threads   Loop thread only.
 */
#ifndef WS_PEER_H
#define WS_PEER_H

#include "limits/memory.h"
#include "net/stream.h"
#include "proto/ws_frame.h"

struct ws_peer;

struct ws_peer_ops {
    /* A whole message; mutable, valid during the call. */
    void (*on_message)(struct ws_peer *peer, enum ws_op op, struct bytes data);
    /* The queue is empty again. May be NULL. */
    void (*on_drain)(struct ws_peer *peer);
    /* 1006: lost without a close frame, with a reason of our own: `dead-peer` if nothing came, not
     * even a pong. 1005: a close frame without a code. `reason` is valid during the call. */
    void (*on_end)(struct ws_peer *peer, unsigned code, struct slice reason);
    /* A message above message_max has begun: close or drop the peer, with a code of your own. NULL:
     * it is failed with 1009. */
    void (*on_too_long)(struct ws_peer *peer);
};

struct ws_config {
    uint64_t message_max; /* bytes; above: on_too_long */
    /* A message, or a header, that is under way brings `least_rate` bytes a second over each
     * window, and something in any case; else the peer is closed with 1008. Control frames do not
     * count, nor does the time while the owner pauses. 0 ms: it may come as slowly as it likes. */
    uint32_t message_window_ms;
    /* And it is whole within this time, the owner's pauses aside; else likewise. 0: for ever. */
    uint32_t message_timeout_ms;
    uint64_t least_rate;
    uint32_t ping_interval_ms; /* without anything received: a ping; 0: never */
    uint32_t pong_timeout_ms;  /* after that ping without anything received: dropped as dead */
    uint32_t close_timeout_ms; /* for the peer's close frame */
    /* A peer that does not read: dropped with 1013 when more bytes are queued after the kernel has
     * taken what it would; 0: no bound. */
    uint64_t queue_max;
    bool client; /* our side: a client masks what it sends and takes no masked frame; a server the
                    other way round */
};

/* bytes: as on the stream, with headers. */
struct ws_counts {
    uint64_t peers_now, messages_in, messages_out, bytes_in, bytes_out, protocol_errors, dead_peers,
        slow_peers;
};

/* `config` and `counts` are borrowed: they outlive the peer. NULL without memory: then the stream
 * is closed. */
struct ws_peer *ws_peer_new(struct stream *stream, const struct ws_config *config,
                            struct ws_counts *counts, const struct ws_peer_ops *ops, void *owner);
/* Takes the bytes that had come behind the handshake. To be called once after ws_peer_new, also if
 * `rest` is empty. May call back. */
void ws_peer_begin(struct ws_peer *peer, struct bytes rest);

void *ws_peer_owner(const struct ws_peer *peer);
void ws_peer_own(struct ws_peer *peer, const struct ws_peer_ops *ops, void *owner);
struct stream *ws_peer_stream(const struct ws_peer *peer);

/* One message made of the pieces. Ignored unless open. */
void ws_peer_send(struct ws_peer *peer, enum ws_op op, const struct slice *pieces, size_t count);
void ws_peer_send_one(struct ws_peer *peer, enum ws_op op, struct slice data);
/* Inside of on_message: its data, or the beginning of it, as a message of ours. Nobody looks at
 * that data any more, or changes it. Much of it leaves from where it is, without a copy. */
void ws_peer_send_much_back(struct ws_peer *peer, enum ws_op op, struct bytes data);
static inline void ws_peer_send_back(struct ws_peer *peer, enum ws_op op, struct bytes data)
{
    if (data.len < 4096) /* a copy is cheaper than one more piece for the kernel */
        ws_peer_send_one(peer, op, slice_from_bytes(data));
    else
        ws_peer_send_much_back(peer, op, data);
}
/* One binary message: `head`, then `len` bytes of `shared` from `at` on, which leave from where
 * they are unless they have to be masked or encrypted. */
void ws_peer_send_shared(struct ws_peer *peer, struct slice head, struct shared_bytes *shared,
                         size_t at, size_t len);
/* From now on this account pays for what has come of a message and for input that waits; NULL:
 * nobody does. What the stream holds is the owner's to count: ws_peer_held(), each time the account
 * is recounted. The account outlives the peer, or is replaced. */
void ws_peer_pay(struct ws_peer *peer, struct memory_account *account);
/* Memory of the stream that nobody else counts. */
size_t ws_peer_held(const struct ws_peer *peer);
/* The same with what a session has kept and let go of since. */
size_t ws_peer_held_in_all(const struct ws_peer *peer);
/* Who pays, or NULL. */
struct memory_account *ws_peer_payer(const struct ws_peer *peer);
/* How much of it the account pays for. */
size_t ws_peer_gathered(const struct ws_peer *peer);
/* Inside of on_message: what holds the bytes, to be kept by a reference; NULL: the loop's buffer
 * does. */
struct shared_bytes *ws_peer_arriving(const struct ws_peer *peer);
/* `count` messages of a server as whole frames, one behind the other: `len` bytes of `shared` from
 * `at` on, which leave from where they are unless they have to be encrypted. `elsewhere`: another
 * holder counts them. */
void ws_peer_send_frames(struct ws_peer *peer, struct shared_bytes *shared, size_t at, size_t len,
                         uint32_t count, bool elsewhere);
/* Bytes not yet taken by the kernel. */
size_t ws_peer_queued(const struct ws_peer *peer);
/* The last sign of life of whoever is behind the connection: a byte of a message came, or bytes
 * that waited at the last call were taken. A pong is none: a browser gives it for a page that
 * hangs. To be asked at times; costs two system calls. */
uint64_t ws_peer_alive_ms(struct ws_peer *peer);
/* Nothing is delivered while paused. Input that has come already is kept, and the loop delivers it
 * after resuming. A paused peer is never taken for dead; but one that has been paused for a
 * ping_interval and whose client has left ends with 1006. */
void ws_peer_pause(struct ws_peer *peer);
void ws_peer_resume(struct ws_peer *peer);

/* Sends a close frame (reason cut to 123 bytes, at a character) and waits for the peer's. Then
 * on_end comes, with the code that was sent here and no reason. `code` is one that may be sent, or
 * 1005: none. Frames that still come are ignored, except pings, which are answered. */
void ws_peer_close(struct ws_peer *peer, unsigned code, struct slice reason);
/* In on_end: the other side has answered our close frame, so it has got all that came before. */
bool ws_peer_close_answered(const struct ws_peer *peer);
/* Ends the connection once the peer has taken what is queued, or after close_timeout; no callback
 * after this. */
void ws_peer_finish(struct ws_peer *peer);
/* Closes the connection now; no callback after this. */
void ws_peer_drop(struct ws_peer *peer);

/* ---- pack.c: for the process that takes over ---- */

/* Not one with TLS. */
bool ws_peer_may_pack(const struct ws_peer *peer);
void ws_peer_pack(const struct ws_peer *peer, struct pack *p);
/* In place of ws_peer_new() and _begin(). NULL: it can't be read, or there is no memory; the
 * connection is closed. */
struct ws_peer *ws_peer_unpack(struct loop *loop, struct slice in, const struct ws_config *config,
                               struct ws_counts *counts, const struct ws_peer_ops *ops,
                               void *owner);

#endif
