/* SPDX-License-Identifier: MIT */
#include "program/places.h"

#include "base/list.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct entry {
    struct list node;
    struct program_place place;
    uint32_t running;
    uint64_t until_ms; /* without one that runs */
    char file[];
};

struct program_places {
    pthread_mutex_t lock;
    struct list entries;
    atomic_uint count;
};

struct program_places *program_places_new(void)
{
    struct program_places *places = calloc(1, sizeof(*places));
    if (!places)
        return NULL;
    pthread_mutex_init(&places->lock, NULL);
    list_init(&places->entries);
    return places;
}

static void drop(struct program_places *places, struct entry *e)
{
    list_remove(&e->node);
    atomic_fetch_sub_explicit(&places->count, 1, memory_order_relaxed);
    free(e);
}

void program_places_free(struct program_places *places)
{
    if (!places)
        return;
    while (!list_empty(&places->entries))
        drop(places, container_of(places->entries.next, struct entry, node));
    pthread_mutex_destroy(&places->lock);
    free(places);
}

static struct entry *find(struct program_places *places, const char *file)
{
    for (struct list *node = places->entries.next; node != &places->entries; node = node->next) {
        struct entry *e = container_of(node, struct entry, node);
        if (!strcmp(e->file, file))
            return e;
    }
    return NULL;
}

bool program_places_any(struct program_places *places)
{
    return atomic_load_explicit(&places->count, memory_order_relaxed) > 0;
}

bool program_places_find(struct program_places *places, const char *file, uint64_t now_ms,
                         struct program_place *ret)
{
    if (!program_places_any(places))
        return false;
    pthread_mutex_lock(&places->lock);
    struct entry *e = find(places, file);
    bool over = e && e->running == 0 && e->until_ms <= now_ms;
    if (over)
        drop(places, e);
    else if (e)
        *ret = e->place;
    pthread_mutex_unlock(&places->lock);
    return e && !over;
}

static struct entry *add(struct program_places *places, const char *file,
                         const struct program_place *place)
{
    size_t len = strlen(file) + 1;
    struct entry *e = malloc(sizeof(*e) + len);
    if (!e)
        return NULL;
    *e = (struct entry){.place = *place};
    memcpy(e->file, file, len);
    list_append(&places->entries, &e->node);
    atomic_fetch_add_explicit(&places->count, 1, memory_order_relaxed);
    return e;
}

bool program_places_enter(struct program_places *places, const char *file,
                          const struct program_place *wanted, struct program_place *ret)
{
    pthread_mutex_lock(&places->lock);
    struct entry *e = find(places, file);
    e = e ? e : add(places, file, wanted);
    if (e) {
        e->running++;
        *ret = e->place;
    }
    pthread_mutex_unlock(&places->lock);
    return e;
}

void program_places_leave(struct program_places *places, const char *file, uint64_t until_ms)
{
    pthread_mutex_lock(&places->lock);
    struct entry *e = find(places, file);
    assert(e && e->running > 0);
    e->until_ms = until_ms;
    if (--e->running == 0 && until_ms == 0)
        drop(places, e);
    pthread_mutex_unlock(&places->lock);
}

uint32_t program_place_share(const struct program_place *place, uint32_t worker, uint32_t workers)
{
    uint32_t from_home = (worker + workers - place->home) % workers;
    return place->processes / workers + (from_home < place->processes % workers);
}

uint32_t program_place_worker(const struct program_place *place, uint64_t number, uint32_t workers)
{
    return (uint32_t)((place->home + number % place->processes) % workers);
}
