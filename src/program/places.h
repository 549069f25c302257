/* SPDX-License-Identifier: MIT */
/* places.h - which worker has the processes of a shared program: those that the settings name are
 * found by their hash, those that say `.shared` themselves stand in a table for as long as one runs,
 * or is held back after a failure.
 *
 * Threads  The table is for all workers, behind a mutex.
 * Cost     While no program has said so: one atomic load.
 */
#ifndef PROGRAM_PLACES_H
#define PROGRAM_PLACES_H

#include "base/slice.h"

#define PROGRAM_PROCESSES_MAX 256

struct program_places;
struct program_places *program_places_new(void);
void program_places_free(struct program_places *places);

/* Process i of `processes` is in worker (home + i) mod the number of workers. */
struct program_place {
    uint32_t home;
    uint32_t processes;
};

bool program_places_any(struct program_places *places);
bool program_places_find(struct program_places *places, const char *file, uint64_t now_ms,
                         struct program_place *ret);
/* One more process of this program runs. The first one says in which worker its home is. False
 * without memory. */
bool program_places_enter(struct program_places *places, const char *file,
                          const struct program_place *wanted, struct program_place *ret);
/* One less. The last one's place is remembered until then. */
void program_places_leave(struct program_places *places, const char *file, uint64_t until_ms);

/* How many of the processes are in this worker. */
uint32_t program_place_share(const struct program_place *place, uint32_t worker, uint32_t workers);
/* The worker of the process with this number, whatever it is. */
uint32_t program_place_worker(const struct program_place *place, uint64_t number, uint32_t workers);

#endif
