/* SPDX-License-Identifier: MIT */
/* upstream.h - where the topics of a home are numbered, if not in the home: a broker that several
 * servers share.
 *
 *   hub ──request──> home ──follow, publish, show──> upstream ──> broker
 *    ^──events, answers──┘ <──hub_home_*()──────────────┘  <── events of all servers
 *
 * A home with an upstream numbers nothing: it keeps its copy of a topic while somebody here is
 * subscribed, and five seconds longer. Topics of the server's own (their names begin with a space)
 * stay in the home. Without an upstream nothing of this costs anything.
 *
 * A topic   join ─> follow() ─> LOADING ──hub_home_loaded()──> LOADED ──5 s nobody──> unfollow()
 *                                  └──hub_home_refused()──> forgotten
 *           Joins wait while it is LOADING, in their order; who leaves meanwhile waits no more. It
 *           may be unfollowed while LOADING, too. Once LOADED it stays so: after an outage the
 *           upstream catches up with hub_home_event(), _lost() and _present_all().
 * Follows   Each follow() has a number of its own. An answer with another number belongs to a
 *           follow that is over, and does nothing.
 * Order     The upstream calls the home in the order in which things happened. It may do so from
 *           inside publish() and show(), but not from inside follow() and unfollow(). Any
 *           hub_home_* call but the looking ones may call back into the upstream.
 * Memory    The requests of publish() are the upstream's until it gives them back, also those of
 *           clients that have left: it bounds them, and refuses what is too much with HUB_AWAY.
 * Threads   The home's.
 */
#ifndef HUB_UPSTREAM_H
#define HUB_UPSTREAM_H

#include "hub/event.h"
#include "hub/request.h"

struct pack;
struct past;
struct hub_home;
struct hub_upstream;

struct hub_topic_key {
    struct slice name; /* borrowed for the call */
    uint64_t hash;     /* hash_bytes(name) */
};

struct hub_upstream_ops {
    /* The home has this topic now; hub_home_loaded() or _refused() is to come, perhaps much later.
     */
    void (*follow)(struct hub_upstream *u, struct hub_topic_key topic, uint64_t follow);
    /* The home has it no more. None of its own is shown there any more: show() has said so. */
    void (*unfollow)(struct hub_upstream *u, struct hub_topic_key topic);
    /* Takes the request of a publication, whether or not its topic is followed, and gives it back
     * by hub_home_published(), or with its event by hub_home_event(). Whatever one client publishes
     * in one topic keeps its order. request->held is the upstream's meanwhile. */
    void (*publish)(struct hub_upstream *u, struct hub_request *request);
    /* One of this server's own is to be seen by all, or no more (SLICE_NONE). A state, no question.
     * It is in the home's presence before, and hub_home_each_own() has it. */
    void (*show)(struct hub_upstream *u, struct hub_topic_key topic, const char id[HUB_ID_LEN],
                 struct slice data);
    /* ---- take-over; these may be NULL ---- */
    /* Appends what the upstream knows of a LOADED topic beside the home (an epoch). */
    void (*pack)(struct hub_upstream *u, struct hub_topic_key topic, struct pack *p);
    /* In the place of follow() for a topic that was LOADED in the process before, with the bytes of
     * pack(): empty if it was numbered in that process. The topic is LOADED, and no
     * hub_home_loaded() comes: the upstream catches up. Called from hub_home_unpack(). */
    void (*resume)(struct hub_upstream *u, struct hub_topic_key topic, uint64_t follow,
                   struct slice packed);
};

/* Embedded by the upstream. */
struct hub_upstream {
    const struct hub_upstream_ops *ops;
};

/* Before the home's first request, and before hub_home_unpack(). NULL: the upstream is called no
 * more; to be said before it is freed, once the hubs are stopped. hub_home_done() calls nothing. */
void hub_home_use_upstream(struct hub_home *home, struct hub_upstream *upstream);

/* ---- what happens to a topic; what is not known here is passed over ---- */

