/* SPDX-License-Identifier: MIT */
/* channel_pack.c - the channels of a session, for the process that takes over. Their owners own
 * them again by their numbers (channels_reclaim); a channel that nobody reclaims is reset. */
#include "session/channels_parts.h"

#include "base/log.h"
#include "base/pack.h"

#include <stdlib.h>

enum {
    LAST = 1,
    UNTOLD,
    CHANNEL,
    /* of a channel */
    NUMBER = 1,
    STATE,
    FRAME,
    OUT,
    RECEIVED,
    CONSUMED,
    TOLD,
    LIMIT,
    IN_ENDED,
    NAMED,
    SYNCED,
    STARVED,
};

static void pack_channel(const struct channel *c, struct pack *p)
{
    pack_number(p, NUMBER, c->number);
    pack_number(p, STATE, c->state);
    if (c->frame)
        pack_slice(p, FRAME, slice_make(c->frame, c->frame_len));
    size_t out = pack_begin(p, OUT);
    channel_out_pack(&c->out, p);
    pack_end(p, out);
    pack_number(p, RECEIVED, c->in.received);
    pack_number(p, CONSUMED, c->in.consumed);
    pack_number(p, TOLD, c->in.told);
    pack_number(p, LIMIT, c->in.limit);
    pack_number(p, IN_ENDED, c->in.ended);
    pack_number(p, NAMED, c->named);
    pack_number(p, SYNCED, c->synced);
    pack_number(p, STARVED, c->starved);
}

void channels_pack(const struct channels *cs, struct pack *p)
{
    pack_number(p, LAST, cs->last);
    pack_number(p, UNTOLD, cs->untold);
    for (uint32_t i = 0; i < cs->count; i++) {
        size_t channel = pack_begin(p, CHANNEL);
        pack_channel(cs->by_number[i], p);
        pack_end(p, channel);
    }
}

/* ---- read ---- */

static bool unpack_frame(struct channel *c, struct slice frame)
{
    if (frame.len == 0)
        return true;
    c->frame = log_needed(malloc(frame.len));
    if (!c->frame)
        return false;
    memcpy(c->frame, frame.ptr, frame.len);
    c->frame_len = frame.len;
    c->set->frames += frame.len;
    return true;
}

static bool unpack_channel(struct channels *cs, struct slice in)
{
    uint64_t number = packed_number(in, NUMBER), state = packed_number(in, STATE);
    if (number <= cs->last || number > UINT32_MAX || state > CHANNEL_LEFT)
        return false;
    struct channel *c = channels_add(cs, (uint32_t)number);
    if (!c)
        return false;
    cs->counts->opened--; /* it was counted before */
    c->state = (uint8_t)state;
    c->in = (struct channel_in){
        .received = packed_number(in, RECEIVED),
        .consumed = packed_number(in, CONSUMED),
        .told = packed_number(in, TOLD),
        .limit = packed_number(in, LIMIT),
        .ended = packed_number(in, IN_ENDED),
    };
    c->named = packed_number(in, NAMED);
    c->synced = packed_number(in, SYNCED);
    c->starved = packed_number(in, STARVED);
    bool good = unpack_frame(c, packed_slice(in, FRAME)) &&
                channel_out_unpack(&c->out, packed_slice(in, OUT));
    channel_count(c);
    return good;
}

bool channels_unpack(struct channels *cs, struct slice in)
{
    struct slice rest = in;
    for (struct packed field; packed_next(&rest, &field);)
        if (field.tag == CHANNEL && !unpack_channel(cs, field.value))
            return false;
    cs->last = (uint32_t)packed_number(in, LAST);
    cs->untold = packed_number(in, UNTOLD);
    return true;
}

struct channel *channels_reclaim(struct channels *cs, uint32_t number,
                                 const struct channel_ops *ops, void *owner)
{
    struct channel *c = channels_find(cs, number);
    if (!c || c->ops || c->state >= CHANNEL_LEFT)
        return NULL;
    channel_own(c, ops, owner);
    return c;
}

void channels_reset_unclaimed(struct channels *cs, struct slice json)
{
    for (uint32_t i = 0; i < cs->count; i++) {
        struct channel *c = cs->by_number[i];
        if (!c->ops && c->state < CHANNEL_LEFT)
            channel_reset(c, json);
    }
}

void channels_go_on(struct channels *cs)
{
    cs->attached = true;
    for (uint32_t i = 0; i < cs->count; i++)
        channel_queue(cs->by_number[i]);
    if (cs->untold)
        cs->ops->tell_soon(cs);
}
