/* SPDX-License-Identifier: MIT */
/* tls.h - what TLS connections have in common: certificate or keys, versions, trust. By OpenSSL.
 *
 * TLS 1.2 (ECDHE with AEAD only) and 1.3, ALPN http/1.1, session tickets, no renegotiation, no
 * compression. The context is shared by all workers; a stream keeps what the context held when it
 * began.
 *
 * Threads  Any.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/slice.h"

struct tls_context;

/* A server's context. The certificate file holds the whole chain, our own first. NULL with a
 * readable reason in `why` (at most `why_size` bytes): file missing, no certificate in it, key does
 * not match ... */
struct tls_context *tls_context_new(const char *cert_file, const char *key_file, char *why,
                                    size_t why_size);
/* A client's context, which trusts the CAs in `ca_file`, or with NULL the system's. Without `http`
 * it offers no protocol (ALPN), since a server may refuse a protocol that it does not know. */
struct tls_context *tls_context_new_client(const char *ca_file, bool http, char *why,
                                           size_t why_size);
/* For both ends of connections between machines that have a secret in common, in the place of
 * certificates: TLS 1.3 with pre-shared keys and an ephemeral exchange (RFC 8446, 2.2), without
 * tickets. The first key is offered, all are accepted; who has none of them, or shows a certificate
 * in its place, is refused, by either side. NULL with `why`. */
struct seal_keys;
struct tls_context *tls_context_new_keyed(const struct seal_keys *keys, char *why, size_t why_size);
/* New keys for such a context: connections from now on have them. */
int tls_context_use_keys(struct tls_context *c, const struct seal_keys *keys, char *why,
                         size_t why_size);
/* Whether it is such a context: its connections know no host. */
bool tls_context_is_keyed(const struct tls_context *c);
/* Before the context is used: what it shows to a peer that asks who it is. The certificate file
 * holds the whole chain, our own first. False with `why`. */
bool tls_context_identify(struct tls_context *c, const char *cert_file, const char *key_file,
                          char *why, size_t why_size);
void tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c); /* accepts NULL */

/* A server's context rereads both files, atomically for new connections; tickets from before are
 * answered by a full handshake. 0, or -EINVAL with `why`: the old certificate and key stay. */
int tls_context_reload(struct tls_context *c, const char *cert_file, const char *key_file,
                       char *why, size_t why_size);

#endif
