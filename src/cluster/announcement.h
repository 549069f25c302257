/* SPDX-License-Identifier: MIT */
/* announcement.h - what scripts/topics.lua announces in a topic's channel, and keeps of its events.
 *
 *   E EPOCH SEQ IDENT TIME FROM KEEP NAME LF DATA     an event. IDENT is OUTPOST.NUMBER; FROM is a
 *                                                     client's id or `-`; KEEP is 1, 0 or -
 *   P CHANGES OUTPOST ID DATA                         a client is there; without DATA: it left
 *   G CHANGES OUTPOST                                 all clients of an outpost left
 *
 * Pure. The broker is trusted, but what it says is checked as any input.
 */
#ifndef CLUSTER_ANNOUNCEMENT_H
#define CLUSTER_ANNOUNCEMENT_H

#include "hub/event.h"
#include "proto/topic.h"

enum {
    EPOCH_LEN = 12,
    IDENT_MAX = 40, /* OUTPOST.NUMBER */
    OUTPOST_MAX = 20
};

enum announcement_kind {
    ANNOUNCED_EVENT,
    ANNOUNCED_PRESENT, /* or left: data is empty */
    ANNOUNCED_GONE
};

/* The slices lie in what was parsed. */
struct announcement {
    enum announcement_kind kind;
    struct slice epoch, ident; /* of an event */
    uint64_t seq, time_ms;
    struct slice from; /* a client's id; SLICE_NONE: nobody's */
    enum topic_keep keep;
    struct slice name;
    struct slice data;    /* of an event or a client */
    uint64_t changes;     /* of presence: the number of this change */
    struct slice outpost; /* of presence */
    struct slice client;  /* its id */
};

/* False: it is none of ours. */
bool announcement_parse(struct slice in, struct announcement *ret);

#endif
