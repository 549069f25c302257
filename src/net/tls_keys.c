/* SPDX-License-Identifier: MIT */
#include "net/tls_keys.h"

#include "base/log.h"

#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NAME_BYTES = 8,
    NAME_LEN = 2 * NAME_BYTES
};

struct tls_key {
    unsigned char secret[SEAL_KEY_SIZE];
    char name[NAME_LEN + 1];
};

struct tls_keys {
    size_t count;
    struct tls_key keys[];
};

/* OpenSSL wants one where peers are verified. */
static const unsigned char context[] = "keys";

static int place = -1; /* of the keys in an SSL_CTX */

static void forget(struct tls_keys *keys)
{
    if (keys)
        explicit_bzero(keys, sizeof(*keys) + keys->count * sizeof(*keys->keys));
    free(keys);
}

static void context_ends(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number,
                         void *arg)
{
    (void)parent, (void)data, (void)index, (void)number, (void)arg;
    forget(pointer);
}

static void find_place(void)
{
    place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, context_ends);
}

static bool name_key(struct tls_key *k)
{
    static const char purpose[] = "httpsocket key name";
    unsigned char digest[SEAL_KEY_SIZE];
    unsigned len = sizeof(digest);
    if (!HMAC(EVP_sha256(), k->secret, SEAL_KEY_SIZE, (const unsigned char *)purpose,
              sizeof(purpose) - 1, digest, &len))
        return false;
    for (int i = 0; i < NAME_BYTES; i++)
        snprintf(k->name + 2 * i, 3, "%02x", digest[i]);
    return true;
}

static struct tls_keys *copy(const struct seal_keys *from)
{
    size_t count = seal_keys_count(from);
    struct tls_keys *keys = log_needed(calloc(1, sizeof(*keys) + count * sizeof(*keys->keys)));
    if (!keys)
        return NULL;
    for (; keys->count < count; keys->count++) {
        struct tls_key *k = &keys->keys[keys->count];
        if (seal_keys_get(from, keys->count, k->secret) && name_key(k))
            continue;
        forget(keys);
        return NULL;
    }
    return keys;
}

static const struct tls_keys *keys_of(SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place);
}

/* The hash of the session's cipher is that of the key; the connection may use another cipher of the
 * same hash. */
static SSL_SESSION *session_of(SSL *ssl, const struct tls_key *k)
{
    static const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
    SSL_SESSION *session = SSL_SESSION_new();
    if (session && SSL_SESSION_set1_master_key(session, k->secret, SEAL_KEY_SIZE) &&
        SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, aes_128_gcm_sha256)) &&
        SSL_SESSION_set1_id_context(session, context, sizeof(context) - 1) &&
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION))
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

/* As a client. `hash` is known when the server has asked for another hello: ours is SHA-256, as
 * that of all our ciphers. */
static int offer(SSL *ssl, const EVP_MD *hash, const unsigned char **name, size_t *len,
                 SSL_SESSION **session)
{
    const struct tls_key *k = &keys_of(ssl)->keys[0];
    *session = hash && !EVP_MD_is_a(hash, "SHA256") ? NULL : session_of(ssl, k);
    *name = (const unsigned char *)k->name;
    *len = NAME_LEN;
    return *session != NULL;
}

/* As a server. A name that nobody knows is no failure yet: then there is nothing else to shake
 * hands by. */
static int find(SSL *ssl, const unsigned char *name, size_t len, SSL_SESSION **session)
{
    const struct tls_keys *keys = keys_of(ssl);
    *session = NULL;
    for (size_t i = 0; len == NAME_LEN && i < keys->count; i++) {
        if (memcmp(keys->keys[i].name, name, NAME_LEN) != 0)
            continue;
        *session = session_of(ssl, &keys->keys[i]);
        return *session != NULL;
    }
    return 1;
}

bool tls_keys_use(SSL_CTX *ssl, const struct seal_keys *from)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_place);
    struct tls_keys *keys = copy(from);
    if (!keys || keys->count == 0 || place < 0 || !SSL_CTX_set_ex_data(ssl, place, keys)) {
        forget(keys);
        return false;
    }
    SSL_CTX_set_psk_use_session_callback(ssl, offer);
    SSL_CTX_set_psk_find_session_callback(ssl, find);
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL); /* no certificate is good: nobody is trusted */
    return SSL_CTX_set_session_id_context(ssl, context, sizeof(context) - 1) &&
           SSL_CTX_set_num_tickets(ssl, 0) && SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) &&
           SSL_CTX_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256");
}
