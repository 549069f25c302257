/* SPDX-License-Identifier: MIT */
#include "net/seal.h"

#include "base/log.h"
#include "base/pack.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#define VERSION 1

struct seal_key {
    struct seal_key *next;
    unsigned char key[SEAL_KEY_SIZE];
    unsigned char id[SEAL_ID_SIZE];
};

struct seal_keys {
    atomic_uint refs;
    struct seal_key *first, *last;
};

/* Where the parts of a seal begin. */
enum {
    AT_ID = 1,
    AT_SALT = AT_ID + SEAL_ID_SIZE,
    AT_NONCE = AT_SALT + SEAL_SALT_SIZE
};

static bool hmac(const unsigned char key[SEAL_KEY_SIZE], const void *data, size_t len,
                 unsigned char ret[SEAL_KEY_SIZE])
{
    unsigned size = SEAL_KEY_SIZE;
    return HMAC(EVP_sha256(), key, SEAL_KEY_SIZE, data, len, ret, &size) && size == SEAL_KEY_SIZE;
}

/* ---- keys ---- */

struct seal_keys *seal_keys_new(void)
{
    struct seal_keys *keys = log_needed(calloc(1, sizeof(*keys)));
    if (keys)
        atomic_init(&keys->refs, 1);
    return keys;
}

bool seal_keys_add(struct seal_keys *keys, const unsigned char key[SEAL_KEY_SIZE])
{
    static const char name[] = "httpsocket state key";
    unsigned char digest[SEAL_KEY_SIZE];
    struct seal_key *k = log_needed(calloc(1, sizeof(*k)));
    if (!k || !hmac(key, name, sizeof(name) - 1, digest)) {
        free(k);
        return false;
    }
    memcpy(k->key, key, SEAL_KEY_SIZE);
    memcpy(k->id, digest, SEAL_ID_SIZE);
    if (keys->last)
        keys->last->next = k;
    else
        keys->first = k;
    keys->last = k;
    return true;
}

void seal_keys_pack(const struct seal_keys *keys, uint32_t tag, struct pack *p)
{
    for (const struct seal_key *k = keys->first; k; k = k->next)
        pack_slice(p, tag, slice_make((const char *)k->key, SEAL_KEY_SIZE));
}

bool seal_keys_unpack(struct seal_keys *keys, uint32_t tag, struct slice in)
{
    bool good = true;
    for (struct packed field; good && packed_next(&in, &field);)
        if (field.tag == tag && field.value.len == SEAL_KEY_SIZE)
            good = seal_keys_add(keys, (const unsigned char *)field.value.ptr);
    return good;
}

size_t seal_keys_count(const struct seal_keys *keys)
{
    size_t count = 0;
    for (const struct seal_key *k = keys->first; k; k = k->next)
        count++;
    return count;
}

struct seal_keys *seal_keys_derive(const struct seal_keys *keys, const char *purpose)
{
    struct seal_keys *derived = seal_keys_new();
    unsigned char key[SEAL_KEY_SIZE];
    bool good = derived;
    for (const struct seal_key *k = keys->first; good && k; k = k->next)
        good = hmac(k->key, purpose, strlen(purpose), key) && seal_keys_add(derived, key);
    explicit_bzero(key, sizeof(key));
    if (good)
        return derived;
    seal_keys_unref(derived);
    return NULL;
}

bool seal_keys_get(const struct seal_keys *keys, size_t index, unsigned char ret[SEAL_KEY_SIZE])
{
    const struct seal_key *k = keys->first;
    for (; k && index > 0; index--)
        k = k->next;
    if (k)
        memcpy(ret, k->key, SEAL_KEY_SIZE);
    return k;
}

struct seal_keys *seal_keys_ref(struct seal_keys *keys)
{
    if (keys)
        atomic_fetch_add(&keys->refs, 1);
    return keys;
}

void seal_keys_unref(struct seal_keys *keys)
{
    if (!keys || atomic_fetch_sub(&keys->refs, 1) > 1)
        return;
    for (struct seal_key *next, *k = keys->first; k; k = next) {
        next = k->next;
        explicit_bzero(k, sizeof(*k));
        free(k);
    }
    free(keys);
}

/* ---- who seals ---- */

int sealer_use(struct sealer *s, struct seal_keys *keys)
{
    struct sealer now = {.keys = keys};
    if (keys && getrandom(now.salt, sizeof(now.salt), 0) != sizeof(now.salt))
        return -EAGAIN; /* a sandbox that forbids it */
    if (keys && keys->first && !hmac(keys->first->key, now.salt, sizeof(now.salt), now.key))
        return -ENOMEM;
    seal_keys_ref(keys);
    sealer_done(s);
    *s = now;
    explicit_bzero(now.key, sizeof(now.key));
    return 0;
}

