/* SPDX-License-Identifier: MIT */
/* tls_keys.h - external pre-shared keys (RFC 8446, 4.2.11) of an SSL_CTX: for net/tls.c alone.
 *
 * A key is named by the beginning of a hash of it, so that the other side finds it among several.
 * The context owns copies of the keys, and its connections keep the context.
 */
#ifndef NET_TLS_KEYS_H
#define NET_TLS_KEYS_H

#include "net/seal.h"

#include <openssl/ssl.h>

/* False without memory, or without a key. */
bool tls_keys_use(SSL_CTX *ssl, const struct seal_keys *keys);

#endif
