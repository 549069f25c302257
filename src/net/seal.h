/* SPDX-License-Identifier: MIT */
/* seal.h - seals bytes that somebody else keeps for us, so that nobody reads or changes them:
 * AES-256-GCM by OpenSSL.
 *
 *     version 1 | id of the key 4 | salt 16 | nonce 12 | ciphertext | tag 16
 *
 * The cipher's key is HMAC-SHA-256(key, salt). A sealer draws its salt once and counts its nonces,
 * so that none comes twice, however many machines seal by one key: a random nonce is good for 2^32
 * seals of one key and no more. The id of a key is the beginning of its HMAC of a constant.
 *
 * Lifetime  Keys are filled, and then never changed; they live until their last reference.
 * Threads   Keys: any. A sealer belongs to one.
 * Cost      Of a seal one allocation of OpenSSL's; of an opening one HMAC more.
 */
#ifndef NET_SEAL_H
#define NET_SEAL_H

#include "base/slice.h"

enum {
    SEAL_KEY_SIZE = 32,
    SEAL_ID_SIZE = 4,
    SEAL_SALT_SIZE = 16,
    SEAL_NONCE_SIZE = 12,
    SEAL_TAG_SIZE = 16,
    SEAL_HEAD_SIZE = 1 + SEAL_ID_SIZE + SEAL_SALT_SIZE + SEAL_NONCE_SIZE,
    SEAL_OVERHEAD = SEAL_HEAD_SIZE + SEAL_TAG_SIZE
};

struct pack;
struct seal_keys;

/* None yet; NULL without memory. */
struct seal_keys *seal_keys_new(void);
/* The first one seals, all open. False without memory. */
bool seal_keys_add(struct seal_keys *keys, const unsigned char key[SEAL_KEY_SIZE]);
/* For the process that takes over: the keys, one after the other. False without memory. */
void seal_keys_pack(const struct seal_keys *keys, uint32_t tag, struct pack *p);
bool seal_keys_unpack(struct seal_keys *keys, uint32_t tag, struct slice in);
size_t seal_keys_count(const struct seal_keys *keys);
/* As many keys for another purpose, from which nobody learns these: HMAC-SHA-256(key, purpose).
 * NULL without memory. */
struct seal_keys *seal_keys_derive(const struct seal_keys *keys, const char *purpose);
/* Copies one of them. False: there are not so many. */
bool seal_keys_get(const struct seal_keys *keys, size_t index, unsigned char ret[SEAL_KEY_SIZE]);
struct seal_keys *seal_keys_ref(struct seal_keys *keys);
void seal_keys_unref(struct seal_keys *keys); /* accepts NULL */

struct sealer {
    struct seal_keys *keys; /* a reference; NULL: nothing is sealed or opened */
    unsigned char salt[SEAL_SALT_SIZE];
    unsigned char key[SEAL_KEY_SIZE]; /* of the cipher, for this salt */
    uint64_t nonces;
};

/* Takes a reference to these keys (NULL: none) in the place of those before. 0 or a negative errno:
 * then all is as it was. */
int sealer_use(struct sealer *s, struct seal_keys *keys);
void sealer_done(struct sealer *s);

/* Seals `plain`, which is bound to `context`. `out` has room for plain.len + SEAL_OVERHEAD bytes.
 * False: there are no keys, or OpenSSL has no memory. */
bool seal(struct sealer *s, struct slice context, struct slice plain, unsigned char *out);

enum seal_verdict {
    SEAL_OPENED,
    SEAL_MALFORMED,   /* too short, or of another version */
    SEAL_UNKNOWN_KEY, /* none of ours */
    SEAL_FORGED,      /* changed, or bound to something else */
    SEAL_NO_MEMORY
};

/* `out` has room for sealed.len bytes; its contents mean something only if it is SEAL_OPENED: then
 * sealed.len - SEAL_OVERHEAD of them. */
enum seal_verdict seal_open(const struct sealer *s, struct slice context, struct slice sealed,
                            unsigned char *out);

#endif
