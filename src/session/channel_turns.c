/* SPDX-License-Identifier: MIT */
/* channel_turns.c - whose bytes go next. */
#include "session/channels_parts.h"

static bool may_send(const struct channel *c)
{
    return c->set->attached && c->synced && c->state == CHANNEL_LIVE &&
           (channel_out_part(&c->out, 1).len || channel_out_end_due(&c->out));
}

void channel_queue(struct channel *c)
{
    if (!may_send(c))
        list_remove(&c->turn);
    else if (list_empty(&c->turn))
        list_append(&c->set->turns, &c->turn);
}

/* One DATA of at most `max` bytes. */
static size_t send_data(struct channel *c, size_t max)
{
    struct channels *cs = c->set;
    char head[CHANNEL_HEAD_MAX];
    struct channel_part part = channel_out_part(&c->out, max);
    if (!part.len)
        return 0;
    size_t head_len = channel_frame_head(
        &(struct channel_frame){.type = CHANNEL_DATA, .channel = c->number}, head);
    cs->ops->send(cs, slice_make(head, head_len), part.shared, part.at, part.len);
    channel_out_advance(&c->out, part.len);
    cs->counts->bytes_out += part.len;
    return part.len;
}

/* The largest body that the other side takes. */
static size_t frame_max(const struct channels *cs)
{
    uint32_t max = cs->config->message_max;
    if (!max)
        return CHANNEL_DATA_MAX;
    return max > CHANNEL_HEAD_SIZE ? max - CHANNEL_HEAD_SIZE : 1;
}

static void take_turn(struct channel *c, size_t quantum)
{
    size_t max = frame_max(c->set), sent;
    do {
        sent = send_data(c, quantum < max ? quantum : max);
        quantum -= sent;
    } while (sent && quantum);
    if (!channel_out_end_due(&c->out))
        return;
    channels_say(c->set, &(struct channel_frame){.type = CHANNEL_END, .channel = c->number});
    channel_out_advance(&c->out, 1);
}

/* No other channel waits for its turn: larger frames, but not much more than the wire takes. */
static size_t lone_quantum(size_t room)
{
    size_t most = room < CHANNEL_DATA_MAX ? room : CHANNEL_DATA_MAX;
    return most > CHANNEL_QUANTUM ? most : CHANNEL_QUANTUM;
}

void channels_pump(struct channels *cs)
{
    size_t room;
    while (!list_empty(&cs->turns) && (room = cs->ops->room(cs)) > 0) {
        struct channel *c = container_of(list_pop(&cs->turns), struct channel, turn);
        take_turn(c, list_empty(&cs->turns) ? lone_quantum(room) : CHANNEL_QUANTUM);
        channel_queue(c);
    }
}

void channel_send(struct channel *c)
{
    channel_queue(c);
    channels_pump(c->set);
}
