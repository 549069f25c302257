/* tls_stream.h - the TLS of one stream: records in and out of an SSL, for net/stream.c alone.
 *
 * The SSL reads from the bytes that the io has just received, where they are, and writes to the io,
 * which corks: neither side has a buffer of ours.
 *
 *   input   OPEN ──> ENDED ──> FAILED   close_notify; a failure, of the io or of TLS (end)
 *              └───────────────^
 *   output  OPEN ──> LAST ───> DONE     shutdown or finish while something waits: LAST;
 *              └───────────────^        close_notify is written, the rest is refused: DONE
 *                                       (say_goodbye)
 *
 * What is written before the handshake is done, or behind a file, waits in the queue. What was
 * received and not decrypted, as the owner paused, is kept on the heap while the io is paused too.
 *
 * Lifetime  Owned by its stream; between loops by the parcel.
 */
#ifndef NET_TLS_STREAM_H
#define NET_TLS_STREAM_H

#include "net/stream.h"

#include <openssl/ssl.h>

/* A new session of what the context holds now. NULL without memory. */
SSL *tls_context_session(struct tls_context *c);

/* NULL without memory, or if `host` is no host. */
struct tls *tls_new_server(struct tls_context *c);
struct tls *tls_new_client(struct tls_context *c, const char *host);
void tls_free(struct tls *tls); /* accepts NULL */

/* Whether there is something to decrypt already: then the io is to be opened paused. */
bool tls_has_input(const struct tls *tls);
size_t tls_queued(const struct tls *tls);
const char *tls_error(const struct tls *tls);

/* After the io of `s` was opened, and before it is released: -ENOMEM, then nothing has changed. */
void tls_stream_start(struct stream *s);
int tls_stream_stop(struct stream *s);

/* From the io. */
void tls_stream_receive(struct stream *s, struct slice data);
void tls_stream_ended(struct stream *s, int error);
void tls_stream_drained(struct stream *s);

/* From the owner, as stream.h. */
void tls_stream_write(struct stream *s, const struct iovec *pieces, int count);
void tls_stream_write_file(struct stream *s, int file, off_t offset, size_t len);
void tls_stream_pause(struct stream *s);
void tls_stream_resume(struct stream *s);
void tls_stream_shutdown(struct stream *s);
void tls_stream_finish(struct stream *s, uint64_t linger_ms);
void tls_stream_close(struct stream *s);

#endif
