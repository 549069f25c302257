/* SPDX-License-Identifier: MIT */
/* quota.h - how many at a time, by key: connections of one client, of one origin, to one target.
 *
 * Lifetime  Made before the threads that use it, freed after them; what is still held then is dead.
 * Threads   Any: one mutex, held for one probe.
 * Memory    16 B a key that holds something, at most half full; grows in doubling steps, and never
 *           shrinks. Keys are known by a keyed hash of 64 bits.
 */
#ifndef ACCESS_QUOTA_H
#define ACCESS_QUOTA_H

#include "base/slice.h"

struct quota;

/* One that is counted. Zeroed: none. */
struct quota_hold {
    uint64_t hash;
};

struct quota *quota_new(void); /* NULL without memory */
void quota_free(struct quota *q);

/* Counts one more under `key` of the caller's `kind`. False: there are `max` already, or there is no
 * memory for it. */
bool quota_take(struct quota *q, unsigned kind, struct slice key, uint32_t max,
                struct quota_hold *ret);
/* Of none: no effect. */
void quota_release(struct quota *q, struct quota_hold *hold);
/* For who keeps the key and not what quota_take() returned. */
struct quota_hold quota_hold_of(unsigned kind, struct slice key);
/* How many keys hold something. */
size_t quota_keys(struct quota *q);

#endif
