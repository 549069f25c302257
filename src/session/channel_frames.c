/* SPDX-License-Identifier: MIT */
/* channel_frames.c - the frames of the other side. A function returns NULL, or what is wrong as a
 * static text. */
#include "session/channels_parts.h"

static const char *take_again(struct channel *c)
{
    if (c->state != CHANNEL_LIVE)
        return NULL;
    channel_say_frame(c);
    channel_say_state(c);
    return NULL;
}

/* A client names all channels that it still has before it opens a new one (docs/protocol.md,
 * section 10). Those that it has not named are gone. */
static void drop_unnamed(struct channels *cs)
{
    for (uint32_t i = 0; i < cs->count;) {
        if (cs->by_number[i]->named)
            i++;
        else
            channel_gone(cs->by_number[i]);
    }
}

static const char *take_open(struct channels *cs, const struct channel_frame *f)
{
    struct channel *c = channels_find(cs, f->channel);
    if (!channels_serve(cs))
        return "an OPEN of the server";
    if (c) {
        c->named = true;
        return take_again(c);
    }
    if (f->channel <= cs->last)
        return "a channel's number that does not rise";
    drop_unnamed(cs);
    if (cs->over)
        return NULL;
    if (cs->count >= cs->config->channels_max)
        return "more streams than allowed";
    c = channels_add(cs, f->channel);
    if (!c) {
        cs->last = f->channel;
        channels_refuse(cs, f->channel);
        return NULL;
    }
    c->named = true;
    cs->ops->on_open(cs, c, f->body);
    return NULL;
}

static const char *take_opened(struct channel *c, const struct channel_frame *f)
{
    if (channels_serve(c->set))
        return "an OPENED of the client";
    if (c->state != CHANNEL_ASKED)
        return NULL;
    channel_set_state(c, CHANNEL_LIVE);
    channel_say_state(c);
    if (c->ops->on_opened)
        c->ops->on_opened(c, f->body);
    channel_send(c);
    return NULL;
}

static const char *take_data(struct channel *c, struct bytes data)
{
    if (c->state == CHANNEL_LEFT)
        return NULL;
    if (c->in.ended)
        return "bytes after END";
    if (data.len > c->in.limit - c->in.received)
        return "bytes beyond the limit";
    c->in.received += data.len;
    c->set->counts->bytes_in += data.len;
    c->ops->on_data(c, data);
    channel_tell(c);
    return NULL;
}

static const char *take_end(struct channel *c)
{
    if (c->state == CHANNEL_LEFT)
        return NULL;
    if (c->state == CHANNEL_ASKED)
        return "an END before OPENED";
    if (c->in.ended)
        return "a second END";
    c->in.ended = true;
    c->in.received++;
    channel_say_state(c);
    c->ops->on_end(c);
    channel_settle(c);
    return NULL;
}

static bool hear(struct channel *c, const struct channel_frame *f)
{
    if (c->synced)
        return channel_out_heard(&c->out, f->received, f->limit);
    uint64_t sent = c->out.sent;
    c->synced = channel_out_resume(&c->out, f->received, f->limit);
    if (c->synced)
        c->set->counts->replayed_bytes += sent - f->received;
    return c->synced;
}

static void take_room(struct channel *c)
{
    if (!c->starved || channel_writable(c) < c->allowed / 4)
        return;
    c->starved = false;
    if (c->ops->on_writable)
        c->ops->on_writable(c);
}

/* Our reset has crossed the stream's good end: the other side is done with it, and may have opened
 * another one in its place before it hears of the reset. */
static void take_last_state(struct channel *c, const struct channel_frame *f)
{
    if (c->in.ended && c->out.ended && f->received > c->out.written)
        channel_over(c, SLICE_NONE);
}

static const char *take_state(struct channel *c, const struct channel_frame *f)
{
    if (c->state == CHANNEL_LEFT) {
        take_last_state(c, f);
        return NULL;
    }
    if (!hear(c, f))
        return "a STATE that falls or counts what was not sent";
    channel_count(c);
    if (channel_settle(c))
        return NULL;
    channel_send(c);
    take_room(c);
    return NULL;
}

static void take_reset(struct channels *cs, struct channel *c, const struct channel_frame *f)
{
    channels_say(cs, &(struct channel_frame){.type = CHANNEL_GONE, .channel = f->channel});
    if (c)
        channel_over(c, f->body);
}

/* A frame for a channel that is there. */
static const char *take(struct channel *c, const struct channel_frame *f, struct bytes body)
{
    c->named = true;
    switch (f->type) {
    case CHANNEL_OPENED:
        return take_opened(c, f);
    case CHANNEL_DATA:
        return take_data(c, body);
    case CHANNEL_STATE:
        return take_state(c, f);
    case CHANNEL_END:
        return take_end(c);
    case CHANNEL_RESET:
        take_reset(c->set, c, f);
        return NULL;
    case CHANNEL_GONE:
        channel_gone(c);
        return NULL;
    case CHANNEL_OPEN:
        break;
    }
    return take_open(c->set, f);
}

static const char *receive(struct channels *cs, struct bytes frame)
{
    struct channel_frame f = {0};
    if (channel_frame_parse(slice_from_bytes(frame), &f) != PARSE_OK)
        return f.why;
    struct channel *c = channels_find(cs, f.channel);
    if (c)
        return take(c, &f, (struct bytes){frame.ptr + CHANNEL_HEAD_SIZE, f.body.len});
    if (f.type == CHANNEL_OPEN)
        return take_open(cs, &f);
    if (f.type != CHANNEL_GONE)
        channels_say(cs, &(struct channel_frame){.type = CHANNEL_GONE, .channel = f.channel});
    return NULL;
}

/* The channels keep little again: those that had to wait with less than a window go on, since no
 * STATE may come for them. */
static void end_crowd(struct channels *cs)
{
    cs->cramped = false;
    for (struct channel *c = channels_from(cs, 0); c; c = channels_from(cs, c->number + 1)) {
        if (!c->starved || c->state != CHANNEL_LIVE)
            continue;
        channel_count(c);
        take_room(c);
    }
}

bool channels_receive(struct channels *cs, struct bytes frame, const char **why)
{
    if (cs->over)
        return true;
    channels_enter(cs);
    const char *breach = receive(cs, frame);
    if (!breach && cs->cramped && !channels_keep_much(cs))
        end_crowd(cs);
    channels_leave(cs);
    if (breach)
        *why = breach;
    return !breach;
}
