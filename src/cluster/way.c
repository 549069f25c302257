/* SPDX-License-Identifier: MIT */
#include "cluster/way_parts.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CONNECT_MS = 3000,
    HANDSHAKE_MS = 5000,
    LOOK_MS = 500,
    SPEAK_MS = 2000,
    SILENT_MS = 8000,
    IDLE_MS = 60000
};

const char *way_end_token(enum way_end end)
{
    static const char *const tokens[] = {
        [WAY_STOPPED] = "stopped",
        [WAY_IDLE] = "idle",
        [WAY_REFUSED] = "refused",
        [WAY_UNREACHABLE] = "unreachable",
        [WAY_NO_KEY] = "no-key",
        [WAY_ELSEWHERE] = "another-server",
        [WAY_LOST] = "lost",
        [WAY_SILENT] = "silent",
        [WAY_BROKEN_RULES] = "broken-rules",
    };
    return tokens[end];
}

const char *way_tag_print(uint32_t tag, char ret[WAY_TAG_TEXT])
{
    snprintf(ret, WAY_TAG_TEXT, "%08x", tag);
    return ret;
}

/* ---- the end ---- */

static void free_way(struct reap *reap)
{
    struct way *way = container_of(reap, struct way, reap);
    free(way->streams);
    free(way->uses);
    free(way);
}

void way_close(struct way *way, enum way_end end)
{
    if (way->state == WAY_CLOSED)
        return;
    if (way->state == WAY_CONNECTING)
        connector_cancel(&way->connector);
    way->state = WAY_CLOSED;
    timer_stop(&way->timer);
    way_reset_all(way);
    if (way->stream && (end == WAY_STOPPED || end == WAY_IDLE || end == WAY_ELSEWHERE))
        stream_finish(way->stream, LOOK_MS);
    else if (way->stream)
        stream_close(way->stream);
    way->stream = NULL;
    way->ops->on_closed(way, end);
    loop_reap(way->loop, &way->reap, free_way);
}

/* A stranger may try often: the log has a share for each address. */
static void say_refused(struct way *way)
{
    struct net_address peer = {0};
    char text[NET_ADDRESS_TEXT_MAX];
    const char *why = stream_tls_error(way->stream);
    stream_peer(way->stream, &peer);
    struct net_client_key client = net_client_key_of(&peer);
    log_warn("way.refused", log_cause(net_client_slice(&client)),
             log_slice("address", slice_make(text, net_address_print(&peer, text))),
             log_text("why", why ? why : "TLS"));
}

static void on_end(struct stream *stream, int error)
{
    struct way *way = stream->owner;
    bool no_key = way->state == WAY_SHAKING && error == -EPROTO;
    if (no_key)
        say_refused(way);
    way_close(way, no_key ? WAY_NO_KEY : WAY_LOST);
}

static void on_recv(struct stream *stream, struct bytes data)
{
    struct way *way = stream->owner;
    way->heard_ms = loop_now_ms(way->loop);
    way_receive(way, slice_from_bytes(data));
}

static void on_drain(struct stream *stream)
{
    way_drained(stream->owner);
}

static void on_secure(struct stream *stream)
{
    struct way *way = stream->owner;
    if (!way->accepted)
        way_say_hello(way, way->tag);
}

static const struct stream_ops stream_ops = {
    .on_recv = on_recv,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_secure = on_secure,
};

/* ---- time ---- */

static void look(struct timer *timer)
{
    struct way *way = container_of(timer, struct way, timer);
    uint64_t now = loop_now_ms(way->loop);
    if (now - timer->due_ms > LOOP_PAUSE_MS) /* we did not run: what has come is read first */
        way->heard_ms = now;
    timer_start(way->loop, timer, LOOK_MS);
    if (way->state == WAY_SHAKING) {
        if (now - way->began_ms >= HANDSHAKE_MS)
            way_close(way, WAY_UNREACHABLE);
        return;
    }
    if (now - way->heard_ms >= SILENT_MS)
        way_close(way, WAY_SILENT);
    else if (!way->accepted && way->count == 0 && now - way->used_ms >= IDLE_MS)
        way_close(way, WAY_IDLE);
    else if (now - way->said_ms >= SPEAK_MS)
        way_say(way, WAY_PING, 0, SLICE_NONE);
}

/* ---- the beginning ---- */

static struct way *new_way(struct loop *loop, uint32_t own_tag, const struct way_ops *ops,
                           void *owner)
{
    struct way *way = log_needed(calloc(1, sizeof(*way)));
    if (!way)
        return NULL;
    way->owner = owner;
    way->ops = ops;
    way->loop = loop;
    way->own_tag = own_tag;
    list_init(&way->node);
    list_init(&way->waiting);
    timer_init(&way->timer, look);
    return way;
}

static void begin(struct way *way, struct stream *stream)
{
    way->stream = stream;
    way->state = WAY_SHAKING;
    way->began_ms = way->heard_ms = way->said_ms = loop_now_ms(way->loop);
    stream_own(stream, &stream_ops, way);
    timer_start(way->loop, &way->timer, LOOK_MS);
}

static void on_connected(struct connector *connector, int fd_or_error)
{
    struct way *way = container_of(connector, struct way, connector);
    struct stream *stream =
        fd_or_error >= 0 ? stream_new_client(way->loop, fd_or_error, way->tls, "") : NULL;
    if (stream)
        begin(way, stream);
    else
        way_close(way, fd_or_error == -ECONNREFUSED ? WAY_REFUSED : WAY_UNREACHABLE);
}

struct way *way_connect(struct loop *loop, struct tls_context *tls,
                        const struct net_address *address, uint32_t own_tag, uint32_t tag,
                        const struct way_ops *ops, void *owner)
{
    struct way *way = new_way(loop, own_tag, ops, owner);
    if (!way)
        return NULL;
    way->tag = tag;
    way->tls = tls;
    way->state = WAY_CONNECTING;
    connector_start(loop, &way->connector, address, CONNECT_MS, on_connected);
    return way;
}

struct way *way_accept(struct stream *stream, uint32_t own_tag, const struct way_ops *ops,
                       void *owner)
{
    struct way *way = new_way(stream_loop(stream), own_tag, ops, owner);
    if (!way) {
        stream_close(stream);
        return NULL;
    }
    way->accepted = true;
    begin(way, stream);
    return way;
}
