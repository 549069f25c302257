/* SPDX-License-Identifier: MIT */
#include "net/tls_stream.h"

#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

void tls_end(struct stream *s, int error)
{
    struct tls *tls = s->tls;
    if (tls->closing) {
        tls_stream_close(s);
        return;
    }
    enum tls_input next = error ? TLS_INPUT_FAILED : TLS_INPUT_ENDED;
    if (tls->input >= next)
        return;
    tls->input = next;
    s->ops->on_end(s, error);
}

static void fail(struct stream *s)
{
    struct tls *tls = s->tls;
    tls_remember_why(tls);
    tls->alerted = true;
    tls_end(s, -EPROTO);
}

/* ---- messages beside data ---- */

/* The rest of the input is taken away, since the SSL would read all that is there. */
void tls_on_message(int sent, int version, int type, const void *message, size_t len, SSL *ssl,
                    void *arg)
{
    struct tls *tls = arg;
    (void)version, (void)message, (void)len, (void)ssl;
    if (sent || type != SSL3_RT_HANDSHAKE || tls->handshaking)
        return;
    tls->chats |= ++tls->asides > TLS_ASIDES_MAX;
    if (tls->chats)
        tls->in = SLICE_NONE;
}

static void make_good(struct tls *tls, size_t data)
{
    if (tls->asides == 0)
        return;
    tls->between += (uint32_t)data;
    for (; tls->between >= TLS_ASIDE_DATA && tls->asides > 0; tls->asides--)
        tls->between -= TLS_ASIDE_DATA;
    if (tls->asides == 0)
        tls->between = 0;
}

/* False if the SSL takes no more: it wants more bytes, or the end has come. */
static bool stopped(struct stream *s, int result)
{
    if (s->tls->chats) {
        s->tls->why = "too many handshake messages beside data";
        tls_end(s, -EPROTO);
        return true;
    }
    switch (SSL_get_error(s->tls->ssl, result)) {
    case SSL_ERROR_NONE:
        return false;
    case SSL_ERROR_WANT_READ:
        return true;
    case SSL_ERROR_ZERO_RETURN:
        tls_end(s, 0);
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
    if (tls->queue.bytes > 0 || tls->output == TLS_OUTPUT_LAST)
        tls_feed(tls);
    if (tls->paused && !tls->closing)
        io_pause(&s->io);
    if (s->ops->on_secure)
        s->ops->on_secure(s);
    return true;
}

static bool read_record(struct stream *s)
{
    char plain[TLS_RECORD_MAX];
    struct bytes into = s->ops->lend ? s->ops->lend(s) : (struct bytes){NULL, 0};
    if (!into.len)
        into = (struct bytes){plain, sizeof(plain)};
    ERR_clear_error();
    int n = SSL_read(s->tls->ssl, into.ptr, (int)into.len);
    if (stopped(s, n))
        return false;
    make_good(s->tls, (size_t)n);
    s->ops->on_recv(s, (struct bytes){into.ptr, (size_t)n});
    return true;
}

int tls_keep_rest(struct tls *tls)
{
    if (tls->in.len == 0 || tls->input != TLS_INPUT_OPEN)
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
void tls_decrypt(struct stream *s, struct slice data)
{
    struct tls *tls = s->tls;
    tls->in = data;
    while (belongs(s, tls) && tls->input == TLS_INPUT_OPEN) {
        if (tls->handshaking) {
            if (!handshake(s))
                break;
        } else if (tls->paused || !read_record(s)) {
            break;
        }
    }
    if (!belongs(s, tls))
        return;
    if (tls_keep_rest(tls) < 0)
        tls_fail_later(tls, -ENOMEM);
    tls->in = SLICE_NONE;
}

/* ---- a client's first record ---- */

#define RECORD_HEAD      5
#define RECORD_HANDSHAKE 22

/* Whether more of a record is to come (RFC 8446, 5.1). What can't be the beginning of a handshake
 * is for the SSL to refuse. */
static bool wants_more(struct slice in)
{
    const unsigned char *head = (const unsigned char *)in.ptr;
    if (in.len < RECORD_HEAD)
        return in.len == 0 || head[0] == RECORD_HANDSHAKE;
    size_t len = (size_t)head[3] << 8 | head[4];
    return head[0] == RECORD_HANDSHAKE && len <= TLS_RECORD_MAX && in.len < RECORD_HEAD + len;
}

/* False without memory. */
static bool keep_hello(struct tls *tls, struct slice data)
{
    char *hello = realloc(tls->hello, tls->hello_len + data.len);
    if (!hello)
        return false;
    memcpy(hello + tls->hello_len, data.ptr, data.len);
    tls->hello = hello;
    tls->hello_len += data.len;
    return true;
}

static void begin(struct stream *s, struct slice first)
{
    struct tls *tls = s->tls;
    bool made = tls_make_ssl(tls, tls->context);
    tls_context_unref(tls->context);
    tls->context = NULL;
    if (!made) {
        tls_end(s, -ENOMEM);
        return;
    }
    SSL_set_accept_state(tls->ssl);
    if (s->ops->on_grown)
        s->ops->on_grown(s);
    tls_decrypt(s, first);
}

static void gather_hello(struct stream *s, struct slice data)
{
    struct tls *tls = s->tls;
    if (tls->hello_len == 0 && !wants_more(data)) {
        begin(s, data);
        return;
    }
    if (!keep_hello(tls, data)) {
        tls_end(s, -ENOMEM);
        return;
    }
    struct slice hello = slice_make(tls->hello, tls->hello_len);
    if (wants_more(hello))
        return;
    tls->hello = NULL;
    tls->hello_len = 0;
    begin(s, hello);
    free((char *)hello.ptr);
}

/* ---- from the io ---- */

void tls_stream_receive(struct stream *s, struct slice data)
{
    struct tls *tls = s->tls;
    if (tls->input != TLS_INPUT_OPEN || !belongs(s, tls))
        return;
    assert(!tls->kept);
    if (tls->context)
        gather_hello(s, data);
    else
        tls_decrypt(s, data);
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
        tls_end(s, error);
    else if (tls_has_input(tls))
        tls->io_ended = true;
    else if (tls->input == TLS_INPUT_OPEN)
        tls_end(s, -ECONNRESET);
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
    if (tls_has_input(s->tls))
        tls_do_later(s->tls);
    else
        io_resume(&s->io);
}

void tls_decrypt_kept(struct stream *s)
{
    struct tls *tls = s->tls;
    char *kept = tls->kept;
    tls->kept = NULL;
    tls_decrypt(s, slice_make(kept, kept ? tls->kept_len : 0));
    free(kept);
    if (!belongs(s, tls) || tls->kept || tls->paused)
        return;
    if (tls->io_ended)
        tls_end(s, -ECONNRESET);
    else
        io_resume(&s->io);
}
