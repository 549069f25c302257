/* SPDX-License-Identifier: MIT */
#include "session/channels_parts.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

#define ROOM_FIRST 4

struct channels *channels_new(const struct channels_config *config, struct channels_counts *counts,
                              const struct channels_ops *ops, void *owner)
{
    struct channels *cs = log_needed(calloc(1, sizeof(*cs)));
    if (!cs)
        return NULL;
    *cs = (struct channels){.config = config, .counts = counts, .ops = ops, .owner = owner};
    list_init(&cs->turns);
    return cs;
}

void *channels_owner(const struct channels *cs)
{
    return cs->owner;
}

uint32_t channels_count(const struct channels *cs)
{
    return cs->count;
}

size_t channels_kept(const struct channels *cs)
{
    return cs->kept;
}

size_t channels_held(const struct channels *cs)
{
    return cs->kept + cs->frames;
}

/* ---- memory ---- */

void channels_enter(struct channels *cs)
{
    cs->calls++;
}

static void free_buried(struct channels *cs)
{
    while (cs->buried) {
        struct channel *c = cs->buried;
        cs->buried = c->next_buried;
        free(c);
    }
}

void channels_leave(struct channels *cs)
{
    if (--cs->calls)
        return;
    free_buried(cs);
    if (!cs->over)
        return;
    free(cs->by_number);
    free(cs);
}

void channels_free(struct channels *cs, struct slice json)
{
    if (!cs || cs->over)
        return;
    channels_enter(cs);
    cs->over = true;
    cs->attached = false;
    while (cs->count)
        channel_over(cs->by_number[cs->count - 1], json);
    channels_leave(cs);
}

/* ---- numbers ---- */

/* The index of the first channel from `number` on. */
static uint32_t find_index(const struct channels *cs, uint32_t number)
{
    uint32_t low = 0, high = cs->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cs->by_number[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct channel *channels_from(const struct channels *cs, uint32_t number)
{
    uint32_t i = find_index(cs, number);
    return i < cs->count ? cs->by_number[i] : NULL;
}

struct channel *channels_find(const struct channels *cs, uint32_t number)
{
    struct channel *c = channels_from(cs, number);
    return c && c->number == number ? c : NULL;
}

static bool make_room(struct channels *cs)
{
    if (cs->count < cs->room)
        return true;
    uint32_t room = cs->room ? cs->room * 2 : ROOM_FIRST;
    struct channel **grown = log_needed(realloc(cs->by_number, room * sizeof(struct channel *)));
    if (!grown)
        return false;
    cs->by_number = grown;
    cs->room = room;
    return true;
}

struct channel *channels_add(struct channels *cs, uint32_t number)
{
    assert(number > cs->last);
    struct channel *c = make_room(cs) ? log_needed(calloc(1, sizeof(*c))) : NULL;
    if (!c)
        return NULL;
    c->set = cs;
    c->number = number;
    list_init(&c->turn);
    channel_count(c);
    cs->by_number[cs->count++] = c;
    cs->last = number;
    cs->counts->now++;
    cs->counts->opened++;
    return c;
}

void channels_bury(struct channel *c)
{
    struct channels *cs = c->set;
    uint32_t i = find_index(cs, c->number);
    cs->count--;
    memmove(cs->by_number + i, cs->by_number + i + 1, (cs->count - i) * sizeof(struct channel *));
    cs->counts->now--;
    list_remove(&c->turn);
    channel_out_clear(&c->out);
    channel_forget(c);
    c->next_buried = cs->buried;
    cs->buried = c;
}

/* ---- the wire ---- */

void channels_say(struct channels *cs, const struct channel_frame *frame)
{
    char text[CHANNEL_HEAD_MAX + CHANNEL_SHORT_MAX];
    if (!cs->attached)
        return;
    size_t len = channel_frame_head(frame, text);
    assert(frame->body.len <= CHANNEL_SHORT_MAX);
    if (frame->body.len)
        memcpy(text + len, frame->body.ptr, frame->body.len);
    cs->ops->send(cs, slice_make(text, len + frame->body.len), NULL, 0, 0);
}

/* Says the frames that name a channel on a new wire. */
static void name(struct channel *c)
{
    c->named = c->synced = false;
    if (c->state == CHANNEL_LIVE)
        channel_say_state(c);
    else if (c->state == CHANNEL_LEFT || !channels_serve(c->set))
        channel_say_frame(c);
}

void channels_attach(struct channels *cs)
{
    cs->attached = true;
    cs->untold = false;
    for (uint32_t i = 0; i < cs->count; i++)
        name(cs->by_number[i]);
}

void channels_detach(struct channels *cs)
{
    cs->attached = false;
    for (uint32_t i = 0; i < cs->count; i++)
        list_remove(&cs->by_number[i]->turn);
}

void channels_tell(struct channels *cs)
{
    cs->untold = false;
    for (uint32_t i = 0; i < cs->count; i++) {
        struct channel *c = cs->by_number[i];
        if (c->state == CHANNEL_LIVE && c->in.told < c->in.received)
            channel_say_state(c);
    }
}
