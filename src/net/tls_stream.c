#include "net/tls_stream.h"

#include "net/tls_queue.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    RECORD_MAX = 16384,     /* RFC 8446, 5.1 */
    FEED_MAX = 64 * 1024,   /* that may wait in the io while a file is being read */
    FEED_TURN = 256 * 1024, /* what one stream encrypts before the others' turn */
    ALERT_LINGER_MS = 1000, /* for the alert that says why we close */
};

enum input {
    INPUT_OPEN,
    INPUT_ENDED,
    INPUT_FAILED
};

enum output {
    OUTPUT_OPEN,
    OUTPUT_LAST,
    OUTPUT_DONE
};

struct tls {
    SSL *ssl;
    struct stream *stream; /* borrowed: it owns us; NULL in a parcel */
    struct slice in;       /* borrowed: received, not yet read by the SSL; only during decrypt() */
    char *kept;            /* what was left of `in` when the owner paused */
    size_t kept_len;
    struct tls_queue queue;
    struct timer later; /* work that must not be done inside the owner's call */
    struct timer linger;
    uint64_t linger_until_ms;
    const char *why; /* static text */
    int error;       /* to be told by `later` */
    enum input input;
    enum output output;
    bool handshaking;
    bool paused;
    bool io_ended; /* while something was kept */
    bool closing;  /* the owner is gone */
    bool alerted;  /* the SSL failed: its alert may be on the way */
    bool owes_drain;
};

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
static void lingered(struct timer *timer);

static struct tls *tls_new(struct tls_context *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_bio_method);
    struct tls *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return NULL;
    tls_queue_init(&tls->queue);
    timer_init(&tls->later, later);
    timer_init(&tls->linger, lingered);
    tls->handshaking = true;
    tls->ssl = tls_context_session(c);
    BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
    if (!tls->ssl || !bio) {
        BIO_free(bio);
        tls_free(tls);
        return NULL;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    return tls;
}

