/* SPDX-License-Identifier: MIT */
/* channels_parts.h - struct channels and struct channel, and what their files call of each other.
 *
 *   channels.c          the set: numbers, wires, what its owner calls
 *   channel.c           one channel: its states, what its owner calls
 *   channel_frames.c    what comes
 *   channel_turns.c     what goes: whose bytes are next
 *   channel_pack.c      for the process that takes over
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
    const struct channel_ops *ops; /* NULL: there is no owner to tell */
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
    uint32_t kept;    /* its part of set->kept */
    uint32_t granted; /* its part of set->granted */
    uint32_t allowed; /* bytes that may be kept */
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
    uint32_t last;          /* the highest number so far */
    size_t kept;            /* bytes that the other side has not received */
    size_t granted;         /* bytes that the other side may send now, or that are not consumed */
    size_t frames;          /* bytes of the channels' frames */
    uint32_t calls;         /* how many functions that call back are under way */
    struct list turns;      /* of channels that have something to send, the next one first */
    struct channel *buried; /* freed when no call is under way */
    bool attached;
    bool untold;  /* tell_soon is under way */
    bool cramped; /* a channel was allowed to keep less than a window */
    bool over;    /* channels_free() was called */
};

/* ---- channels.c ---- */

/* The first one whose number is not below `number`. */
struct channel *channels_from(const struct channels *cs, uint32_t number);
struct channel *channels_find(const struct channels *cs, uint32_t number);
/* `number` is higher than every other. NULL without memory. */
struct channel *channels_add(struct channels *cs, uint32_t number);
/* The channel is freed by channels_leave(). */
void channels_bury(struct channel *c);
static inline bool channels_serve(const struct channels *cs)
{
    return cs->ops->on_open;
}
/* Between channels_enter() and channels_leave() nothing is freed. */
void channels_enter(struct channels *cs);
void channels_leave(struct channels *cs);
/* One frame, if there is a wire; a body has at most CHANNEL_SHORT_MAX bytes. */
void channels_say(struct channels *cs, const struct channel_frame *frame);

/* ---- channel.c ---- */

/* Counts again what the channel keeps and what was granted; and whether it may keep more. It may
 * keep less after its owner's own write alone, when the owner looks. */
void channel_count(struct channel *c);
/* The channels keep so much together that one more may keep little. */
bool channels_keep_much(const struct channels *cs);
/* It holds nothing any more. */
void channel_forget(struct channel *c);

void channel_set_state(struct channel *c, enum channel_state next);
/* Refuses a client's stream for want of memory. */
void channels_refuse(struct channels *cs, uint32_t number);
/* Says our OPEN, OPENED or RESET, for the first time or again. */
void channel_say_frame(struct channel *c);
void channel_say_state(struct channel *c);
/* Says a STATE, now if it is time for one, or soon. */
void channel_tell(struct channel *c);
/* The channel leaves the set, and the owner is told. */
void channel_over(struct channel *c, struct slice json);
/* Ends the channel if both directions are complete. True if so. */
bool channel_settle(struct channel *c);
/* The other side no longer has the channel (a GONE, or not named): it is over. */
void channel_gone(struct channel *c);

/* ---- channel_turns.c ---- */

/* Lets the channel take turns if it has something to send, and no longer if not. */
void channel_queue(struct channel *c);
/* As channel_queue(), and sends as much as the wire takes. */
void channel_send(struct channel *c);

#endif
