/* SPDX-License-Identifier: MIT */
/* home.h - the topics whose order is decided in this worker: their numbers, history, who is
 * subscribed where, and who is there.
 *
 * A topic's home is one worker of all, by the hash of its name (threads.h). Every event of the
 * topic goes through its home, so all subscribers see one order; and since letters between two
 * threads keep theirs, each publisher's own order is kept in it.
 *
 * A topic lives while somebody is subscribed; one with a past lives on for `linger_ms`, unless its
 * room is needed for other topics. With an upstream (upstream.h) the order is decided there.
 *
 * Memory   What is past is counted for the whole alone: no single client is to blame for it. At
 *          memory-max the largest past of this home gives way, if no client holds more.
 * Threads  The worker's.
 */
#ifndef HUB_HOME_H
#define HUB_HOME_H

#include "hub/name_table.h"
#include "hub/request.h"
#include "limits/memory.h"

struct hub;
struct hub_threads;
struct hub_upstream;

/* Topics without subscribers. */
struct hub_idle {
    struct hub_home *home;
    struct list topics; /* the longest so first */
    struct timer timer; /* for the first */
};

enum {
    HUB_IDLE_HERE,    /* that are numbered here */
    HUB_IDLE_DISTANT, /* in the upstream */
    HUB_IDLES
};

struct hub_home {
    struct hub *hub;               /* borrowed: of the same worker */
    struct hub_threads *threads;   /* borrowed */
    struct hub_upstream *upstream; /* borrowed (upstream.h); NULL: all is numbered here */
    uint64_t follows;              /* how often the upstream was asked for a topic */
    struct name_table topics;
    struct hub_idle idle[HUB_IDLES];
    struct list changed;           /* topics with something to tell */
    struct timer changed_timer;    /* for all of `changed` */
    struct memory_account account; /* pays for what is past; nobody's */
    size_t past_held, counted;
};

/* The subscriptions of one topic in one worker. */
struct hub_audience {
    uint32_t subscribers;
    uint32_t watchers; /* of them, who hear who is there */
};

void hub_home_init(struct hub_home *home, struct hub_threads *threads, struct hub *hub);
/* Forgets all topics. */
void hub_home_done(struct hub_home *home);

/* Does what the request asks; from here it goes back to its hub. */
void hub_home_handle(struct hub_home *home, struct hub_request *request);

/* ---- for the process that takes over: no request is under way but publications in the upstream,
 * and joins that wait for it ---- */

void hub_home_pack(const struct hub_home *home, struct pack *p);
/* Its topics, without subscribers: those are counted as their clients come. */
void hub_home_unpack(struct hub_home *home, struct slice in);
/* One more subscription of this worker. False without memory. */
bool hub_home_count(struct hub_home *home, uint16_t worker, struct slice name, uint64_t hash,
                    bool watches);
/* All have come. */
void hub_home_go_on(struct hub_home *home);

#endif
