/* SPDX-License-Identifier: MIT */
/* presence.h - who is there in one topic, and what the watchers have not been told yet.
 *
 *   show: ──> NEW ──told──> TOLD <──told── CHANGED <──show── TOLD, GONE
 *              │              │              │
 *             hide           hide           hide
 *              v              v              v
 *           forgotten       GONE ──told──> forgotten
 *
 * Changes gather until presence_tell(): a client that comes and goes in between is never mentioned,
 * and a thousand that come at once are one line.
 *
 * Threads  The home's.
 * Cost     Linear in the number that is there, which is bounded.
 */
#ifndef HUB_PRESENCE_H
#define HUB_PRESENCE_H

#include "base/list.h"
#include "base/text.h"
#include "hub/event.h"

struct presence {
    struct list members;
    uint32_t count; /* of those who are there, without those in GONE */
};

void presence_init(struct presence *presence);
void presence_clear(struct presence *presence);

/* Of whom a member is: this server, or another (upstream.h). Nobody but its owner hides it, and the
 * last one that shows it owns it; what is this server's own stays so. */
#define PRESENCE_OWN 0

enum presence_result {
    PRESENCE_SAME,    /* nothing to tell */
    PRESENCE_UNTOLD,  /* it is gone before anybody has heard of it */
    PRESENCE_CHANGED, /* presence_tell() has something to say */
    PRESENCE_FULL,
    PRESENCE_NO_MEMORY
};

/* `data` is a JSON object; it is copied. */
enum presence_result presence_show(struct presence *presence, uint64_t owner,
                                   const char id[HUB_ID_LEN], struct slice data,
                                   uint32_t count_max);
enum presence_result presence_hide(struct presence *presence, uint64_t owner,
                                   const char id[HUB_ID_LEN]);

/* All of one owner leave. */
enum presence_result presence_owner_gone(struct presence *presence, uint64_t owner);
/* Who is not this server's own, and is not shown until presence_end(), has left. */
void presence_begin(struct presence *presence);
enum presence_result presence_end(struct presence *presence);
/* Those of this server. */
void presence_each_own(const struct presence *presence,
                       void (*visit)(void *arg, const char id[HUB_ID_LEN], struct slice data),
                       void *arg);

/* Appends the line with everyone whom the watchers know of, for a new watcher. */
void presence_here(const struct presence *presence, struct slice topic, struct text *out);

/* Appends the line of what has changed since the last time; nothing if nothing has. */
void presence_changes(const struct presence *presence, struct slice topic, struct text *out);
/* The changes have been told. */
void presence_told(struct presence *presence);

/* For the process that takes over. presence_unpack() is true if there is something to tell; the
 * members of others are left out if `own_only`, and watchers are told that they have left. */
void presence_pack(const struct presence *presence, struct pack *p);
bool presence_unpack(struct presence *presence, struct slice in, bool own_only);

#endif
