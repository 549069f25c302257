/* SPDX-License-Identifier: MIT */
/* tls_stream.h - the TLS of one stream: records in and out of an SSL, for net/stream.c alone.
 *
 * The SSL reads from the bytes that the io has just received, where they are, and writes to the io,
 * which corks: neither direction needs a buffer of ours.
 *
 *   input   OPEN ──> ENDED ──> FAILED   close_notify; a failure, of the io or of TLS (tls_end)
 *              └───────────────^
 *   output  OPEN ──> LAST ───> DONE     shutdown or finish while something waits: LAST;
 *              └───────────────^        close_notify is written, the rest is refused: DONE
 *                                       (say_goodbye)
 *
 * What is written before the handshake is done, or behind a file, waits in the queue. When the
 * owner pauses, input that is not yet decrypted is kept on the heap, and the io is paused too. If a
 * record is larger than the memory that the owner lent, the SSL keeps the rest.
 *
 * An SSL takes some 60 KB, and anybody can begin a handshake. So a server makes the SSL when the
 * client's first record is whole; until then the stream holds just the bytes that have come.
 *
 * Lifetime  Owned by its stream; between loops by the parcel.
 */
#ifndef NET_TLS_STREAM_H
#define NET_TLS_STREAM_H

#include "net/stream.h"
#include "net/tls_queue.h"

#include <openssl/ssl.h>

enum {
    TLS_RECORD_MAX = 16384, /* RFC 8446, 5.1 */
    /* KeyUpdate (RFC 8446, 4.6.3) costs us new keys, an attempt to renegotiate an alert, and
     * neither is needed often: so many at once, and one more for so much data. */
    TLS_ASIDES_MAX = 32,
    TLS_ASIDE_DATA = 65536
};

enum tls_input {
    TLS_INPUT_OPEN,
    TLS_INPUT_ENDED,
    TLS_INPUT_FAILED
};

enum tls_output {
    TLS_OUTPUT_OPEN,
    TLS_OUTPUT_LAST,
    TLS_OUTPUT_DONE
};

struct tls {
    SSL *ssl;                    /* NULL before a client's first record is whole */
    struct tls_context *context; /* ours until then */
    char *hello;                 /* what has come of that record */
    size_t hello_len;
    struct stream *stream; /* borrowed: it owns us; NULL in a parcel */
    struct slice in; /* borrowed: received, not yet read by the SSL; only during tls_decrypt() */
    char *kept;      /* what was left of `in` when the owner paused */
    size_t kept_len;
    struct tls_queue queue;
    struct timer later; /* work that must not be done inside the owner's call */
    struct timer linger;
    uint64_t linger_until_ms;
    const char *why; /* static text */
    int error;       /* to be told by `later` */
    enum tls_input input;
    enum tls_output output;
    uint32_t asides;  /* handshake messages after the handshake, beside data */
    uint32_t between; /* bytes of data since the last of them was made good */
    bool handshaking;
    bool paused;
    bool io_ended; /* while something was kept */
    bool closing;  /* the owner is gone */
    bool alerted;  /* the SSL failed: its alert may be on the way */
    bool owes_drain;
    bool chats; /* too many asides: the peer only keeps us busy */
};

/* A new SSL with what the context holds now. NULL without memory. */
SSL *tls_context_session(struct tls_context *c);

/* NULL without memory, or if `host` is no host. (A context of keys knows no host.) */
struct tls *tls_new_server(struct tls_context *c);
struct tls *tls_new_client(struct tls_context *c, const char *host);
void tls_free(struct tls *tls); /* accepts NULL */

/* Whether there is something to decrypt or to deliver already. If so, the io is to be opened
 * paused. */
bool tls_has_input(const struct tls *tls);
size_t tls_queued(const struct tls *tls);
/* Memory beside the io's queue, with that of the SSL. */
size_t tls_held(const struct tls *tls);
bool tls_shakes_hands(const struct tls *tls);
const char *tls_error(const struct tls *tls);

/* tls_stream_start() is called after the io of `s` was opened, tls_stream_stop() before the io is
 * released. -ENOMEM: nothing has changed. */
void tls_stream_start(struct stream *s);
int tls_stream_stop(struct stream *s);

/* From the io. */
void tls_stream_receive(struct stream *s, struct slice data);
void tls_stream_ended(struct stream *s, int error);
void tls_stream_drained(struct stream *s);

/* From the owner, as stream.h. */
void tls_stream_write(struct stream *s, const struct iovec *pieces, int count);
/* As stream_write_part(), by reference. */
void tls_stream_write_part(struct stream *s, struct shared_bytes *shared, size_t at, size_t len);
void tls_stream_write_file(struct stream *s, int file, off_t offset, size_t len);
void tls_stream_pause(struct stream *s);
void tls_stream_resume(struct stream *s);
void tls_stream_shutdown(struct stream *s);
void tls_stream_finish(struct stream *s, uint64_t linger_ms);
void tls_stream_close(struct stream *s);

/* ---- between the files: tls_stream.c, tls_input.c, tls_output.c ---- */

/* OpenSSL calls it with each message. */
void tls_on_message(int sent, int version, int type, const void *message, size_t len, SSL *ssl,
                    void *tls);
/* False without memory. */
bool tls_make_ssl(struct tls *tls, struct tls_context *c);

/* Leaves to the next timers what must not be done inside the owner's call. */
void tls_do_later(struct tls *tls);
void tls_fail_later(struct tls *tls, int error);
void tls_remember_why(struct tls *tls);

/* Encrypts as much of the queue as the io shall hold. The rest follows when the io has drained. */
void tls_feed(struct tls *tls);
void tls_lingered(struct timer *timer);

/* Tells the owner of the end, once; closes a stream without an owner. */
void tls_end(struct stream *s, int error);
void tls_decrypt(struct stream *s, struct slice data);
void tls_decrypt_kept(struct stream *s);
/* -ENOMEM, then nothing has changed. */
int tls_keep_rest(struct tls *tls);

#endif
