/* SPDX-License-Identifier: MIT */
/* hash.h - a keyed hash (SipHash-1-3) for tables whose keys are chosen by peers: a peer can't
 * provoke collisions.
 *
 * The key is drawn once per process from getrandom(2).
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

/* Equal bytes have equal values within one process. Another process gives them other values. */
uint64_t hash_bytes(struct slice data);
/* The key; and in the process that takes over, the same one, before anything is hashed. */
void hash_process_key(uint64_t ret[2]);
void hash_begin_with(const uint64_t key[2]);

/* The bare algorithm with an explicit key of two words, for the test vectors. */
uint64_t hash_siphash13(const uint64_t key[2], struct slice data);

#endif
