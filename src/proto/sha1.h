/* SPDX-License-Identifier: MIT */
/* sha1.h - SHA-1 (RFC 3174) of 60 bytes: of a WebSocket's key and what is put behind it (RFC 6455,
 * 1.3). The handshake needs a hash that both sides compute, not a secure one.
 *
 * 60 bytes are two blocks, and the second one is always the same.
 *
 * Cost  No memory or lock: some 60 instructions where the processor has those for SHA-1, and
 *       otherwise some 2000.
 */
#ifndef PROTO_SHA1_H
#define PROTO_SHA1_H

#include "base/slice.h"

enum {
    SHA1_SIZE = 20,
    SHA1_TEXT = 60
};

typedef void sha1_fn(const char text[SHA1_TEXT], uint8_t ret[SHA1_SIZE]);

/* By the best of its twins, which is chosen at the first call. */
sha1_fn sha1_of_60;
sha1_fn sha1_of_60_plain;
#ifdef __x86_64__
sha1_fn sha1_of_60_shani; /* only where sha1_has_shani() */
bool sha1_has_shani(void);
#endif

#endif
