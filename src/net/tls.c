/* SPDX-License-Identifier: MIT */
#include "net/tls_stream.h"

#include "base/input_file.h"
#include "base/log.h"
#include "net/tls.h"
#include "net/tls_keys.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct tls_context {
    atomic_uint refs;
    pthread_mutex_t lock; /* for `ssl` */
    SSL_CTX *ssl;
    bool keyed;
};

static const unsigned char alpn[] = "\x08http/1.1";

static const char *reason_of(unsigned long error)
{
    return ERR_SYSTEM_ERROR(error) ? strerrordesc_np(ERR_GET_REASON(error))
                                   : ERR_reason_error_string(error);
}

static void explain(char *why, size_t size, const char *what, const char *file)
{
    const char *reason = reason_of(ERR_peek_error());
    snprintf(why, size, "%s%s%s: %s", what, file ? " " : "", file ? file : "",
             reason ? reason : "unknown error");
    ERR_clear_error();
}

/* RFC 7301, 3.2: a client that offers protocols, none of them ours, gets a fatal alert. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, alpn, sizeof(alpn) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_common(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets need none */
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20");
}

static bool waits(const char *what, const char *file, char *why, size_t size)
{
    bool it_does = input_file_waits(file);
    if (it_does)
        snprintf(why, size, "%s %s: " INPUT_FILE_WAITS, what, file);
    return it_does;
}

static bool use_certificate(SSL_CTX *ssl, const char *file)
{
    struct input_file found;
    input_file_find(&found, file);
    bool used = SSL_CTX_use_certificate_chain_file(ssl, found.path) == 1;
    input_file_done(&found);
    return used;
}

static bool use_key(SSL_CTX *ssl, const char *file)
{
    struct input_file found;
    input_file_find(&found, file);
    bool used = SSL_CTX_use_PrivateKey_file(ssl, found.path, SSL_FILETYPE_PEM) == 1 &&
                SSL_CTX_check_private_key(ssl) == 1;
    input_file_done(&found);
    return used;
}

static bool trust_file(SSL_CTX *ssl, const char *file)
{
    struct input_file found;
    input_file_find(&found, file);
    bool used = SSL_CTX_load_verify_file(ssl, found.path) == 1;
    input_file_done(&found);
    return used;
}

static bool identify(SSL_CTX *ssl, const char *cert_file, const char *key_file, char *why,
                     size_t size)
{
    if (waits("certificate", cert_file, why, size) || waits("key", key_file, why, size))
        return false;
    if (!use_certificate(ssl, cert_file)) {
        explain(why, size, "certificate", cert_file);
        return false;
    }
    if (!use_key(ssl, key_file)) {
        explain(why, size, "key", key_file);
        return false;
    }
    return true;
}

static SSL_CTX *make_server(const char *cert_file, const char *key_file, char *why, size_t size)
{
    ERR_clear_error();
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
    if (!ssl || !set_common(ssl)) {
        explain(why, size, "TLS", NULL);
        goto fail;
    }
    if (!identify(ssl, cert_file, key_file, why, size))
        goto fail;
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    return ssl;

fail:
    SSL_CTX_free(ssl);
    return NULL;
}

static SSL_CTX *make_client(const char *ca_file, bool http, char *why, size_t size)
{
    ERR_clear_error();
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
    if (!ssl || !set_common(ssl) ||
        (http && SSL_CTX_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1) != 0)) {
        explain(why, size, "TLS", NULL);
        goto fail;
    }
    if (ca_file && waits("trusted certificates", ca_file, why, size))
        goto fail;
    bool trusted = ca_file ? trust_file(ssl, ca_file) : SSL_CTX_set_default_verify_paths(ssl) == 1;
    if (!trusted) {
        explain(why, size, "trusted certificates", ca_file ? ca_file : "of the system");
        goto fail;
    }
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    return ssl;

fail:
    SSL_CTX_free(ssl);
    return NULL;
}

/* Takes `ssl`, which may be NULL. */
static struct tls_context *wrap(SSL_CTX *ssl, char *why, size_t size)
{
    if (!ssl)
        return NULL;
    struct tls_context *c = log_needed(calloc(1, sizeof(*c)));
    if (!c) {
        SSL_CTX_free(ssl);
        snprintf(why, size, "no memory");
        return NULL;
    }
    c->refs = 1;
    c->ssl = ssl;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

struct tls_context *tls_context_new(const char *cert_file, const char *key_file, char *why,
                                    size_t why_size)
{
    return wrap(make_server(cert_file, key_file, why, why_size), why, why_size);
}

struct tls_context *tls_context_new_client(const char *ca_file, bool http, char *why,
                                           size_t why_size)
{
    return wrap(make_client(ca_file, http, why, why_size), why, why_size);
}

static SSL_CTX *make_keyed(const struct seal_keys *keys, char *why, size_t size)
{
    ERR_clear_error();
    SSL_CTX *ssl = SSL_CTX_new(TLS_method());
    if (ssl && set_common(ssl) && tls_keys_use(ssl, keys))
        return ssl;
    explain(why, size, "TLS by keys", NULL);
    SSL_CTX_free(ssl);
    return NULL;
}

struct tls_context *tls_context_new_keyed(const struct seal_keys *keys, char *why, size_t why_size)
{
    struct tls_context *c = wrap(make_keyed(keys, why, why_size), why, why_size);
    if (c)
        c->keyed = true;
    return c;
}

bool tls_context_is_keyed(const struct tls_context *c)
{
    return c->keyed;
}

bool tls_context_identify(struct tls_context *c, const char *cert_file, const char *key_file,
                          char *why, size_t why_size)
{
    ERR_clear_error();
    return identify(c->ssl, cert_file, key_file, why, why_size);
}

void tls_context_ref(struct tls_context *c)
{
    atomic_fetch_add(&c->refs, 1);
}

void tls_context_unref(struct tls_context *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    SSL_CTX_free(c->ssl);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Takes `ssl`; NULL: -EINVAL. */
static int replace(struct tls_context *c, SSL_CTX *ssl)
{
    if (!ssl)
        return -EINVAL;
    pthread_mutex_lock(&c->lock);
    SSL_CTX *old = c->ssl;
    c->ssl = ssl;
    pthread_mutex_unlock(&c->lock);
    SSL_CTX_free(old);
    return 0;
}

int tls_context_reload(struct tls_context *c, const char *cert_file, const char *key_file,
                       char *why, size_t why_size)
{
    return replace(c, make_server(cert_file, key_file, why, why_size));
}

int tls_context_use_keys(struct tls_context *c, const struct seal_keys *keys, char *why,
                         size_t why_size)
{
    return replace(c, make_keyed(keys, why, why_size));
}

SSL *tls_context_session(struct tls_context *c)
{
    pthread_mutex_lock(&c->lock);
    SSL *ssl = SSL_new(c->ssl);
    pthread_mutex_unlock(&c->lock);
    return ssl;
}
