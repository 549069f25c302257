/* SPDX-License-Identifier: MIT */
#include "core/timer.h"

enum {
    SLOT_BITS = 6
};

/* A timer further away than the wheel reaches (some nine thousand years) is put at its end. */
#define WHEEL_REACH_MS ((uint64_t)1 << (SLOT_BITS * WHEEL_LEVELS - 1))

static unsigned level_of(uint64_t now_ms, uint64_t due_ms)
{
    uint64_t differs = (now_ms ^ due_ms) | (WHEEL_SLOTS - 1);
    unsigned level = (63 - (unsigned)__builtin_clzll(differs)) / SLOT_BITS;
    return level < WHEEL_LEVELS ? level : WHEEL_LEVELS - 1;
}

static unsigned slot_of(uint64_t due_ms, unsigned level)
{
    return due_ms >> (SLOT_BITS * level) & (WHEEL_SLOTS - 1);
}

static void put(struct timer_wheel *wheel, struct timer *timer)
{
    uint64_t due = timer->due_ms > wheel->now_ms ? timer->due_ms : wheel->now_ms;
    unsigned level = level_of(wheel->now_ms, due);
    unsigned slot = slot_of(due, level);
    wheel->occupied[level] |= (uint64_t)1 << slot;
    list_append(&wheel->slots[level][slot], &timer->node);
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
    wheel->now_ms = now_ms;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

void timer_wheel_add(struct timer_wheel *wheel, struct timer *timer)
{
    if (timer->due_ms - wheel->now_ms > WHEEL_REACH_MS && timer->due_ms > wheel->now_ms)
        timer->due_ms = wheel->now_ms + WHEEL_REACH_MS;
    put(wheel, timer);
}

/* The time at which a slot begins that lies before us on its level. */
static uint64_t slot_begin(const struct timer_wheel *wheel, unsigned level, unsigned slot)
{
    unsigned shift = SLOT_BITS * level;
    uint64_t above = wheel->now_ms >> shift >> SLOT_BITS << SLOT_BITS << shift;
    return above | (uint64_t)slot << shift;
}

struct place {
    unsigned level, slot;
    uint64_t begin_ms;
};

/* The first slot that holds a timer. */
static bool first_place(struct timer_wheel *wheel, struct place *ret)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        while (wheel->occupied[level]) {
            unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
            if (!list_empty(&wheel->slots[level][slot])) {
                *ret = (struct place){level, slot, slot_begin(wheel, level, slot)};
                return true;
            }
            wheel->occupied[level] &= wheel->occupied[level] - 1;
        }
    }
    return false;
}

/* Level 0 is due; a higher one is spread over the levels below. */
static void open_place(struct timer_wheel *wheel, const struct place *place, struct list *due)
{
    struct list *slot = &wheel->slots[place->level][place->slot];
    wheel->occupied[place->level] &= ~((uint64_t)1 << place->slot);
    if (place->level == 0) {
        list_splice(due, slot);
        return;
    }
    struct list moving;
    list_init(&moving);
    list_splice(&moving, slot);
    for (struct list *node; (node = list_pop(&moving));)
        put(wheel, container_of(node, struct timer, node));
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms, struct list *due)
{
    struct place place;
    while (first_place(wheel, &place) && place.begin_ms <= now_ms) {
        wheel->now_ms = place.begin_ms;
        open_place(wheel, &place, due);
    }
    if (now_ms > wheel->now_ms)
        wheel->now_ms = now_ms;
}

bool timer_wheel_next(struct timer_wheel *wheel, uint64_t *ret_ms)
{
    struct place place;
    if (!first_place(wheel, &place))
        return false;
    *ret_ms = place.begin_ms;
    return true;
}

void timer_init(struct timer *timer, void (*fire)(struct timer *))
{
    list_init(&timer->node);
    timer->due_ms = 0;
    timer->fire = fire;
}

void timer_stop(struct timer *timer)
{
    list_remove(&timer->node);
}

bool timer_active(const struct timer *timer)
{
    return !list_empty(&timer->node);
}
