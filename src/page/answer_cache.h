/* SPDX-License-Identifier: MIT */
/* answer_cache.h - what an answer that carries a session says to caches (RFC 9111, RFC 9213).
 *
 * Whoever is given a kept copy of it has the session of the first one who asked. So no shared cache
 * may keep it, whatever the program says; what it says to the browser's own cache stands.
 */
#ifndef PAGE_ANSWER_CACHE_H
#define PAGE_ANSWER_CACHE_H

#include "proto/http_head.h"

/* Takes what would let a shared cache keep the answer out of `headers`, and puts in their place
 * that none may. The array has room for one more. Returns how many there are. The log says once for
 * each program that its wish was not followed. */
size_t answer_cache_private(struct slice file, struct http_header *headers, size_t count);

#endif
