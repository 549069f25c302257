/* SPDX-License-Identifier: MIT */
/* session.h - a conversation that outlives its connections: exactly once, in order, both ways
 * (docs/protocol.md).
 *
 *   WAITING ──session_attach──> ATTACHED <──session_attach── DETACHED
 *      │                         │  │ ──session_detach──────>   │
 *      │                         │  └── takeover: another wire  │
 *      └────────────┬────────────┴──────────────────────────────┘
 *                   ├── the client's .close, grace over, a broken rule ──> LEAVING ──session_end──> OVER
 *                   └── session_end ──> ENDING ──all acknowledged, or grace over──────────────────> OVER
 *
 * LEAVING: the client has no part in the session any more, and the owner lets its program go.
 * ENDING: the owner has let go, and the messages that the client has not acknowledged are kept
 * until the client has fetched them. OVER: on_over, the last callback.
 *
 * Between two parties: the *wire* (one WebSocket at a time, whatever it is made of) and the *owner*
 * (the program's side). A session knows neither HTTP, nor WebSocket, nor processes.
 *
 * Streams   channels.h, beside the messages: opened by the client, handed to the owner; all end
 *           with the session. Messages overtake them: flight.h.
 * Numbers   outbox.h keeps the messages that were sent and are not acknowledged; inbox.h counts
 *           those received.
 * Bounds    A client that asks for answers and does not read them is not read from.
 *           Outgoing: session_writable() is false from `buffer_max` bytes unacknowledged on; the
 *           owner then takes no more from its program. Incoming: the client may have `window` bytes
 *           that the owner has not yet session_taken(); more is a breach of the protocol. `window`
 *           is that of the session's beginning: the client may have filled it before a reload.
 * Calls     Inside of any of its calls the owner may do anything here, also end the session: then
 *           only on_over follows, those of its streams, and on_greeted for clients that come.
 * Lifetime  session_new() to on_over; the table (table.h) finds it by id. The owner's pointer dies
 *           with on_over.
 * Threads   Loop thread only.
 * Memory    At most 512 B while idle, with its texts; a key of more than 23 bytes lies beside it.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "base/text.h"
#include "core/loop.h"
#include "proto/message.h"
#include "proto/state_message.h"
#include "session/channels.h"
#include "session/outbox.h"

#define SESSION_ID_LEN  24
#define SESSION_KEY_MIN 22
#define SESSION_KEY_MAX 64

/* Of a message that goes to many sessions at a time, which therefore never goes in parts. */
#define SESSION_SHARED_MAX 16384

struct channel;
struct sealer;
struct session;
struct session_wire;

struct session_wire_ops {
    /* One WebSocket message. */
    void (*send)(struct session_wire *wire, bool binary, const struct slice *pieces, size_t count);
    /* One binary message: `head`, then `len` bytes of `body` from `at` on, by reference. */
    void (*send_shared)(struct session_wire *wire, struct slice head, struct shared_bytes *body,
                        size_t at, size_t len);
    /* How many bytes wait in the wire for the kernel. When they have left, the wire calls
     * session_drained(). */
    size_t (*queued)(const struct session_wire *wire);
    /* When the client last gave a sign of life: a byte that came, also of an unfinished message, or
     * one that it took. NULL: only its messages tell. */
    uint64_t (*alive_ms)(struct session_wire *wire);
    /* Byte streams begin: from now on the kernel is to hold few bytes that are not yet sent. */
    void (*keep_shallow)(struct session_wire *wire);
    /* The session lets go of the wire: close it with this code and reason. No call after this. */
    void (*close)(struct session_wire *wire, unsigned code, struct slice reason);
    /* `count` messages, as frames of a WebSocket server one behind the other: the `len` bytes of
     * `frames` from `at` on, by reference. NULL: send() does. */
    void (*send_frames)(struct session_wire *wire, struct shared_bytes *frames, size_t at,
                        size_t len, uint32_t count);
    /* Memory that the wire holds of what waits. May be NULL. */
    size_t (*held)(const struct session_wire *wire);
    /* Nothing is read from the client, or again. May be NULL. */
    void (*pause)(struct session_wire *wire, bool paused);
};

