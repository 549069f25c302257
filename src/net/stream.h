/* SPDX-License-Identifier: MIT */
/* stream.h - a connection that carries bytes: TCP or Unix, with or without TLS, alike to its owner.
 *
 * Lifetime  Made by a listener (or stream_new, stream_adopt). The owner sets ops and owner with
 *           stream_own() and holds the pointer until it calls stream_close or stream_finish: after
 *           that call there is no callback, and the pointer is dead for the owner. After on_end
 *           with an error the owner still has to call stream_close.
 * Upgrade   stream_own() again hands it to another owner, such as from HTTP to WebSocket.
 * Threads   Loop thread only; stream_detach/stream_adopt move it to another loop.
 * Memory    At most 128 B for a plain one; TLS as much as OpenSSL needs, its buffers released when
 *           idle.
 * Cost      Plain: one indirect call above io's. TLS: a record is copied once into OpenSSL and once
 *           out of it, through a buffer on the stack.
 * TLS       The handshake starts with the peer's first byte (as client: at once) and goes on while
 *           the stream is paused; output that is written before its end waits. The owner limits how
 *           long the handshake may take.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "core/io.h"
#include "net/address.h"

struct stream;
struct tls;
struct tls_context;

struct stream_ops {
    /* Bytes of the application; mutable, valid during the call. */
    void (*on_recv)(struct stream *s, struct bytes data);
    /* 0: the peer ended its side (TLS: close_notify). Negative errno: broken (-EPROTO: a TLS
     * failure; -ECONNRESET also where TLS ended without close_notify). At most once each: an error
     * can follow a 0, nothing follows an error. */
    void (*on_end)(struct stream *s, int error);
    void (*on_drain)(struct stream *s); /* as io.h; may be NULL */
    /* As io.h; may be NULL. Under TLS the next bytes are decrypted to there. */
    struct bytes (*lend)(struct stream *s);
    /* The TLS handshake is done: the peer is who it should be. May be NULL. */
    void (*on_secure)(struct stream *s);
    /* stream_held() has changed though the owner did nothing: a TLS handshake has begun, or input
     * is kept that came while the stream was paused, or no longer. Nothing may be closed inside of
     * it. May be NULL. */
    void (*on_grown)(struct stream *s);
};

struct stream {
    union {
        struct io io;
        struct reap reap; /* once the io is released */
    };
    const struct stream_ops *ops;
    void *owner;
    struct tls *tls; /* owned; NULL: plain */
};

/* An accepted or connected socket; `tls` NULL for plain. NULL without memory or if the loop
 * refuses: the fd is closed. */
struct stream *stream_new(struct loop *loop, int fd, struct tls_context *tls);
/* As stream_new(), for a socket that is non-blocking: two system calls fewer. */
struct stream *stream_new_known(struct loop *loop, int fd, struct tls_context *tls);
/* As stream_new(), as the TLS client of `host`: the name is sent (SNI) and has to be in the
 * certificate; an IP address in text form is checked as such. With a context of keys there is no
 * name, and `host` is not looked at. */
struct stream *stream_new_client(struct loop *loop, int fd, struct tls_context *tls,
                                 const char *host);
void stream_own(struct stream *s, const struct stream_ops *ops, void *owner);

void stream_write(struct stream *s, const struct iovec *pieces, int count);
static inline void stream_write_slice(struct stream *s, struct slice bytes)
{
    stream_write(s, &(struct iovec){(void *)bytes.ptr, bytes.len}, 1);
}
/* As io_write_back(); under TLS the bytes are copied. */
static inline void stream_write_back(struct stream *s, struct slice bytes)
{
    if (s->tls)
        stream_write_slice(s, bytes);
    else
        io_write_back(&s->io, bytes);
}
/* As io_claim(); also NULL under TLS. */
static inline char *stream_claim(struct stream *s, size_t len)
{
    return s->tls ? NULL : io_claim(&s->io, len);
}
/* `len` bytes from `at` on: sent from where they are on a plain stream; otherwise copied into TLS
 * records, if there are many as the queue drains. */
