/* SPDX-License-Identifier: MIT */
#include "access/ways.h"

#include <stdlib.h>
#include <string.h>

enum {
    WAYS = 8,
    SET_BYTES = WAYS * sizeof(struct way)
};

bool ways_init(struct ways *w, size_t entries)
{
    w->sets = 1;
    while (w->sets * WAYS < entries)
        w->sets *= 2;
    w->entries = aligned_alloc(SET_BYTES, ways_bytes(w));
    if (!w->entries)
        return false;
    memset(w->entries, 0, ways_bytes(w));
    for (int i = 0; i < WAYS_LOCKS; i++)
        pthread_mutex_init(&w->locks[i], NULL);
    return true;
}

void ways_done(struct ways *w)
{
    for (int i = 0; i < WAYS_LOCKS; i++)
        pthread_mutex_destroy(&w->locks[i]);
    free(w->entries);
}

size_t ways_bytes(const struct ways *w)
{
    return w->sets * SET_BYTES;
}

struct ways_hold ways_claim(struct ways *w, uint64_t hash)
{
    size_t index = hash & (w->sets - 1);
    struct way *set = w->entries + index * WAYS;
    struct ways_hold hold = {set, &w->locks[index % WAYS_LOCKS]};
    pthread_mutex_lock(hold.lock);
    for (int i = 0; i < WAYS; i++) {
        if (set[i].hash == hash) {
            hold.way = &set[i];
            break;
        }
        if (set[i].value < hold.way->value)
            hold.way = &set[i];
    }
    return hold;
}

uint64_t ways_find(struct ways *w, uint64_t hash)
{
    struct ways_hold hold = ways_claim(w, hash);
    uint64_t value = hold.way->hash == hash ? hold.way->value : 0;
    ways_release(hold);
    return value;
}
