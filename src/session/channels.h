/* SPDX-License-Identifier: MIT */
/* channels.h - the byte streams of one session, one side of them: numbers, credit, replay, turns
 * (docs/protocol.md, section 10).
 *
 *     ASKED ──channel_accept, or their OPENED──> LIVE ──both ENDs received; their RESET or GONE──> OVER
 *       │                                         │                                               │
 *       ├── their RESET or GONE ──────────────────┼───────────────────────────────────────────────┤
 *       └───────────── channel_reset ─────────────┴──> LEFT ──their GONE or RESET─────────────────┘
 *
 * The end of the session is the end of all its channels.
 *
 * The set of channels knows no socket: frames leave by `ops->send` while there is a wire, and come
 * by channels_receive(). A session in the server has one set, a C client has one.
 *
 * Turns     Channels with something to send take turns, a quantum of at most CHANNEL_QUANTUM bytes
 *           each (a lone one CHANNEL_DATA_MAX), while ops->room() says that the wire takes more: a
 *           message that is written to the session in between waits for no more than that.
 * Bounds    Outgoing, a channel holds at most `window` bytes that are not received: the owner looks
 *           at channel_writable() before it takes more from its source. Incoming, at most `window`
 *           bytes that the owner has not channel_consumed(). While all channels together hold, or
 *           were granted, more than CHANNELS_WINDOWS of them, one more holds at most
 *           CHANNEL_KEPT_SMALL, or is granted CHANNEL_GRANT_SMALL.
 * Lifetime  struct channel is ours; the owner's pointer to it dies with on_over, and with
 *           channel_reset(). Callbacks may call anything here, channels_free() too. A write, end,
 *           consumption or reset is sent at once, by ops->send, which calls nothing here.
 * Threads   One.
 * Memory    An idle channel is struct channel (about 200 B) and the JSON that it was opened with.
 * Cost      A frame that comes: a binary search among the channels. No timer of its own.
 */
#ifndef SESSION_CHANNELS_H
#define SESSION_CHANNELS_H

#include "base/list.h"
#include "base/slice.h"
#include "core/chunk.h"

struct pack;

enum {
    CHANNEL_QUANTUM = 16384,
    CHANNELS_WINDOWS = 4,
    CHANNEL_TOLD_AT = 65536, /* a receiver tells at the latest when it has received so much */
    CHANNEL_GRANT_SMALL = 32768,
    CHANNEL_KEPT_SMALL = CHANNEL_TOLD_AT + 32768 /* what is not told, and what is sent meanwhile */
};

struct channel;
struct channels;

struct channels_config {
    uint32_t window;       /* bytes, of each direction of each channel */
    uint32_t channels_max; /* at a time. The server's side holds the client to it; the client's
                              owner looks at channels_count() */
    uint32_t message_max;  /* the other side takes no larger message; 0: any */
};

struct channels_counts {
    uint64_t opened, now, reset;  /* reset: by either side, or lost */
    uint64_t bytes_in, bytes_out; /* of DATA; out: including bytes that were sent again */
    uint64_t replayed_bytes;      /* sent, but not received by the end of a connection */
};

struct channels_ops {
    /* One frame: `head`, then `len` bytes of `body` from `at` on (NULL: none), which the callee
     * copies or takes a reference of. Only while attached. */
    void (*send)(struct channels *cs, struct slice head, struct shared_bytes *body, size_t at,
                 size_t len);
    /* How many bytes the wire takes now without making a message wait. */
    size_t (*room)(struct channels *cs);
    /* The server's side: the client wants a stream. The callee calls channel_own(), then
     * channel_accept() or channel_reset(), at once or later. Slices are valid during the call.
     * NULL: this is the client's side. */
    void (*on_open)(struct channels *cs, struct channel *c, struct slice json);
    /* Bytes have come of which the other side has not been told: channels_tell() is due within a
     * second. Not called again until then. */
    void (*tell_soon)(struct channels *cs);
    /* A channel that was asked for has been reset instead of accepted. May be NULL. */
    void (*on_refused)(struct channels *cs);
    /* More bytes are kept. May be NULL. */
    void (*grown)(struct channels *cs);
};

