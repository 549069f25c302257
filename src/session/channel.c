/* SPDX-License-Identifier: MIT */
#include "session/channels_parts.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

#define OVERLOAD SLICE_LITERAL("{\"reason\":\"overload\"}")
#define LOST     SLICE_LITERAL("{\"reason\":\"stream-gone\"}")

_Static_assert(sizeof(struct channel) <= 208, "an idle channel is small");

void channel_set_state(struct channel *c, enum channel_state next)
{
    static const uint8_t allowed[] = {
        [CHANNEL_ASKED] = 1 << CHANNEL_LIVE | 1 << CHANNEL_LEFT | 1 << CHANNEL_OVER,
        [CHANNEL_LIVE] = 1 << CHANNEL_LEFT | 1 << CHANNEL_OVER,
        [CHANNEL_LEFT] = 1 << CHANNEL_OVER,
        [CHANNEL_OVER] = 0,
    };
    assert(allowed[c->state] >> next & 1);
    c->state = (uint8_t)next;
}

/* ---- what it holds ---- */

static bool is_crowd(const struct channels *cs, size_t bytes)
{
    return bytes >= CHANNELS_WINDOWS * (size_t)cs->config->window;
}

bool channels_keep_much(const struct channels *cs)
{
    return is_crowd(cs, cs->kept);
}

static size_t window_in(const struct channel *c)
{
    size_t window = c->set->config->window;
    bool small = window > CHANNEL_GRANT_SMALL && is_crowd(c->set, c->set->granted - c->granted);
    return small ? CHANNEL_GRANT_SMALL : window;
}

static size_t window_out(const struct channel *c)
{
    size_t window = c->set->config->window;
    bool small = window > CHANNEL_KEPT_SMALL && channels_keep_much(c->set);
    return small ? CHANNEL_KEPT_SMALL : window;
}

void channel_count(struct channel *c)
{
    struct channels *cs = c->set;
    bool live = c->state < CHANNEL_LEFT;
    uint32_t kept = live ? (uint32_t)channel_out_kept(&c->out) : 0;
    uint32_t granted =
        live && c->in.limit > c->in.consumed ? (uint32_t)(c->in.limit - c->in.consumed) : 0;
    cs->kept += (size_t)kept - c->kept;
    cs->granted += (size_t)granted - c->granted;
    c->kept = kept;
    c->granted = granted;
    uint32_t allowed = (uint32_t)window_out(c);
    if (c->allowed < allowed)
        c->allowed = allowed;
}

static void forget_frame(struct channel *c)
{
    c->set->frames -= c->frame ? c->frame_len : 0;
    free(c->frame);
    c->frame = NULL;
}

void channel_forget(struct channel *c)
{
    forget_frame(c);
    c->set->kept -= c->kept;
    c->set->granted -= c->granted;
    c->kept = c->granted = 0;
}

/* ---- what is said of it ---- */

/* False without memory: channel_say_frame() finds something to say. */
static bool keep_frame(struct channel *c, enum channel_frame_type type, struct slice json)
{
    char head[CHANNEL_HEAD_MAX];
    channel_frame_head(&(struct channel_frame){.type = type, .channel = c->number}, head);
    forget_frame(c);
    c->frame_len = CHANNEL_HEAD_SIZE + json.len;
    c->frame = log_needed(malloc(c->frame_len));
    if (!c->frame)
        return false;
    c->set->frames += c->frame_len;
    memcpy(c->frame, head, CHANNEL_HEAD_SIZE);
    memcpy(c->frame + CHANNEL_HEAD_SIZE, json.ptr, json.len);
    return true;
}

void channels_refuse(struct channels *cs, uint32_t number)
{
    channels_say(
        cs, &(struct channel_frame){.type = CHANNEL_RESET, .channel = number, .body = OVERLOAD});
}

void channel_say_frame(struct channel *c)
{
    if (!c->set->attached)
        return;
    if (c->frame)
        c->set->ops->send(c->set, slice_make(c->frame, c->frame_len), NULL, 0, 0);
    else if (c->state == CHANNEL_LEFT)
        channels_refuse(c->set, c->number);
    else
        channels_say(c->set, &(struct channel_frame){.type = CHANNEL_OPENED,
                                                     .channel = c->number,
                                                     .body = SLICE_LITERAL("{}")});
}

/* The most that may be granted now. */
static uint64_t grant(const struct channel *c)
{
    uint64_t all = c->in.consumed + window_in(c);
    return all > c->in.limit ? all : c->in.limit;
}

void channel_say_state(struct channel *c)
{
    if (!c->set->attached)
        return;
    c->in.told = c->in.received;
    c->in.limit = grant(c);
    channel_count(c);
    channels_say(c->set, &(struct channel_frame){.type = CHANNEL_STATE,
                                                 .channel = c->number,
                                                 .received = c->in.received,
                                                 .limit = c->in.limit});
}

