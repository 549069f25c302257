/* SPDX-License-Identifier: MIT */
/* places.h - which worker has the processes of a shared program: those that the settings name are
 * found by their hash, those that say `.shared` themselves stand in a table for as long as one runs,
 * or is held back after a failure.
 *
 * Threads  The table is for all workers, behind a mutex.
 * Cost     While no program has said so: one atomic load.
 */
#ifndef PAGE_PLACES_H
#define PAGE_PLACES_H

#include "base/slice.h"

#define PAGE_PROCESSES_MAX 256

struct page_places;
struct page_places *page_places_new(void);
void page_places_free(struct page_places *places);

/* Process i of `processes` is in worker (home + i) mod the number of workers. */
struct page_place {
    uint32_t home;
    uint32_t processes;
};

bool page_places_any(struct page_places *places);
bool page_places_find(struct page_places *places, const char *file, uint64_t now_ms,
                      struct page_place *ret);
/* One more process of this program runs. The first one says in which worker its home is. False
 * without memory. */
bool page_places_enter(struct page_places *places, const char *file,
                       const struct page_place *wanted, struct page_place *ret);
/* One less. The last one's place is remembered until then. */
void page_places_leave(struct page_places *places, const char *file, uint64_t until_ms);

/* How many of the processes are in this worker. */
uint32_t page_place_share(const struct page_place *place, uint32_t worker, uint32_t workers);
/* The worker of the process with this number, whatever it is. */
uint32_t page_place_worker(const struct page_place *place, uint64_t number, uint32_t workers);

#endif