struct channel_ops {
    /* The client's side: the server has accepted the channel. May be NULL. */
    void (*on_opened)(struct channel *c, struct slice json);
    /* The next bytes, each once; the owner says channel_consumed() when it has room again. Mutable,
     * valid during the call. */
    void (*on_data)(struct channel *c, struct bytes data);
    /* The other side's direction is complete. */
    void (*on_end)(struct channel *c);
    /* channel_writable() had been 0 and is at least a quarter of the window. May be NULL. */
    void (*on_writable)(struct channel *c);
    /* The last callback. `json` empty: both directions are complete and everything has arrived;
     * otherwise an object with the content of a RESET, or with another reason. */
    void (*on_over)(struct channel *c, struct slice json);
};

/* `config` and `counts` are borrowed and outlive it. NULL without memory. */
struct channels *channels_new(const struct channels_config *config, struct channels_counts *counts,
                              const struct channels_ops *ops, void *owner);
/* The session is over: calls on_over for each channel, with `json`, and frees the set. */
void channels_free(struct channels *cs, struct slice json);
void *channels_owner(const struct channels *cs);

/* A new connection, after `.welcome` was sent or received. Sends the frames that have to come
 * first. */
void channels_attach(struct channels *cs);
void channels_detach(struct channels *cs);
/* The wire has room again. */
void channels_pump(struct channels *cs);
/* Tells the other side what has come, after ops->tell_soon. */
void channels_tell(struct channels *cs);
/* How many channels there are, including those that have been reset and whose GONE has not come. */
uint32_t channels_count(const struct channels *cs);
/* Memory that the channels hold: bytes that are kept, and frames that may be said again. */
size_t channels_held(const struct channels *cs);
/* How many bytes are kept that the other side has not received. */
size_t channels_kept(const struct channels *cs);
/* One binary message whose first byte is below 0x20. False: a breach, *why a static text. */
bool channels_receive(struct channels *cs, struct bytes frame, const char **why);

/* The client's side: opens a new channel, which may be written to at once. NULL without memory. */
struct channel *channel_open(struct channels *cs, struct slice json, const struct channel_ops *ops,
                             void *owner);
/* The server's side, once, after channel_own(): OPENED with this JSON. */
void channel_accept(struct channel *c, struct slice json);
void channel_own(struct channel *c, const struct channel_ops *ops, void *owner);
void *channel_owner(const struct channel *c);
struct channels *channel_set(const struct channel *c);
uint32_t channel_number(const struct channel *c);

/* How many bytes may be written now. */
size_t channel_writable(const struct channel *c);
/* How many bytes were written and are not received. */
size_t channel_kept(const struct channel *c);
/* Copies. At most channel_writable(). False without memory: the channel has been reset with
 * `overload`, the pointer is dead. */
bool channel_write(struct channel *c, struct slice data);
/* As channel_write(), without copying: takes a reference of its own. */
bool channel_write_shared(struct channel *c, struct shared_bytes *shared, size_t at, size_t len);
/* Our direction is complete. A second call has no effect. */
void channel_end(struct channel *c);
/* The owner has room for `n` more bytes, of those that on_data gave. */
void channel_consumed(struct channel *c, size_t n);
/* Ends both directions; bytes that have not been sent are lost; `json` is an object with "reason".
 * No callback after this. */
void channel_reset(struct channel *c, struct slice json);

/* ---- channel_pack.c: for the process that takes over ---- */

void channels_pack(const struct channels *cs, struct pack *p);
/* Into an empty set, without a wire. False: it can't be read, or there is no memory. */
bool channels_unpack(struct channels *cs, struct slice in);
/* The owner of a channel has it again. NULL: there is none of this number. */
struct channel *channels_reclaim(struct channels *cs, uint32_t number,
                                 const struct channel_ops *ops, void *owner);
/* Resets those that nobody has reclaimed. */
void channels_reset_unclaimed(struct channels *cs, struct slice json);
/* The wire has come over, too, in place of channels_attach(). */
void channels_go_on(struct channels *cs);

#endif
