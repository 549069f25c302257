/* SPDX-License-Identifier: MIT */
#include "net/tls_stream.h"

#include "base/log.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

/* What OpenSSL takes for a connection while its handshake is under way, and then: measured. */
#define TLS_HANDSHAKE_BYTES 49152
#define TLS_SESSION_BYTES   14336

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *out, int size)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->in.len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = tls->in.len < (size_t)size ? tls->in.len : (size_t)size;
    memcpy(out, tls->in.ptr, n);
    tls->in = slice_skip(tls->in, n);
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls *tls = BIO_get_data(bio);
    io_write_slice(&tls->stream->io, slice_make(data, (size_t)len));
    return len;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (!bio_method)
        return;
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_control);
}

/* ---- making and freeing ---- */

static void later(struct timer *timer);

static struct tls *tls_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_bio_method);
    struct tls *tls = log_needed(calloc(1, sizeof(*tls)));
    if (!tls)
        return NULL;
    tls_queue_init(&tls->queue);
    timer_init(&tls->later, later);
    timer_init(&tls->linger, tls_lingered);
    tls->handshaking = true;
    return tls;
}

bool tls_make_ssl(struct tls *tls, struct tls_context *c)
{
    BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
    tls->ssl = tls_context_session(c);
    if (!tls->ssl || !bio) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_msg_callback(tls->ssl, tls_on_message);
    SSL_set_msg_callback_arg(tls->ssl, tls);
    return true;
}

struct tls *tls_new_server(struct tls_context *c)
{
    struct tls *tls = tls_new();
    if (!tls)
        return NULL;
    tls_context_ref(c);
    tls->context = c;
    return tls;
}

/* RFC 6066, 3: no address goes into SNI. */
static bool expect_host(SSL *ssl, const char *host)
{
    struct in6_addr ip;
    if (inet_pton(AF_INET, host, &ip) == 1 || inet_pton(AF_INET6, host, &ip) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct tls *tls_new_client(struct tls_context *c, const char *host)
{
    struct tls *tls = tls_new();
    if (!tls)
        return NULL;
    bool by_keys = tls_context_is_keyed(c);
    if (!tls_make_ssl(tls, c) || (!by_keys && !expect_host(tls->ssl, host))) {
        tls_free(tls);
        return NULL;
    }
    SSL_set_connect_state(tls->ssl);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    timer_stop(&tls->later);
    timer_stop(&tls->linger);
    tls_queue_done(&tls->queue);
    SSL_free(tls->ssl);
    tls_context_unref(tls->context);
    free(tls->hello);
    free(tls->kept);
    free(tls);
}

bool tls_has_input(const struct tls *tls)
{
    return tls->kept || (tls->ssl && SSL_pending(tls->ssl) > 0);
}

size_t tls_queued(const struct tls *tls)
{
    return tls->queue.bytes;
}

static size_t ssl_bytes(const struct tls *tls)
{
    if (!tls->ssl)
        return 0;
    return tls->handshaking ? TLS_HANDSHAKE_BYTES : TLS_SESSION_BYTES;
}

size_t tls_held(const struct tls *tls)
{
    return tls->queue.bytes - tls->queue.elsewhere + (tls->kept ? tls->kept_len : 0) +
           tls->hello_len + ssl_bytes(tls);
}

bool tls_shakes_hands(const struct tls *tls)
{
    return tls->handshaking;
}

const char *tls_error(const struct tls *tls)
{
    return tls->why;
}

/* ---- between input and output ---- */

void tls_do_later(struct tls *tls)
{
    timer_start(stream_loop(tls->stream), &tls->later, 0);
}

void tls_fail_later(struct tls *tls, int error)
{
    if (tls->error == 0)
        tls->error = error;
    tls_do_later(tls);
}

void tls_remember_why(struct tls *tls)
{
    long verdict = SSL_get_verify_result(tls->ssl);
    tls->why = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
                                    : ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
}

static void tell_drained(struct stream *s)
{
    s->tls->owes_drain = false;
    if (s->ops->on_drain)
        s->ops->on_drain(s);
}

void tls_stream_drained(struct stream *s)
{
    struct tls *tls = s->tls;
    if (tls->handshaking)
        return;
    if (tls->queue.bytes > 0)
        tls_feed(tls);
    else
        tell_drained(s);
}

/* One thing a turn, as each may end the stream. */
static void later(struct timer *timer)
{
    struct tls *tls = container_of(timer, struct tls, later);
    struct stream *s = tls->stream;
    if (tls->error) {
        tls_end(s, tls->error);
        return;
    }
    if (tls_has_input(tls) && !tls->paused) {
        tls_do_later(tls);
        tls_decrypt_kept(s);
    } else if (tls->owes_drain && io_queued(&s->io) <= IO_CORKED_MAX) {
        tls_stream_drained(s); /* above that it comes from the io */
    }
}

void tls_stream_start(struct stream *s)
{
    struct tls *tls = s->tls;
    tls->stream = s;
    tls->paused = false;
    if (tls_has_input(tls))
        tls_do_later(tls);
    else if (tls->handshaking && tls->ssl && !SSL_is_server(tls->ssl))
        tls_decrypt(s, SLICE_NONE);
}

int tls_stream_stop(struct stream *s)
{
    struct tls *tls = s->tls;
    if (tls->error)
        return -EBUSY;
    int error = tls_keep_rest(tls);
    if (error)
        return error;
    timer_stop(&tls->later);
    tls->stream = NULL;
    return 0;
}
