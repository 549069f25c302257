/* SPDX-License-Identifier: MIT */
/* streams.c - the byte streams of a client's session: session/channels.h on
 * the link's WebSocket. */
#include "client/parts.h"

#include "proto/channel_frame.h"

enum {
    STREAM_WINDOW = 1 << 20,
    WIRE_QUEUED_MAX = 65536,   /* a message waits behind no more */
    KERNEL_UNSENT_MAX = 65536, /* nor behind more in the kernel */
    TELL_MS = 250
};

static void send_frame(struct channels *cs, struct slice head, struct shared_bytes *body, size_t at,
                       size_t len)
{
    struct httpsocket *c = channels_owner(cs);
    if (len)
        ws_peer_send_shared(c->peer, head, body, at, len);
    else
        ws_peer_send(c->peer, WS_OP_BINARY, &head, 1);
}

static size_t wire_room(struct channels *cs)
{
    const struct httpsocket *c = channels_owner(cs);
    size_t queued = ws_peer_queued(c->peer);
    return queued < WIRE_QUEUED_MAX ? WIRE_QUEUED_MAX - queued : 0;
}

static void tell_soon(struct channels *cs)
{
    struct httpsocket *c = channels_owner(cs);
    timer_start(c->loop, &c->tell, TELL_MS);
}

static const struct channels_ops ops = {
    .send = send_frame, .room = wire_room, .tell_soon = tell_soon};

static void tell(struct timer *timer)
{
    struct httpsocket *c = container_of(timer, struct httpsocket, tell);
    channels_tell(c->channels);
}

void streams_set_up(struct httpsocket *c)
{
    timer_init(&c->tell, tell);
    list_init(&c->tcp_waiting);
    list_init(&c->tcp);
    c->channels_config.window = STREAM_WINDOW;
}

static bool is_open(const struct httpsocket *c)
{
    return c->peer && (c->state == CLIENT_OPEN || c->state == CLIENT_LEAVING);
}

static void attach(struct httpsocket *c)
{
    stream_keep_shallow(ws_peer_stream(c->peer), KERNEL_UNSENT_MAX);
    channels_attach(c->channels);
}

bool streams_begin(struct httpsocket *c)
{
    if (c->channels)
        return true;
    c->channels = channels_new(&c->channels_config, &c->channels_counts, &ops, c);
    if (c->channels && is_open(c))
        attach(c);
    return c->channels;
}

void streams_attach(struct httpsocket *c)
{
    const struct welcome *w = &c->welcome;
    c->channels_config.channels_max = (uint32_t)w->streams;
    if (w->stream_window > 0 && w->stream_window < STREAM_WINDOW)
        c->channels_config.window = (uint32_t)w->stream_window; /* so that it is told in time */
    c->channels_config.message_max =
        w->message_max < UINT32_MAX ? (uint32_t)w->message_max : UINT32_MAX;
    if (c->channels)
        attach(c);
}

void streams_detach(struct httpsocket *c)
{
    timer_stop(&c->tell);
    if (c->channels)
        channels_detach(c->channels);
}

void streams_receive(struct httpsocket *c, struct bytes frame)
{
    const char *why;
    client_liveness_heard(c);
    backoff_worked(&c->backoff);
    if (!is_open(c))
        link_breach(c, "no .welcome first");
    else if (!streams_begin(c))
        link_drop(c, "no memory");
    else if (!channels_receive(c->channels, frame, &why))
        link_breach(c, why);
}

void streams_drained(struct httpsocket *c)
{
    if (c->channels && is_open(c))
        channels_pump(c->channels);
}

void streams_end(struct httpsocket *c, struct slice json)
{
    struct channels *channels = c->channels;
    c->channels = NULL;
    timer_stop(&c->tell);
    channels_free(channels, json);
}
