/* SPDX-License-Identifier: MIT */
#include "client/backoff.h"

enum {
    FIRST_MS = 250,
    LONGEST_MS = 30000,
    WAIT_MS = 5000,   /* what THEN_WAIT means where the server has not said how long */
    WORKED_MS = 5000, /* a connection that lasted so long has worked */
    /* If the server could be reached, the network flutters: failures count up to here only. */
    FAILURES_OPEN = 4,
};

void backoff_opened(struct backoff *b, uint64_t now_ms)
{
    b->opened_ms = now_ms;
    b->open = true;
    b->worked = false;
}

void backoff_worked(struct backoff *b)
{
    b->worked = true;
}

uint64_t backoff_delay(unsigned attempt, uint32_t chance)
{
    uint64_t whole = attempt < 7 ? (uint64_t)FIRST_MS << attempt : LONGEST_MS;
    return whole / 2 + chance % (whole / 2 + 1);
}

uint64_t backoff_delay_after(struct backoff *b, const struct end *end, uint64_t now_ms,
                             uint32_t chance)
{
    bool was_open = b->open;
    if (was_open && (b->worked || now_ms - b->opened_ms >= WORKED_MS))
        b->failures = 0;
    else if (was_open && b->failures > FAILURES_OPEN)
        b->failures = FAILURES_OPEN;
    b->open = b->worked = false;
    unsigned attempt = b->failures++;
    if (end_then(end) == THEN_WAIT)
        return (end->retry_s < 0 ? WAIT_MS : (uint64_t)end->retry_s * 1000) +
               backoff_delay(attempt, chance);
    return was_open && attempt == 0 ? 0 : backoff_delay(attempt, chance);
}
