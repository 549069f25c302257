/* SPDX-License-Identifier: MIT */
#include "program/worker_map.h"

#include "base/list.h"
#include "base/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct entry {
    struct list node;
    struct worker_span span;
    uint32_t running;
    uint64_t until_ms; /* without one that runs */
    char file[];
};

struct worker_map {
    pthread_mutex_t lock;
    struct list entries;
    atomic_uint count;
};

struct worker_map *worker_map_new(void)
{
    struct worker_map *map = log_needed(calloc(1, sizeof(*map)));
    if (!map)
        return NULL;
    pthread_mutex_init(&map->lock, NULL);
    list_init(&map->entries);
    return map;
}

static void drop(struct worker_map *map, struct entry *e)
{
    list_remove(&e->node);
    atomic_fetch_sub_explicit(&map->count, 1, memory_order_relaxed);
    free(e);
}

void worker_map_free(struct worker_map *map)
{
    if (!map)
        return;
    while (!list_empty(&map->entries))
        drop(map, container_of(map->entries.next, struct entry, node));
    pthread_mutex_destroy(&map->lock);
    free(map);
}

static struct entry *find(struct worker_map *map, const char *file)
{
    for (struct list *node = map->entries.next; node != &map->entries; node = node->next) {
        struct entry *e = container_of(node, struct entry, node);
        if (!strcmp(e->file, file))
            return e;
    }
    return NULL;
}

bool worker_map_any(struct worker_map *map)
{
    return atomic_load_explicit(&map->count, memory_order_relaxed) > 0;
}

bool worker_map_find(struct worker_map *map, const char *file, uint64_t now_ms,
                     struct worker_span *ret)
{
    if (!worker_map_any(map))
        return false;
    pthread_mutex_lock(&map->lock);
    struct entry *e = find(map, file);
    bool over = e && e->running == 0 && e->until_ms <= now_ms;
    if (over)
        drop(map, e);
    else if (e)
        *ret = e->span;
    pthread_mutex_unlock(&map->lock);
    return e && !over;
}

static struct entry *add(struct worker_map *map, const char *file, const struct worker_span *span)
{
    size_t len = strlen(file) + 1;
    struct entry *e = log_needed(malloc(sizeof(*e) + len));
    if (!e)
        return NULL;
    *e = (struct entry){.span = *span};
    memcpy(e->file, file, len);
    list_append(&map->entries, &e->node);
    atomic_fetch_add_explicit(&map->count, 1, memory_order_relaxed);
    return e;
}

bool worker_map_enter(struct worker_map *map, const char *file, const struct worker_span *wanted,
                      struct worker_span *ret)
{
    pthread_mutex_lock(&map->lock);
    struct entry *e = find(map, file);
    e = e ? e : add(map, file, wanted);
    if (e) {
        e->running++;
        *ret = e->span;
    }
    pthread_mutex_unlock(&map->lock);
    return e;
}

void worker_map_leave(struct worker_map *map, const char *file, uint64_t until_ms)
{
    pthread_mutex_lock(&map->lock);
    struct entry *e = find(map, file);
    assert(e && e->running > 0);
    e->until_ms = until_ms;
    if (--e->running == 0 && until_ms == 0)
        drop(map, e);
    pthread_mutex_unlock(&map->lock);
}

uint32_t worker_span_share(const struct worker_span *span, uint32_t worker, uint32_t workers)
{
    uint32_t from_home = (worker + workers - span->home) % workers;
    return span->processes / workers + (from_home < span->processes % workers);
}

uint32_t worker_span_at(const struct worker_span *span, uint64_t number, uint32_t workers)
{
    return (uint32_t)((span->home + number % span->processes) % workers);
}