void channel_tell(struct channel *c)
{
    struct channels *cs = c->set;
    size_t window = window_in(c);
    uint64_t quarter = window < 4 ? 1 : window / 4;
    if (!cs->attached || c->state != CHANNEL_LIVE || c->in.ended)
        return;
    uint64_t told_at = quarter < CHANNEL_TOLD_AT ? quarter : CHANNEL_TOLD_AT;
    if (c->in.received - c->in.told >= told_at || grant(c) - c->in.limit >= quarter) {
        channel_say_state(c);
    } else if (!cs->untold && c->in.told < c->in.received) {
        cs->untold = true;
        cs->ops->tell_soon(cs);
    }
}

/* ---- its end ---- */

void channel_over(struct channel *c, struct slice json)
{
    const struct channel_ops *ops = c->ops;
    if (json.len && c->state != CHANNEL_LEFT)
        c->set->counts->reset++;
    channel_set_state(c, CHANNEL_OVER);
    channels_bury(c);
    if (ops)
        ops->on_over(c, json);
}

bool channel_settle(struct channel *c)
{
    if (c->state != CHANNEL_LIVE || !c->in.ended || !channel_out_complete(&c->out))
        return false;
    channel_over(c, SLICE_NONE);
    return true;
}

void channel_gone(struct channel *c)
{
    bool complete = c->in.ended && c->out.ended && c->out.sent > c->out.written;
    channel_over(c, complete ? SLICE_NONE : LOST);
}

/* ---- what its owner calls ---- */

struct channel *channel_open(struct channels *cs, struct slice json, const struct channel_ops *ops,
                             void *owner)
{
    assert(!channels_serve(cs));
    struct channel *c = cs->over || cs->last == UINT32_MAX ? NULL : channels_add(cs, cs->last + 1);
    if (!c)
        return NULL;
    channel_own(c, ops, owner);
    if (!keep_frame(c, CHANNEL_OPEN, json)) {
        channels_bury(c);
        return NULL;
    }
    channel_say_frame(c);
    return c;
}

void channel_accept(struct channel *c, struct slice json)
{
    channel_set_state(c, CHANNEL_LIVE);
    keep_frame(c, CHANNEL_OPENED, json);
    channel_say_frame(c);
    channel_say_state(c);
    channel_send(c);
}

void channel_own(struct channel *c, const struct channel_ops *ops, void *owner)
{
    c->ops = ops;
    c->owner = owner;
}

void *channel_owner(const struct channel *c)
{
    return c->owner;
}

struct channels *channel_set(const struct channel *c)
{
    return c->set;
}

uint32_t channel_number(const struct channel *c)
{
    return c->number;
}

size_t channel_writable(const struct channel *c)
{
    size_t kept = channel_out_kept(&c->out);
    return kept < c->allowed ? c->allowed - kept : 0;
}

size_t channel_kept(const struct channel *c)
{
    return channel_out_kept(&c->out);
}

/* Sends what was written, if it could be kept. */
static bool written(struct channel *c, bool kept)
{
    if (!kept) {
        channel_reset(c, OVERLOAD);
        return false;
    }
    channel_count(c);
    c->allowed = (uint32_t)window_out(c);
    c->set->cramped = c->set->cramped || c->allowed < c->set->config->window;
    if (c->set->ops->grown)
        c->set->ops->grown(c->set);
    c->starved = c->starved || channel_writable(c) == 0;
    channel_send(c);
    return true;
}

bool channel_write(struct channel *c, struct slice data)
{
    assert(data.len <= channel_writable(c));
    return written(c, channel_out_copy(&c->out, data));
}

bool channel_write_shared(struct channel *c, struct shared_bytes *shared, size_t at, size_t len)
{
    assert(len <= channel_writable(c));
    return written(c, channel_out_share(&c->out, shared, at, len));
}

void channel_end(struct channel *c)
{
    c->out.ended = true;
    channel_send(c);
}

void channel_consumed(struct channel *c, size_t n)
{
    c->in.consumed += n;
    assert(c->in.consumed <= c->in.received);
    channel_count(c);
    channel_tell(c);
}

void channel_reset(struct channel *c, struct slice json)
{
    struct channels *cs = c->set;
    bool refused = c->state == CHANNEL_ASKED && channels_serve(cs);
    c->ops = NULL;
    channel_set_state(c, CHANNEL_LEFT);
    cs->counts->reset++;
    channel_out_clear(&c->out);
    list_remove(&c->turn);
    channel_count(c);
    keep_frame(c, CHANNEL_RESET, json);
    channel_say_frame(c);
    if (refused && cs->ops->on_refused)
        cs->ops->on_refused(cs);
}
