/* SPDX-License-Identifier: MIT */
/* shared_members.h - the pages of a shared process, in the order of their coming and by id.
 *
 * Lifetime  The members are their owners'; one leaves before it is freed.
 * Cost      By id: a hash and a short chain, or nothing for the one that was found last: lines of a
 *           page often come together. Growing, once for each doubling: all of them.
 */
#ifndef PROGRAM_SHARED_MEMBERS_H
#define PROGRAM_SHARED_MEMBERS_H

#include "program/shared.h"

struct shared_members {
    struct list list; /* of shared_member.node */
    struct shared_member **buckets;
    uint32_t bucket_count, count;
    struct shared_member *last; /* that was found; NULL: it has left */
};

static inline struct slice shared_member_id(const struct shared_member *m)
{
    return slice_make(m->id, SHARED_ID_LEN);
}

/* False without memory: nothing is to be undone. */
bool shared_members_init(struct shared_members *all);
void shared_members_done(struct shared_members *all);
void shared_members_add(struct shared_members *all, struct shared_member *m);
void shared_members_remove(struct shared_members *all, struct shared_member *m);
/* NULL: nobody has this id. */
struct shared_member *shared_members_find(struct shared_members *all, struct slice id);

#endif
