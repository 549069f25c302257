/* SPDX-License-Identifier: MIT */
/* rates.h - limits on how often: token buckets, one for each key, in a table of fixed size.
 *
 * A bucket holds up to `burst` tokens and gains `per_minute` of them a minute; each action takes
 * one. A key that is not in the table has a full bucket. When a set of 8 is full, the fullest
 * bucket is replaced, since it matters least: memory is bounded under any flood, and the busiest
 * keys stay counted.
 *
 * Threads  Any: striped locks; one table serves every worker.
 * Cost     One hash and one or two cache lines.
 */
#ifndef LIMITS_RATES_H
#define LIMITS_RATES_H

#include "base/slice.h"
#include "limits/kind.h"

struct pack;
struct tally;

struct rates;

struct rate {
    uint32_t per_minute; /* 0: no limit */
    uint32_t burst;      /* at least 1 */
};

#define RATE_EXPECTED "a rate PER_MINUTE or PER_MINUTE,BURST, each from 1 to 1000000, or off"
/* False and *ret untouched for anything else. */
bool rate_parse(struct slice text, struct rate *ret);

struct rates *rates_new(size_t entries);
void rates_free(struct rates *rates);
size_t rates_bytes(const struct rates *rates);
/* For the process that takes over, which has the same key of hashes. */
void rates_pack(const struct rates *rates, uint32_t tag, struct pack *p);
void rates_unpack(struct rates *rates, struct slice entries);

/* ---- shared with other servers: their hashes have the same key (hash_shared) ---- */

/* What is taken from now on is counted there too (borrowed), for others to know. Not
 * LIMIT_RECHECKS: each server has these for itself. Before threads take anything; NULL: nowhere.
 */
void rates_tally(struct rates *rates, struct tally *tally);
/* Others have taken of the bucket: `taken_us` is how long it needs to gain that, `whole_us` to gain
 * all that it holds. */
void rates_put(struct rates *rates, uint64_t hash, uint64_t taken_us, uint64_t whole_us,
               uint64_t now_ms);

/* Takes a token of the bucket of `kind` and `key`. Returns 0, or the seconds, rounded up, until an
 * empty bucket has a token again. */
uint32_t rates_take(struct rates *rates, const struct rate *rate, enum limit_kind kind,
                    struct slice key, uint64_t now_ms);

#endif
