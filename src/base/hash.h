/* SPDX-License-Identifier: MIT */
/* hash.h - a keyed hash (SipHash-1-3) for tables whose keys are chosen by peers: a peer can't
 * provoke collisions.
 *
 * The key is drawn once per process from getrandom(2). Servers that share what they count have one
 * more, which is the same in all of them.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

/* Equal bytes have equal values within one process. Another process gives them other values. */
uint64_t hash_bytes(struct slice data);
/* The key; and in the process that takes over, the same one, before anything is hashed. */
void hash_process_key(uint64_t ret[2]);
void hash_begin_with(const uint64_t key[2]);

/* Equal bytes have equal values in all servers that have the same shared key. Without one it is
 * hash_bytes(). */
uint64_t hash_shared(struct slice data);
/* From now on; any thread. What was kept under the values of before is not found any more. */
void hash_share(const uint64_t key[2]);
/* False: there is none. */
bool hash_shared_key(uint64_t ret[2]);

/* The bare algorithm with an explicit key of two words, for the test vectors. */
uint64_t hash_siphash13(const uint64_t key[2], struct slice data);

#endif
