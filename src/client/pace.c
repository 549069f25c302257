/* SPDX-License-Identifier: MIT */
#include "client/pace.h"

enum {
    FIRST_MS = 250,
    LONGEST_MS = 30000,
    WAIT_MS = 5000,   /* what THEN_WAIT means where the server has not said how long */
    WORKED_MS = 5000, /* a connection that lasted so long has worked */
    /* Where the server could be reached, it is the network that flutters. */
    FAILURES_OPEN = 4,
};

void pace_opened(struct pace *p, uint64_t now_ms)
{
    p->opened_ms = now_ms;
    p->open = true;
    p->worked = false;
}

void pace_worked(struct pace *p)
{
    p->worked = true;
}

uint64_t pace_delay(unsigned attempt, uint32_t chance)
{
    uint64_t whole = attempt < 7 ? (uint64_t)FIRST_MS << attempt : LONGEST_MS;
    return whole / 2 + chance % (whole / 2 + 1);
}

uint64_t pace_pause(struct pace *p, const struct end *end, uint64_t now_ms, uint32_t chance)
{
    bool was_open = p->open;
    if (was_open && (p->worked || now_ms - p->opened_ms >= WORKED_MS))
        p->failures = 0;
    else if (was_open && p->failures > FAILURES_OPEN)
        p->failures = FAILURES_OPEN;
    p->open = p->worked = false;
    unsigned attempt = p->failures++;
    if (end_then(end) == THEN_WAIT)
        return (end->retry_s < 0 ? WAIT_MS : (uint64_t)end->retry_s * 1000) +
               pace_delay(attempt, chance);
    return was_open && attempt == 0 ? 0 : pace_delay(attempt, chance);
}