void sealer_done(struct sealer *s)
{
    seal_keys_unref(s->keys);
    explicit_bzero(s, sizeof(*s));
}

/* ---- the cipher ---- */

static bool begin(EVP_CIPHER_CTX *c, const unsigned char *key, const unsigned char *nonce,
                  const unsigned char *head, struct slice context, int encrypts)
{
    int len;
    return context.len <= INT_MAX &&
           EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, encrypts) == 1 &&
           EVP_CipherUpdate(c, NULL, &len, head, SEAL_HEAD_SIZE) == 1 &&
           EVP_CipherUpdate(c, NULL, &len, (const unsigned char *)context.ptr, (int)context.len) ==
               1;
}

/* Without an address to write to, OpenSSL takes bytes for associated data: `out` is never NULL. */
static bool update(EVP_CIPHER_CTX *c, struct slice in, unsigned char *out)
{
    int len;
    return in.len == 0 ||
           (in.len <= INT_MAX &&
            EVP_CipherUpdate(c, out, &len, (const unsigned char *)in.ptr, (int)in.len) == 1);
}

static void write_nonce(uint64_t number, unsigned char ret[SEAL_NONCE_SIZE])
{
    memset(ret, 0, SEAL_NONCE_SIZE);
    for (int i = 0; i < 8; i++)
        ret[SEAL_NONCE_SIZE - 1 - i] = (unsigned char)(number >> 8 * i);
}

bool seal(struct sealer *s, struct slice context, struct slice plain, unsigned char *out)
{
    unsigned char *body = out + SEAL_HEAD_SIZE;
    int len;
    if (!s->keys || !s->keys->first)
        return false;
    EVP_CIPHER_CTX *c = log_needed(EVP_CIPHER_CTX_new());
    out[0] = VERSION;
    memcpy(out + AT_ID, s->keys->first->id, SEAL_ID_SIZE);
    memcpy(out + AT_SALT, s->salt, SEAL_SALT_SIZE);
    write_nonce(s->nonces++, out + AT_NONCE);
    bool good = c && begin(c, s->key, out + AT_NONCE, out, context, 1) && update(c, plain, body) &&
                EVP_CipherFinal_ex(c, body + plain.len, &len) == 1 &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE, body + plain.len) == 1;
    EVP_CIPHER_CTX_free(c);
    return good;
}

static const struct seal_key *find_key(const struct seal_keys *keys, const unsigned char *id)
{
    for (const struct seal_key *k = keys ? keys->first : NULL; k; k = k->next)
        if (memcmp(k->id, id, SEAL_ID_SIZE) == 0)
            return k;
    return NULL;
}

static enum seal_verdict open_with(const unsigned char *key, struct slice context,
                                   struct slice sealed, unsigned char *out)
{
    const unsigned char *in = (const unsigned char *)sealed.ptr;
    unsigned char tag[SEAL_TAG_SIZE];
    int len;
    struct slice body = slice_make(sealed.ptr + SEAL_HEAD_SIZE, sealed.len - SEAL_OVERHEAD);
    memcpy(tag, body.ptr + body.len, SEAL_TAG_SIZE);
    EVP_CIPHER_CTX *c = log_needed(EVP_CIPHER_CTX_new());
    enum seal_verdict verdict = SEAL_NO_MEMORY;
    if (c && begin(c, key, in + AT_NONCE, in, context, 0) && update(c, body, out) &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE, tag) == 1)
        verdict = EVP_CipherFinal_ex(c, out + body.len, &len) == 1 ? SEAL_OPENED : SEAL_FORGED;
    EVP_CIPHER_CTX_free(c);
    return verdict;
}

enum seal_verdict seal_open(const struct sealer *s, struct slice context, struct slice sealed,
                            unsigned char *out)
{
    const unsigned char *in = (const unsigned char *)sealed.ptr;
    unsigned char key[SEAL_KEY_SIZE];
    if (sealed.len < SEAL_OVERHEAD || in[0] != VERSION)
        return SEAL_MALFORMED;
    const struct seal_key *k = find_key(s->keys, in + AT_ID);
    if (!k)
        return SEAL_UNKNOWN_KEY;
    if (!hmac(k->key, in + AT_SALT, SEAL_SALT_SIZE, key))
        return SEAL_NO_MEMORY;
    enum seal_verdict verdict = open_with(key, context, sealed, out);
    explicit_bzero(key, sizeof(key));
    return verdict;
}
