/* SPDX-License-Identifier: MIT */
/* room.h - what is counted against limits, and gives way early where there is no room for one more.
 *
 *        ──room_take──> COUNTED <──room_busy──> IDLE ──somebody else needs the room──> CHOSEN
 *                          ^──────────────────room_busy──────────────────────────────────┘ │
 *                                                                GOING <──its desk: give_up┘
 *   each of them ──room_release──>
 *
 * A place is one counted thing: a page with its program. It is idle while its client is gone. At a
 * limit the idle place with the least claim gives way, one for each newcomer: first those whose
 * client never did anything, and of equal ones the one that is idle for longest. Only a place that
 * is counted under the very limit that is reached: at a limit by client one of the same client. At
 * a limit of all, only a place of a client that has more than the newcomer's.
 *
 * What gives way is counted no more, so that the newcomer has its room at once. It takes its time
 * to end: an eighth of each limit, and one, may be ending so. Beyond that nobody gives way.
 *
 * Cost     A limit that is reached: a look at the idle places, until one fits. Otherwise one lock.
 * Threads  Room: any. A place belongs to its desk's loop, where give_up is called, never from
 *          inside of another call.
 * Lifetime room_new() before all desks, room_free() after. A place is embedded: zeroed, or from
 *          room_take() to room_release().
 */
#ifndef LIMITS_ROOM_H
#define LIMITS_ROOM_H

#include "core/loop.h"
#include "limits/quota.h"

#include <stdatomic.h>

struct pack;

enum {
    ROOM_LIMITS = 3, /* under which one thing is counted, at most */
    ROOM_GOING = 8   /* so many-th part of a limit may be ending, having given way */
};

struct room;

/* One worker's end. */
struct room_desk {
    struct room *room;  /* borrowed */
    struct loop *loop;  /* borrowed */
    struct list chosen; /* guarded by the room's lock */
    struct mail mail;
    atomic_bool rung; /* the mail is under way */
};

struct room_limit {
    enum limit_kind kind;
    struct slice key;
    uint32_t max;
};

enum room_claim {
    ROOM_UNUSED, /* its client never did anything */
    ROOM_USED,
    ROOM_CLAIMS
};

/* Of CHOSEN and GOING the holds say under which limits the place was counted, and is counted as one
 * that is going. */
struct room_place {
    struct room_desk *desk; /* NULL: it is not counted */
    struct list node;       /* of room.idle, or desk.chosen */
    struct quota_hold holds[ROOM_LIMITS];
    enum {
        PLACE_COUNTED,
        PLACE_IDLE,
        PLACE_CHOSEN,
        PLACE_GOING
    } state;
    void (*give_up)(void *owner); /* while it is idle or chosen */
    void *owner;
};

/* NULL without memory. */
struct room *room_new(void);
void room_free(struct room *room);

void room_desk_init(struct room_desk *desk, struct room *room, struct loop *loop);

/* Counts one more under each of `limits`: first the limit of its client, last that of all. False:
 * one is reached, and nobody gives way. */
bool room_take(struct room_desk *desk, const struct room_limit *limits, size_t count,
               struct room_place *place);
/* Its client is gone. To be given up by `give_up`, once, unless room_busy() or room_release() come
 * before. */
void room_idle(struct room_place *place, enum room_claim claim, void (*give_up)(void *owner),
               void *owner);
/* Its client is there, or it ends anyhow: nothing gives it up any more. As room_idle(), without
 * effect on a place that is not counted. */
void room_busy(struct room_place *place);
void room_release(struct room_place *place);

/* For the process that takes over, which has the same key of hashes (hash_begin_with). A place that
 * is idle has to be said so again. */
void room_pack(const struct room_place *place, struct pack *p);
void room_unpack(struct room_desk *desk, struct room_place *place, struct slice in);

#endif
