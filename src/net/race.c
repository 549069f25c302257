/* SPDX-License-Identifier: MIT */
#include "net/race.h"

#include <assert.h>

enum {
    STAGGER_MS = 250 /* RFC 8305, 5 */
};

static void begin_next(struct race *race);

static void on_connected(struct connector *c, int fd_or_error)
{
    struct race *race = container_of(c, struct race_attempt, connector)->race;
    if (fd_or_error >= 0) {
        race_stop(race);
        race->on_decided(race, fd_or_error);
        return;
    }
    race->failed++;
    if (race->begun < race->count)
        begin_next(race);
    else if (race->failed == race->count)
        race->on_decided(race, fd_or_error);
}

static void begin_next(struct race *race)
{
    size_t i = race->begun++;
    race->attempts[i].race = race;
    connector_start(race->loop, &race->attempts[i].connector, &race->addresses[i], race->timeout_ms,
                    on_connected);
    timer_stop(&race->stagger);
    if (race->begun < race->count)
        timer_start(race->loop, &race->stagger, STAGGER_MS);
}

static void staggered(struct timer *timer)
{
    begin_next(container_of(timer, struct race, stagger));
}

void race_start(struct loop *loop, struct race *race, const struct net_address *addresses,
                size_t count, uint64_t timeout_ms,
                void (*on_decided)(struct race *race, int fd_or_error))
{
    assert(count > 0 && count <= RACE_ADDRESSES_MAX);
    race->loop = loop;
    race->on_decided = on_decided;
    race->timeout_ms = timeout_ms;
    race->count = count;
    race->begun = race->failed = 0;
    memcpy(race->addresses, addresses, count * sizeof(*addresses));
    timer_init(&race->stagger, staggered);
    begin_next(race);
}

void race_stop(struct race *race)
{
    if (!race->loop)
        return;
    timer_stop(&race->stagger);
    for (size_t i = 0; i < race->begun; i++)
        connector_cancel(&race->attempts[i].connector);
}
