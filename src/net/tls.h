/* tls.h - TLS by OpenSSL: the server's context; records in memory, bytes over io.
 *
 * TLS 1.2 and 1.3, ALPN http/1.1, session tickets, SSL_MODE_RELEASE_BUFFERS. The context is shared by all workers and replaced whole on reload: streams hold
 * a reference to the one that they began with.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/slice.h"

struct tls_context;

/* NULL with a readable reason in `why` (at most `why_size` bytes): file missing, no certificate in it, key does not match ... */
struct tls_context *tls_context_new(const char *cert_file, const char *key_file, char *why, size_t why_size);
void tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c);
/* Rereads both files into the same context, atomically for new connections. 0, or -EINVAL with `why`: the old ones stay. Any thread. */
int tls_context_reload(struct tls_context *c, const char *cert_file, const char *key_file, char *why, size_t why_size);

#endif