/* Embedded by the connection. */
struct session_wire {
    const struct session_wire_ops *ops;
    struct session *session; /* borrowed; NULL when not attached */
    uint64_t end_number; /* of the end that it has said last; 0: none. session_table_end_heard() */
    /* While session_receive() runs: holds the bytes, to be kept by a reference; NULL: none does. */
    struct shared_bytes *arriving;
    /* Set before session_attach(): */
    uint64_t arrived_ms;  /* when its handshake came, by any one clock */
    uint64_t has_of_next; /* bytes that it has of the message behind `received`. More: none */
    bool parts;           /* it takes messages in parts */
    bool state;           /* it keeps the state of its program */
};

/* What a session goes on from. */
struct session_restored {
    enum state_why why;
    uint64_t resent; /* how many of the first messages may have been seen before */
    bool binary;     /* the state is bytes, not JSON */
    struct slice state;
};

struct session_ops {
    /* A sequenced message of the client, in order, exactly once. Slices are valid during the call;
     * `whole` is as session_wire.arriving. The owner calls session_taken() when its program has
     * taken it. */
    void (*on_message)(struct session *s, const struct message *m);
    void (*on_attach)(struct session *s, bool resumed);
    void (*on_detach)(struct session *s, struct slice reason);
    /* session_writable() has become true again. */
    void (*on_writable)(struct session *s);
    /* The session ends by the client's will, by time or by a breach: the owner lets its program go
     * and calls session_end() (any code) when it has sent its last message. `reason` is a token.
     * Not called after session_end(). */
    void (*on_close)(struct session *s, struct slice reason);
    /* The session's memory is freed after this. */
    void (*on_over)(struct session *s);
    /* `.welcome` was sent to a client, which perhaps comes only to hear how the session has ended:
     * the time for session_tell(). May be NULL. */
    void (*on_greeted)(struct session *s);
    /* The client wants a byte stream: as channels_ops.on_open. NULL: refused with
     * `stream-unsupported`. */
    void (*on_open)(struct session *s, struct channel *c, struct slice json);
    /* The table is full. May this one, whose client is not there, be given up for a new one? NULL:
     * yes. */
    bool (*may_go)(const struct session *s);
    /* Ends the session, now. NULL: session_give_up() is called. */
    void (*on_given_up)(struct session *s);
    /* session_held() has grown, by bytes of streams. May be NULL. */
    void (*on_grown)(struct session *s);
    /* A message above message_max has begun: to end the session. NULL: it is a breach. */
    void (*on_too_long)(struct session *s);
    /* Of a session that `restores`: the client has brought this state. on_attach follows, and
     * nothing of the client comes before this. May be NULL for all others. */
    void (*on_restore)(struct session *s, const struct session_restored *restored);
};

struct session_config {
    uint32_t buffer_max;         /* bytes unacknowledged towards the client */
    uint32_t window;             /* bytes that the client may send ahead */
    uint32_t message_max;        /* bytes of one message */
    uint32_t stream_window;      /* bytes of each direction of a byte stream */
    uint32_t streams_max;        /* of a session, at a time; 0: none */
    uint32_t attach_timeout_ms;  /* for the first connection */
    uint32_t detach_timeout_ms;  /* for the next one, after a lost connection */
    uint32_t goodbye_timeout_ms; /* for the next one, after `.bye` */
    uint32_t ping_ms;
    struct sealer *sealer; /* borrowed; NULL: no states are given or taken */
    uint64_t state_age_ms; /* older states are refused */
};

struct session_counts {
    uint64_t started, now, attached_now, attaches, resumes, replayed, messages_in, messages_out,
        ended_by_grace, given_up, breaches, dead_peers, states_out, restores, restores_refused;
    struct channels_counts streams;
};

struct session_table;

struct session_spec {
    const struct session_config *config; /* borrowed: outlives the session */
    struct session_counts *counts;       /* borrowed */
    struct session_table *table;         /* borrowed */
    const struct session_ops *ops;
    void *owner;
    struct slice origin; /* of the page; copied. A session attaches only with the same one. */
    struct slice path;   /* of the program's URL; copied */
    bool restores;       /* its client brings a state first; needs a sealer */
};

/* With an id of 128 random bits and the worker's index. NULL without memory, or -ENOSPC in errno
 * when the table is full, no client is away (session_ops.may_go), and each of those whose program
 * has ended acknowledges the rest. */
