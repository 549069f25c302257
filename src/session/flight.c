/* SPDX-License-Identifier: MIT */
#include "session/flight.h"

enum {
    MARKS_A_BUDGET = 4
};

static void probe(struct flight *f, uint64_t now_ms, uint64_t budget)
{
    f->best_ms = UINT64_MAX;
    f->budget = budget;
    f->probe_due_ms = now_ms + FLIGHT_PROBE_MS;
}

void flight_begin(struct flight *f, uint64_t now_ms)
{
    *f = (struct flight){0};
    probe(f, now_ms, FLIGHT_BUDGET_FIRST);
}

size_t flight_room(struct flight *f)
{
    uint64_t flying = f->sent - f->heard;
    if (flying < f->budget)
        return (size_t)(f->budget - flying);
    f->limited = true;
    return 0;
}

static uint64_t last_mark(const struct flight *f)
{
    return f->count ? f->marks[(f->first + f->count - 1) % FLIGHT_MARKS].at : f->heard;
}

void flight_pinged(struct flight *f, uint64_t now_ms)
{
    if (f->count == FLIGHT_MARKS)
        return; /* the `.pong` is taken for an older mark's: the budget is one mark too generous */
    unsigned at = (f->first + f->count++) % FLIGHT_MARKS;
    f->marks[at].at = f->sent;
    f->marks[at].ms = now_ms;
}

/* `heard` bytes more were dealt with, `ms` after their `.ping`. */
static void judge(struct flight *f, uint64_t heard, uint64_t ms)
{
    uint64_t late_ms = f->best_ms / 2 > FLIGHT_LATE_MS ? f->best_ms / 2 : FLIGHT_LATE_MS;
    uint64_t good_ms = f->best_ms + late_ms;
    if (ms > good_ms) {
        uint64_t shrunk = f->budget * good_ms / ms, half = f->budget / 2;
        f->budget = shrunk > half ? shrunk : half;
    } else if (f->limited) {
        f->budget += heard;
    }
    if (f->budget < FLIGHT_BUDGET_MIN)
        f->budget = FLIGHT_BUDGET_MIN;
    if (f->budget > FLIGHT_BUDGET_MAX)
        f->budget = FLIGHT_BUDGET_MAX;
    f->limited = false;
}

static bool is_due(const struct flight *f)
{
    return f->count < FLIGHT_MARKS && f->sent - last_mark(f) >= f->budget / MARKS_A_BUDGET;
}

bool flight_sent(struct flight *f, size_t len)
{
    f->sent += len;
    return is_due(f);
}

bool flight_ponged(struct flight *f, uint64_t now_ms)
{
    if (f->count == 0)
        return false;
    uint64_t at = f->marks[f->first].at, ms = now_ms - f->marks[f->first].ms;
    uint64_t heard = at - f->heard;
    f->first = (uint8_t)((f->first + 1) % FLIGHT_MARKS);
    f->count--;
    f->heard = at;
    if (now_ms >= f->probe_due_ms)
        probe(f, now_ms, FLIGHT_BUDGET_MIN);
    if (ms < f->best_ms)
        f->best_ms = ms;
    judge(f, heard, ms);
    return is_due(f);
}