void stream_write_part(struct stream *s, struct shared_bytes *shared, size_t at, size_t len);
/* The same bytes, when nobody else counts them: stream_held() does. */
void stream_give_part(struct stream *s, struct shared_bytes *shared, size_t at, size_t len);
static inline void stream_write_shared(struct stream *s, struct shared_bytes *shared)
{
    stream_write_part(s, shared, 0, shared->len);
}
/* Takes the descriptor. Under TLS it is read and encrypted piece by piece as the queue drains. */
void stream_write_file(struct stream *s, int file, off_t offset, size_t len);
size_t stream_queued(const struct stream *s);
/* How much memory the stream holds that nobody else counts: as io_held(), and TLS. */
size_t stream_held(const struct stream *s);
/* The same with shared bytes that another holder counts: for when that one has let go of them. */
size_t stream_held_in_all(const struct stream *s);
/* From now on the kernel holds at most about `bytes` that it has not yet sent, so that later output
 * waits behind no more (TCP_NOTSENT_LOWAT; no effect on a Unix socket). */
void stream_keep_shallow(struct stream *s, unsigned bytes);

void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
/* Ends our side once the queue has been sent (TLS: close_notify first). Receiving goes on. */
void stream_shutdown(struct stream *s);
/* Ends our side and closes, once the queue has been sent or `linger_ms` have passed. */
void stream_finish(struct stream *s, uint64_t linger_ms);
/* Closes now; the queue is lost. */
void stream_close(struct stream *s);
/* As stream_close(), but the peer sees a reset, a sign that the data is incomplete (TCP; a Unix
 * peer sees an end). */
void stream_reset(struct stream *s);

bool stream_secure(const struct stream *s);
/* Whether its TLS handshake is still to be done. */
bool stream_shakes_hands(const struct stream *s);
/* The fault that TLS found, for the log; NULL if there is none. Static text. */
const char *stream_tls_error(const struct stream *s);
static inline struct loop *stream_loop(const struct stream *s)
{
    return s->io.loop;
}
/* Asks the kernel each time, so that idle streams need not remember. A Unix peer has family AF_UNIX
 * and prints as "unix:". Negative errno. */
int stream_peer(const struct stream *s, struct net_address *ret);
int stream_local(const struct stream *s, struct net_address *ret);

/* Whether the peer has ended its side or broken the connection. Asks the kernel, since a paused
 * stream does not report its end. */
bool stream_peer_gone(const struct stream *s);
/* The same of a break alone: a peer that has only ended its side may still take what is written. */
bool stream_broken(const struct stream *s);

/* When the peer's last bytes came to this machine, read or not, in milliseconds of a clock that
 * only these times are compared by. A Unix peer's: now. */
uint64_t stream_arrived_ms(const struct stream *s);
/* That clock, now. */
uint64_t stream_clock_ms(void);

/* Moves a stream to another worker: detach here (the stream object is gone), post the parcel, adopt
 * there. The adopted stream is not paused. */
struct stream_parcel {
    int fd;
    struct tls *tls;
    struct io_kept *rest; /* received, and not told yet */
};
/* Only with nothing queued: -EBUSY otherwise; -ENOMEM: in both cases the stream is still there. */
int stream_detach(struct stream *s, struct stream_parcel *ret);
/* As stream_new; the parcel is used up, also on failure. */
struct stream *stream_adopt(struct loop *loop, struct stream_parcel *parcel);
/* For a parcel that can't be delivered. */
void stream_parcel_drop(struct stream_parcel *parcel);

/* For the process that takes over. TLS can't be taken over. */
static inline bool stream_may_pack(const struct stream *s)
{
    return !s->tls;
}
void stream_pack(const struct stream *s, struct pack *p);
/* As of a stream with nothing queued; the parcel is not used up. */
void stream_parcel_pack(const struct stream_parcel *parcel, struct pack *p);
/* NULL without memory, or if the loop refuses: the descriptor is closed. */
struct stream *stream_unpack(struct loop *loop, struct slice in);
/* Those that nobody owns any more, after stream_finish(): each a field of this tag. */
void streams_pack_lingering(const struct loop *loop, uint32_t tag, struct pack *p);

#endif