struct session *session_new(struct loop *loop, const struct session_spec *spec);
struct slice session_id(const struct session *s);
void *session_owner(const struct session *s);
/* Sets the owner that is called back from now on. */
void session_own(struct session *s, const struct session_ops *ops, void *owner);
bool session_attached(const struct session *s);
/* It is LEAVING or later: what the owner sends reaches nobody. Its streams are told of their end
 * after that, from inside of the call that ends it. */
bool session_ends(const struct session *s);
/* Its client has sent a message or opened a stream, ever. */
bool session_was_used(const struct session *s);
/* Its client has been connected, once at least. */
bool session_met(const struct session *s);
/* Bytes of messages that the client has not acknowledged. */
size_t session_unacknowledged(const struct session *s);
/* Bytes of memory that the session holds: messages that are not acknowledged, bytes of streams that
 * are not received, their frames. */
size_t session_held(const struct session *s);
/* The session that the byte stream belongs to. */
struct session *session_of_channel(const struct channel *c);
/* One JSON object for operators: a mark for the id, path, origin, state, counts. Never the id
 * itself. */
void session_describe(const struct session *s, struct text *out);

/* May this client have the session? Checks path, origin and key (bound by the first attach), and
 * that `received` can be served. 0, or the close code: 4403, 4409, 4410. */
unsigned session_admits(const struct session *s, struct slice path, struct slice origin,
                        struct slice key, uint64_t received);
/* After session_admits() said 0. An older wire is closed with 4000. Sends `.welcome` and the
 * replay. */
/* Whether a connection is attached whose handshake came later than at this time. A client that has
 * given a connection up makes the next one, and the server may read them in the other order, if it
 * stood still meanwhile, or in two threads. The given up one must not take over: the client would
 * read the end of the other (4000) as the end of its session. */
bool session_overtaken(const struct session *s, uint64_t arrived_ms);
void session_attach(struct session *s, struct session_wire *wire, struct slice key,
                    uint64_t received);
/* The wire is gone. No effect if another wire has taken over. */
void session_detach(struct session_wire *wire, struct slice reason);

/* A WebSocket message from the wire. May end the session. */
void session_receive(struct session_wire *wire, bool binary, struct bytes data);
/* A message of more than message_max bytes has begun and was not read. Ends the session. */
void session_receive_too_long(struct session_wire *wire);

/* The bytes that were queued in the wire have left. */
void session_drained(struct session_wire *wire);

/* Queues a message to the client; sent at once if attached. Always taken: the owner looks at
 * session_writable() before it takes more from its program. */
void session_send(struct session *s, const struct message *m);
/* The same, and the message need not be sent at once: the owner calls session_flush() once it has
 * queued what came in one callback, so that all of that leaves together. */
void session_queue(struct session *s, const struct message *m);
void session_flush(struct session *s);
/* As session_send(), messages that many sessions get. None of them is longer than
 * SESSION_SHARED_MAX. */
void session_send_frames(struct session *s, const struct outbox_frames *frames);
/* Whether the owner may take more from its program. If not, on_writable follows. */
bool session_writable(struct session *s);
/* Whether it would still be writable with all but the last of so many bytes more. */
bool session_has_room(const struct session *s, size_t bytes);
/* Sends a control message to the connected client, after all that was sent before: not numbered,
 * not kept. False: no client is connected. */
bool session_tell(struct session *s, struct slice text);
/* The owner takes nothing from the client for now, or again: for what no window bounds. */
void session_hold_off(struct session *s, bool held_off);
/* The owner's program has taken one more message, in order. */
void session_taken(struct session *s);

/* ---- the program's state, state.c ---- */

/* The state of the program is this now: it goes to the client, if the client keeps states. Copied;
 * false without memory: the state before stays. */
bool session_save(struct session *s, bool binary, struct slice state);
/* The state that was saved last covers the first `count` messages of the client. */
void session_cover(struct session *s, uint64_t count);
/* Its client has a state to begin a new session with, or will have with this one's end. */
bool session_keeps_state(const struct session *s);
/* It waits for the state of its client. */
bool session_restoring(const struct session *s);

/* The owner sends no more. When all queued messages have been acknowledged, the client gets
 * `.close` and the WebSocket close code. */
void session_end(struct session *s, unsigned code, struct slice reason);
/* Ends the session at once, without waiting for acknowledgements. on_over follows at the end of the
 * turn. */
void session_abort(struct session *s, unsigned code, struct slice reason);
/* session_abort() with 4410 `given-up`: others need its room. */
void session_give_up(struct session *s);

#endif