/* One member of another server. */
struct hub_member {
    uint64_t owner; /* its server, or whatever goes as a whole; not 0 */
    char id[HUB_ID_LEN];
    struct slice data;
};

/* Of the specs only seq, time_ms, from, name, data, ident and keep are read. */
struct hub_loaded {
    uint64_t seq;                        /* of the newest event; 0: none yet */
    const struct hub_event_spec *events; /* the oldest first, without a gap up to `seq` */
    size_t event_count;
    const struct hub_event_spec *kept; /* NULL: none */
    const struct hub_member *present;  /* without this server's own */
    size_t present_count;
};

/* Those who wait for the topic are answered. False: that follow is over. */
bool hub_home_loaded(struct hub_home *home, struct hub_topic_key topic, uint64_t follow,
                     const struct hub_loaded *loaded);
/* The topic can't be loaded: those who wait are told so, and it is forgotten without unfollow(). */
void hub_home_refused(struct hub_home *home, struct hub_topic_key topic, uint64_t follow,
                      enum hub_answer why);

enum hub_taken {
    HUB_TAKEN,   /* it was the next one, and goes to all subscribers */
    HUB_OLD,     /* its number was there before */
    HUB_GAP,     /* others are missing before it: fetch them, then say it again */
    HUB_LOADING, /* keep it until hub_home_loaded() */
    HUB_UNKNOWN  /* the topic is not here */
};

/* A published event. `asked` (may be NULL) is the request that has published it: with HUB_TAKEN it
 * goes back, with its number, when all workers have passed the event on. Otherwise it stays the
 * upstream's. Without memory for the event its loss is told. */
enum hub_taken hub_home_event(struct hub_home *home, struct hub_topic_key topic,
                              const struct hub_event_spec *spec, struct hub_request *asked);
/* `count` events before the next one can't be had any more, and `seq` is the newest number,
 * whatever it was before. Each subscriber is told the count in its place; with 0 nobody is told
 * anything. The past is forgotten but for the kept event. */
void hub_home_lost(struct hub_home *home, struct hub_topic_key topic, uint64_t count, uint64_t seq);
/* The kept event, if it is not among those that were said. NULL: there is none. */
void hub_home_keep(struct hub_home *home, struct hub_topic_key topic,
                   const struct hub_event_spec *kept);
/* Gives back a request of publish(). HUB_DONE: it has this number; anything else: it is refused. */
void hub_home_published(struct hub_home *home, struct hub_request *request, enum hub_answer answer,
                        uint64_t seq);

/* One came, shows other data, or has left (data SLICE_NONE). Who is this server's own is passed
 * over, and so is a leave that its owner has not said. */
void hub_home_present(struct hub_home *home, struct hub_topic_key topic,
                      const struct hub_member *member);
/* These, and no others of other servers. */
void hub_home_present_all(struct hub_home *home, struct hub_topic_key topic,
                          const struct hub_member *members, size_t count);
/* All of this owner have left the topic. */
void hub_home_owner_left(struct hub_home *home, struct hub_topic_key topic, uint64_t owner);
/* And all topics: looks through all that are there. */
void hub_home_owner_gone(struct hub_home *home, uint64_t owner);

/* ---- looking: nothing may be changed from inside `visit` ---- */

struct hub_topic_state {
    struct hub_topic_key topic;
    uint64_t follow;
    bool loading;
    uint64_t seq;
    uint32_t subscribers;    /* here */
    const struct past *past; /* first: the oldest event, hub_event.next: a newer one; kept */
};

/* Only topics that are followed. */
void hub_home_each_topic(struct hub_home *home,
                         void (*visit)(void *arg, const struct hub_topic_state *state), void *arg);
bool hub_home_state(struct hub_home *home, struct hub_topic_key topic, struct hub_topic_state *ret);
/* This server's own who are to be seen there. */
void hub_home_each_own(struct hub_home *home, struct hub_topic_key topic,
                       void (*visit)(void *arg, const char id[HUB_ID_LEN], struct slice data),
                       void *arg);

#endif
