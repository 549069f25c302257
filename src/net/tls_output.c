/* SPDX-License-Identifier: MIT */
#include "net/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <unistd.h>

enum {
    FEED_MAX = 64 * 1024,   /* that may wait in the io while a file is being read */
    FEED_TURN = 256 * 1024, /* what one stream encrypts before the others' turn */
    ALERT_LINGER_MS = 1000, /* for the alert that says why we close */
};

static void encrypt(struct tls *tls, const char *data, size_t len)
{
    size_t written;
    ERR_clear_error();
    if (tls->error || SSL_write_ex(tls->ssl, data, len, &written) == 1)
        return;
    tls_remember_why(tls);
    tls_fail_later(tls, -EPROTO);
}

/* Whole records straight from a piece; what is smaller is gathered first, so that a head and its
 * payload are one record. */
static void encrypt_pieces(struct tls *tls, const struct iovec *pieces, int count)
{
    char record[TLS_RECORD_MAX];
    size_t held = 0;
    for (int i = 0; i < count; i++) {
        struct slice rest = slice_make(pieces[i].iov_base, pieces[i].iov_len);
        while (rest.len > 0) {
            size_t n = TLS_RECORD_MAX - held < rest.len ? TLS_RECORD_MAX - held : rest.len;
            if (held == 0 && (n == TLS_RECORD_MAX || i == count - 1)) {
                encrypt(tls, rest.ptr, n);
            } else {
                memcpy(record + held, rest.ptr, n);
                held += n;
            }
            if (held == TLS_RECORD_MAX) {
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
    if (tls->output != TLS_OUTPUT_DONE && !tls->handshaking && !tls->alerted) {
        ERR_clear_error();
        SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
    tls->output = TLS_OUTPUT_DONE;
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

void tls_feed(struct tls *tls)
{
    char record[TLS_RECORD_MAX];
    size_t left = FEED_TURN;
    while (!tls->error && tls->queue.bytes > 0 && left > 0 &&
           io_queued(&tls->stream->io) < FEED_MAX) {
        ssize_t n = tls_queue_take(&tls->queue, record, sizeof(record));
        left -= sizeof(record);
        if (n < 0)
            tls_fail_later(tls, (int)n);
        else
            encrypt(tls, record, (size_t)n);
    }
    if (tls->queue.bytes == 0 && tls->output == TLS_OUTPUT_LAST)
        say_goodbye(tls);
    else if (tls->owes_drain)
        tls_do_later(tls); /* the io owes no on_drain for what leaves at once */
}

static bool must_wait(const struct tls *tls)
{
    return tls->handshaking || tls->queue.bytes > 0;
}

static bool may_write(const struct tls *tls)
{
    return tls->output == TLS_OUTPUT_OPEN && !tls->error && !tls->alerted;
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
        tls_fail_later(tls, error);
}

void tls_stream_write_part(struct stream *s, struct shared_bytes *shared, size_t at, size_t len)
{
    struct tls *tls = s->tls;
    if (!may_write(tls))
        return;
    bool waits = must_wait(tls);
    int error = tls_queue_add_shared(&tls->queue, shared, at, len);
    tls->owes_drain = true;
    if (error)
        tls_fail_later(tls, error);
    else if (!waits)
        tls_feed(tls);
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
        tls_fail_later(tls, error);
    else if (!waits)
        tls_feed(tls);
}

void tls_stream_shutdown(struct stream *s)
{
    struct tls *tls = s->tls;
    if (tls->output != TLS_OUTPUT_OPEN)
        return;
    tls->output = TLS_OUTPUT_LAST;
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
    tls->output = TLS_OUTPUT_LAST;
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

void tls_lingered(struct timer *timer)
{
    tls_stream_close(container_of(timer, struct tls, linger)->stream);
}
