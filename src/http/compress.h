/* SPDX-License-Identifier: MIT */
/* compress.h - bytes in a content coding, made by zlib and libbrotlienc.
 *
 * Threads  Any.
 * Memory   Besides input and result some 300 KiB for gzip, and up to 10 MiB for brotli.
 * Cost     Of 1 MiB of text some 20 ms (gzip, level 6; brotli, quality 5).
 */
#ifndef HTTP_COMPRESS_H
#define HTTP_COMPRESS_H

#include "http/encodings.h"

#include <stdatomic.h>

/* Writes `in` in this coding to `out`, of which `*len` bytes are room, and how much that is to
 * *len. Looks after each 64 KiB whether it is to stop. 0; -E2BIG: there is no room for it; -ENOMEM;
 * -ECANCELED. */
int compress_bytes(enum encoding encoding, struct slice in, char *out, size_t *len,
                   const atomic_bool *stop);
/* What the bytes depend on besides the input, for their tag: coding, level and the library's
 * version. Static text. */
const char *compress_mark(enum encoding encoding);

#endif
