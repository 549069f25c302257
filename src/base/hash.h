/* SPDX-License-Identifier: MIT */
/* hash.h - a keyed hash (SipHash-1-3) for tables whose keys peers choose: they can't aim for
 * collisions.
 *
 * The key is drawn once a process from getrandom(2).
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

/* The same bytes give the same value in one process, and another one in the next. */
uint64_t hash_bytes(struct slice data);

/* The algorithm itself, with two words of key: for the test vectors. */
uint64_t hash_siphash13(const uint64_t key[2], struct slice data);

#endif
