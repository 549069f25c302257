/* SPDX-License-Identifier: MIT */
/* threads.h - the route within one process: every worker is the home of its share of the topics.
 *
 *   hub ──request──> home ──an event to each worker with subscribers──> hub
 *    ^──the same request, with the answer──┘
 *
 * Threads  Filled in before the threads start. After that each worker posts mail to the others'
 *          loops.
 */
#ifndef HUB_THREADS_H
#define HUB_THREADS_H

#include "hub/home.h"
#include "hub/hub.h"

struct hub_threads {
    uint16_t count;     /* of the workers */
    atomic_uint topics; /* in all homes */
    struct hub_home homes[];
};

/* NULL without memory. */
struct hub_threads *hub_threads_new(uint16_t workers);
/* Adds the hub of a worker; each index once. */
void hub_threads_add(struct hub_threads *threads, uint16_t index, struct hub *hub);
/* To be called after hub_stop() of all hubs and before hub_done(). */
void hub_threads_forget(struct hub_threads *threads, uint16_t index);
/* Accepts NULL. */
void hub_threads_free(struct hub_threads *threads);

/* As the route does it, but not from inside this call: the home handles the request when its loop
 * turns. */
void hub_threads_send_later(struct hub *hub, struct hub_request *request);

/* For hub_init(); `route_end` is the struct hub_threads. */
extern const struct hub_route hub_threads_route;

/* ---- for the homes ---- */

/* How many letters an event of this kind needs: one for each other worker that is concerned. */
uint16_t hub_threads_copies(const struct hub_home *home, enum hub_event_kind kind,
                            const struct hub_audience *audience);
/* Sends the event to those workers, and to the home's own. When all have passed the event on,
 * `asked` (may be NULL) goes back. */
void hub_threads_spread(struct hub_home *home, struct hub_event *event,
                        const struct hub_audience *audience, struct hub_request *asked);

#endif
