/* SPDX-License-Identifier: MIT */
/* sealed.h - a program's state as its client keeps it: sealed (net/seal.h), with the time, and
 * bound to the origin and the path of its page.
 *
 *     seal( time in ms since 1970, 8 bytes, big-endian | form 1: 0 JSON, 1 bytes | the state )
 *
 * Pure but for the seal: the time is handed in.
 */
#ifndef SESSION_SEALED_H
#define SESSION_SEALED_H

#include "core/chunk.h"
#include "net/seal.h"

struct sealed_place {
    struct slice origin, path; /* of the page */
};

struct sealed_state {
    bool binary; /* the state is bytes, not JSON */
    struct slice state;
    uint64_t sealed_ms;
};

#define SEALED_OVERHEAD (SEAL_OVERHEAD + 9)

/* NULL without memory or keys. */
struct shared_bytes *sealed_make(struct sealer *s, const struct sealed_place *place,
                                 const struct sealed_state *state);

/* Opens what was made at most `age_ms` ago. NULL: the state is in *ret, and in *ret_bytes what
 * holds it, which is the caller's to free(). Otherwise why not, as a word for the log. */
const char *sealed_open(const struct sealer *s, const struct sealed_place *place,
                        struct slice sealed, uint64_t now_ms, uint64_t age_ms,
                        struct sealed_state *ret, char **ret_bytes);

/* Now, in ms since 1970. */
uint64_t sealed_clock_ms(void);

#endif