struct tls *tls_new_server(struct tls_context *c)
{
    struct tls *tls = tls_new(c);
    if (tls)
        SSL_set_accept_state(tls->ssl);
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
    struct tls *tls = tls_new(c);
    if (!tls)
        return NULL;
    if (!expect_host(tls->ssl, host)) {
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
    free(tls->kept);
    free(tls);
}

bool tls_has_input(const struct tls *tls)
{
    return tls->kept != NULL;
}

size_t tls_queued(const struct tls *tls)
{
    return tls->queue.bytes;
}

const char *tls_error(const struct tls *tls)
{
    return tls->why;
}

/* ---- output ---- */

static void do_later(struct tls *tls)
{
    timer_start(stream_loop(tls->stream), &tls->later, 0);
}

static void fail_later(struct tls *tls, int error)
{
    if (tls->error == 0)
        tls->error = error;
    do_later(tls);
}

static void remember_why(struct tls *tls)
{
    long verdict = SSL_get_verify_result(tls->ssl);
    tls->why = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
                                    : ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
}

static void encrypt(struct tls *tls, const char *data, size_t len)
{
    size_t written;
    ERR_clear_error();
    if (tls->error || SSL_write_ex(tls->ssl, data, len, &written) == 1)
        return;
    remember_why(tls);
    fail_later(tls, -EPROTO);
}

/* Whole records straight from a piece; what is smaller is gathered first, so that a head and its
 * payload are one record. */
static void encrypt_pieces(struct tls *tls, const struct iovec *pieces, int count)
{
    char record[RECORD_MAX];
    size_t held = 0;
    for (int i = 0; i < count; i++) {
        struct slice rest = slice_make(pieces[i].iov_base, pieces[i].iov_len);
        while (rest.len > 0) {
            size_t n = RECORD_MAX - held < rest.len ? RECORD_MAX - held : rest.len;
            if (held == 0 && (n == RECORD_MAX || i == count - 1)) {
                encrypt(tls, rest.ptr, n);
            } else {
                memcpy(record + held, rest.ptr, n);
                held += n;
            }
            if (held == RECORD_MAX) {
                encrypt(tls, record, held);
                held = 0;
            }
            rest = slice_skip(rest, n);
        }
    }
    if (held > 0)
        encrypt(tls, record, held);
}

/* Not SSL_shutdown during a handshake (OpenSSL refuses) nor after a failure. */
static void say_goodbye(struct tls *tls)
{
    if (tls->output != OUTPUT_DONE && !tls->handshaking && !tls->alerted) {
        ERR_clear_error();
        SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
    tls->output = OUTPUT_DONE;
    struct io *io = &tls->stream->io;
    if (!tls->closing) {
        io_shutdown(io);
        return;
    }
    uint64_t now = loop_now_ms(io->loop);
    timer_stop(&tls->later);
    timer_stop(&tls->linger);
    io_finish(io, tls->linger_until_ms > now ? tls->linger_until_ms - now : 0);
}

/* As much of the queue as the io shall hold; the rest when that has left. */
static void feed(struct tls *tls)
{
    char record[RECORD_MAX];
    size_t left = FEED_TURN;
    while (!tls->error && tls->queue.bytes > 0 && left > 0 &&
           io_queued(&tls->stream->io) < FEED_MAX) {
        ssize_t n = tls_queue_take(&tls->queue, record, sizeof(record));
        left -= sizeof(record);
        if (n < 0)
            fail_later(tls, (int)n);
        else
            encrypt(tls, record, (size_t)n);
    }
    if (tls->queue.bytes == 0 && tls->output == OUTPUT_LAST)
        say_goodbye(tls);
    else if (tls->owes_drain)
        do_later(tls); /* the io owes no on_drain for what leaves at once */
}

static bool must_wait(const struct tls *tls)
{
    return tls->handshaking || tls->queue.bytes > 0;
}

static bool may_write(const struct tls *tls)
{
    return tls->output == OUTPUT_OPEN && !tls->error && !tls->alerted;
}

void tls_stream_write(struct stream *s, const struct iovec *pieces, int count)
{
    struct tls *tls = s->tls;
    if (!may_write(tls))
        return;
    if (!must_wait(tls)) {
        encrypt_pieces(tls, pieces, count);
        return;
    }
    int error = tls_queue_add(&tls->queue, pieces, count);
    tls->owes_drain = true;
    if (error)
        fail_later(tls, error);
}

void tls_stream_write_file(struct stream *s, int file, off_t offset, size_t len)
{
    struct tls *tls = s->tls;
    if (!may_write(tls)) {
        close(file);
        return;
    }
    bool waits = must_wait(tls);
    int error = tls_queue_add_file(&tls->queue, file, offset, len);
    tls->owes_drain = true;
    if (error)
        fail_later(tls, error);
    else if (!waits)
        feed(tls);
}

void tls_stream_shutdown(struct stream *s)
{
    struct tls *tls = s->tls;
    if (tls->output != OUTPUT_OPEN)
        return;
    tls->output = OUTPUT_LAST;
    if (!must_wait(tls))
        say_goodbye(tls);
}

void tls_stream_finish(struct stream *s, uint64_t linger_ms)
{
    struct tls *tls = s->tls;
    tls->closing = true;
    tls->linger_until_ms = loop_now_ms(stream_loop(s)) + linger_ms;
    if (tls->queue.bytes == 0) {
        say_goodbye(tls);
        return;
    }
    tls->output = OUTPUT_LAST;
    timer_start(stream_loop(s), &tls->linger, linger_ms);
}

void tls_stream_close(struct stream *s)
{
    struct tls *tls = s->tls;
    tls->closing = true;
    timer_stop(&tls->later);
    timer_stop(&tls->linger);
    if (tls->alerted)
        io_finish(&s->io, ALERT_LINGER_MS);
    else
        io_close(&s->io);
}

static void lingered(struct timer *timer)
{
    tls_stream_close(container_of(timer, struct tls, linger)->stream);
}

/* ---- input ---- */

static void end(struct stream *s, int error)
{
    struct tls *tls = s->tls;
    if (tls->closing) {
        tls_stream_close(s);
        return;
    }
    enum input next = error ? INPUT_FAILED : INPUT_ENDED;
    if (tls->input >= next)
        return;
    tls->input = next;
    s->ops->on_end(s, error);
}

static void fail(struct stream *s)
{
    struct tls *tls = s->tls;
    remember_why(tls);
    tls->alerted = true;
    end(s, -EPROTO);
}

/* False if the SSL takes no more: it wants more bytes, or the end has come. */
static bool stopped(struct stream *s, int result)
{
    switch (SSL_get_error(s->tls->ssl, result)) {
    case SSL_ERROR_NONE:
        return false;
    case SSL_ERROR_WANT_READ:
        return true;
    case SSL_ERROR_ZERO_RETURN:
        end(s, 0);
        return true;
    default:
        fail(s);
        return true;
    }
}

static bool handshake(struct stream *s)
{
    struct tls *tls = s->tls;
    ERR_clear_error();
    if (stopped(s, SSL_do_handshake(tls->ssl)))
        return false;
    tls->handshaking = false;
    if (tls->queue.bytes > 0 || tls->output == OUTPUT_LAST)
        feed(tls);
    if (tls->paused && !tls->closing)
        io_pause(&s->io);
    return true;
}

static bool read_record(struct stream *s)
{
    char plain[RECORD_MAX];
    ERR_clear_error();
    int n = SSL_read(s->tls->ssl, plain, sizeof(plain));
    if (stopped(s, n))
        return false;
    s->ops->on_recv(s, (struct bytes){plain, (size_t)n});
    return true;
}

static int keep_rest(struct tls *tls)
{
    if (tls->in.len == 0 || tls->input != INPUT_OPEN)
        return 0;
    char *kept = malloc(tls->in.len);
    if (!kept)
        return -ENOMEM;
    memcpy(kept, tls->in.ptr, tls->in.len);
    tls->kept = kept;
    tls->kept_len = tls->in.len;
    tls->in = SLICE_NONE;
    return 0;
}

static bool belongs(const struct stream *s, const struct tls *tls)
{
    return s->tls == tls && (!tls->closing || tls->handshaking);
}

/* The owner's callbacks may detach the stream: then `tls` is another thread's, and only `s`, which
 * is freed at the end of the turn, may be looked at. */
static void decrypt(struct stream *s, struct slice data)
{
    struct tls *tls = s->tls;
    tls->in = data;
    while (belongs(s, tls) && tls->input == INPUT_OPEN) {
        if (tls->handshaking) {
            if (!handshake(s))
                break;
        } else if (tls->paused || !read_record(s)) {
            break;
        }
    }
    if (!belongs(s, tls))
        return;
    if (keep_rest(tls) < 0)
        fail_later(tls, -ENOMEM);
    tls->in = SLICE_NONE;
}

void tls_stream_receive(struct stream *s, struct slice data)
{
    struct tls *tls = s->tls;
    if (tls->input != INPUT_OPEN || !belongs(s, tls))
        return;
    assert(!tls->kept);
    decrypt(s, data);
}

void tls_stream_ended(struct stream *s, int error)
{
    struct tls *tls = s->tls;
    if (tls->closing) {
        if (error)
            tls_stream_close(s);
        return;
    }
    if (error)
        end(s, error);
    else if (tls->kept)
        tls->io_ended = true;
    else if (tls->input == INPUT_OPEN)
        end(s, -ECONNRESET);
}

void tls_stream_pause(struct stream *s)
{
    s->tls->paused = true;
    if (!s->tls->handshaking)
        io_pause(&s->io);
}

void tls_stream_resume(struct stream *s)
{
    s->tls->paused = false;
    if (s->tls->kept)
        do_later(s->tls);
    else
        io_resume(&s->io);
}

static void decrypt_kept(struct stream *s)
{
    struct tls *tls = s->tls;
    char *kept = tls->kept;
    tls->kept = NULL;
    decrypt(s, slice_make(kept, tls->kept_len));
    free(kept);
    if (!belongs(s, tls) || tls->kept || tls->paused)
        return;
    if (tls->io_ended)
        end(s, -ECONNRESET);
    else
        io_resume(&s->io);
}

/* ---- between the two ---- */

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
        feed(tls);
    else
        tell_drained(s);
}

/* One thing a turn, as each may end the stream. */
static void later(struct timer *timer)
{
    struct tls *tls = container_of(timer, struct tls, later);
    struct stream *s = tls->stream;
    if (tls->error) {
        end(s, tls->error);
        return;
    }
    if (tls->kept && !tls->paused) {
        do_later(tls);
        decrypt_kept(s);
    } else if (tls->owes_drain && io_queued(&s->io) <= IO_CORKED_MAX) {
        tls_stream_drained(s); /* above that it comes from the io */
    }
}

void tls_stream_start(struct stream *s)
{
    struct tls *tls = s->tls;
    tls->stream = s;
    tls->paused = false;
    if (tls->kept)
        do_later(tls);
    else if (tls->handshaking && !SSL_is_server(tls->ssl))
        decrypt(s, SLICE_NONE);
}

int tls_stream_stop(struct stream *s)
{
    struct tls *tls = s->tls;
    if (tls->error)
        return -EBUSY;
    int error = keep_rest(tls);
    if (error)
        return error;
    timer_stop(&tls->later);
    tls->stream = NULL;
    return 0;
}
