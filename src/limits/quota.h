/* SPDX-License-Identifier: MIT */
/* quota.h - limits on how many exist at a time, by kind and key: connections of one client,
 * sessions of one client.
 *
 * Lifetime  Made before the threads that use it, freed after them; no hold may be released after
 *           that.
 * Threads   Any: one mutex, held for one probe.
 * Memory    16 B for each key that holds something, at most half full; grows in doubling steps, and
 *           never shrinks. Keys are known by a keyed hash of 64 bits.
 */
#ifndef LIMITS_QUOTA_H
#define LIMITS_QUOTA_H

#include "base/slice.h"
#include "limits/kind.h"

struct quota;

/* One counted thing. Zeroed: none. */
struct quota_hold {
    uint64_t hash;
};

struct quota *quota_new(void); /* NULL without memory */
void quota_free(struct quota *q);

/* Counts one more of `kind` under `key`. False: there are `max` already, or there is no memory for
 * one more key. */
bool quota_take(struct quota *q, enum limit_kind kind, struct slice key, uint32_t max,
                struct quota_hold *ret);
/* As quota_take(), for a hold of quota_hold_of(). */
bool quota_take_hold(struct quota *q, const struct quota_hold *hold, uint32_t max);
/* So many at once, or none. */
bool quota_take_many(struct quota *q, const struct quota_hold *hold, uint32_t n, uint32_t max);
/* `n` of those that were taken. */
void quota_release_many(struct quota *q, const struct quota_hold *hold, uint32_t n);
/* How many there are of this kind and key. */
uint32_t quota_count(struct quota *q, const struct quota_hold *hold);
/* No effect if `hold` is none. */
void quota_release(struct quota *q, struct quota_hold *hold);
/* One of a thing that many clients share, such as a target. Zeroed: none. */
struct quota_share {
    struct quota_hold all, client, clients;
};

/* Counts one more of `kind` under `key`, for `client`. A client that has none gets one while fewer
 * than `max` clients have one. Whoever has some gets one more up to what is left of `max`, so that
 * N greedy ones leave as much free as each of them has; alone a client has all. So there are fewer
 * than twice `max` in all, and more than `max` only while clients with one each stand beside others
 * with more. False: no more for this client, or no memory for more keys. */
bool quota_take_share(struct quota *q, enum limit_kind kind, struct slice key, struct slice client,
                      uint32_t max, struct quota_share *ret);
/* No effect if `share` is none. */
void quota_release_share(struct quota *q, struct quota_share *share);
/* For a caller that has kept the key instead of the hold. */
struct quota_hold quota_hold_of(enum limit_kind kind, struct slice key);
/* How many keys hold something. */
size_t quota_keys(struct quota *q);

#endif
