/* SPDX-License-Identifier: MIT */
/* channels_parts.h - struct channels and struct channel, and what their files call of each other.
 *
 *   channels.c          the set: numbers, wires, what its owner calls
 *   channel.c           one channel's life, what its owner calls
 *   channel_frames.c    what comes
 *   channel_turns.c     what goes: whose bytes are next
 *
 * channels.h has the diagram of the states.
 */
#ifndef SESSION_CHANNELS_PARTS_H
#define SESSION_CHANNELS_PARTS_H

#include "proto/channel_frame.h"
#include "session/channel_out.h"
#include "session/channels.h"

#define CHANNEL_SHORT_MAX 64

enum channel_state {
    CHANNEL_ASKED,
    CHANNEL_LIVE,
    CHANNEL_LEFT,
    CHANNEL_OVER
};

/* The receiver's side of one direction. */
struct channel_in {
    uint64_t received; /* bytes, and one for the END */
    uint64_t consumed; /* bytes */
    uint64_t told;     /* the `received` of the last STATE */
    uint64_t limit;    /* the highest that was granted */
    bool ended;
};

struct channel {
    struct channels *set;
    const struct channel_ops *ops; /* NULL: nobody is to hear of it */
    void *owner;
    struct list turn; /* among set->turns, while it has something to send */
    union {
        char *frame; /* owned: our OPEN, OPENED or RESET, to be said again; NULL: there is none, or
                        no memory for it */
        struct channel *next_buried;
    };
    size_t frame_len;
    struct channel_out out;
    struct channel_in in;
    uint32_t number;
    uint8_t state; /* enum channel_state */
    bool named;    /* by the other side, on this wire */
    bool synced;   /* their STATE has come on this wire */
    bool starved;  /* on_writable is owed */
};

struct channels {
    const struct channels_config *config; /* borrowed */
    struct channels_counts *counts;       /* borrowed */
    const struct channels_ops *ops;
    void *owner;
    struct channel **by_number; /* owned, rising */
    uint32_t count, room;
    uint32_t last;          /* the highest number that there was */
    uint32_t calls;         /* how many functions that call back are under way */
    struct list turns;      /* of channels that have something to send, the next one first */
    struct channel *buried; /* freed when no call is under way */
    bool attached;
    bool untold; /* tell_soon is under way */
    bool over;   /* channels_free() was called */
};

/* ---- channels.c ---- */

struct channel *channels_find(const struct channels *cs, uint32_t number);
/* `number` is the highest. NULL without memory. */
struct channel *channels_add(struct channels *cs, uint32_t number);
/* Freed later: channels_leave(). */
void channels_bury(struct channel *c);
static inline bool channels_serve(const struct channels *cs)
{
    return cs->ops->on_open;
}
/* Between these two nothing is freed. */
void channels_enter(struct channels *cs);
void channels_leave(struct channels *cs);
/* One frame, if there is a wire; a body has at most CHANNEL_SHORT_MAX bytes. */
void channels_say(struct channels *cs, const struct channel_frame *frame);

/* ---- channel.c ---- */

void channel_set_state(struct channel *c, enum channel_state next);
/* No memory for what a client wants. */
void channels_refuse(struct channels *cs, uint32_t number);
/* Our OPEN, OPENED or RESET; again too. */
void channel_say_frame(struct channel *c);
void channel_say_state(struct channel *c);
/* STATE, now if it is time for it, or soon. */
void channel_tell(struct channel *c);
/* It leaves the set, and the owner hears of it. */
void channel_over(struct channel *c, struct slice json);
/* Over if both directions are complete. True if so. */
bool channel_settle(struct channel *c);
/* The other side does not have it: GONE. */
void channel_gone(struct channel *c);

/* ---- channel_turns.c ---- */

/* It has something to send, or has not any more. */
void channel_queue(struct channel *c);
/* The same, and what the wire takes goes. */
void channel_send(struct channel *c);

#endif
