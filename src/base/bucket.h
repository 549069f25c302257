/* SPDX-License-Identifier: MIT */
/* bucket.h - a token bucket, kept as the time when it will be full (the generic cell rate
 * algorithm): one number that needs no refilling. Zeroed: full.
 *
 * In microseconds, so that high rates don't round to nothing.
 */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdint.h>

/* Takes a token of a bucket that holds `burst` of them and gains one every `token_us`. Returns 0,
 * or the microseconds until an empty bucket has a token again. */
static inline uint64_t bucket_take(uint64_t *full_us, uint64_t token_us, uint64_t burst,
                                   uint64_t now_us)
{
    uint64_t full = *full_us > now_us ? *full_us : now_us;
    uint64_t ahead = full - now_us + token_us;
    if (ahead > token_us * burst)
        return ahead - token_us * burst;
    *full_us = full + token_us;
    return 0;
}

#endif
