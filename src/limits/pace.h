/* SPDX-License-Identifier: MIT */
/* pace.h - whether what comes or goes keeps a least rate.
 *
 * Time is cut into windows. In a window that ends, as many bytes must have moved as the least rate
 * brings in that time. A window ends with the first look after its time, so a burst and a pause
 * within one window are as good as a steady flow.
 *
 * Pure.
 */
#ifndef LIMITS_PACE_H
#define LIMITS_PACE_H

#include "base/slice.h"

struct pace {
    uint64_t began_ms; /* of the window */
    uint64_t moved;    /* bytes in the window */
};

static inline void pace_begin(struct pace *p, uint64_t now_ms)
{
    *p = (struct pace){.began_ms = now_ms};
}

/* That many bytes move in `ms` at least. `rate`: bytes a second; 0: any rate will do. */
static inline uint64_t pace_least(uint64_t rate, uint64_t ms)
{
    return rate * ms / 1000;
}

/* `bytes` more have moved. Returns false if a window has ended in which too few had. */
static inline bool pace_keep(struct pace *p, uint64_t rate, uint64_t window_ms, uint64_t now_ms,
                             uint64_t bytes)
{
    uint64_t elapsed = now_ms - p->began_ms;
    p->moved += bytes;
    if (elapsed < window_ms)
        return true;
    bool kept = p->moved >= pace_least(rate, elapsed);
    pace_begin(p, now_ms);
    return kept;
}

#endif
