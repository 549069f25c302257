/* SPDX-License-Identifier: MIT */
/* worker_map.h - which worker has the processes of a shared program: those that the settings name
 * are found by their hash, those that say `.shared` themselves stand in a table for as long as one
 * runs, or is held back after a failure.
 *
 * Threads  The table is for all workers, behind a mutex.
 * Cost     While no program has said so: one atomic load.
 */
#ifndef PROGRAM_WORKER_MAP_H
#define PROGRAM_WORKER_MAP_H

#include "base/slice.h"

#define PROGRAM_PROCESSES_MAX 256

struct worker_map;
struct worker_map *worker_map_new(void);
void worker_map_free(struct worker_map *map);

/* Process i of `processes` is in worker (home + i) mod the number of workers. */
struct worker_span {
    uint32_t home;
    uint32_t processes;
};

bool worker_map_any(struct worker_map *map);
bool worker_map_find(struct worker_map *map, const char *file, uint64_t now_ms,
                     struct worker_span *ret);
/* One more process of this program runs. The first one says in which worker its home is. False
 * without memory. */
bool worker_map_enter(struct worker_map *map, const char *file, const struct worker_span *wanted,
                      struct worker_span *ret);
/* One less. The last one's place is remembered until then. */
void worker_map_leave(struct worker_map *map, const char *file, uint64_t until_ms);

/* How many of the processes are in this worker. */
uint32_t worker_span_share(const struct worker_span *span, uint32_t worker, uint32_t workers);
/* The worker of the process with this number, whatever it is. */
uint32_t worker_span_at(const struct worker_span *span, uint64_t number, uint32_t workers);

#endif
