/* SPDX-License-Identifier: MIT */
/* rest.c - connections come to rest between two requests, and are handed to the process that takes
 * over. */
#include "http/connection.h"

#include "base/pack.h"

#include "core/loop.h"

enum {
    CONNECTION = 1,
    LINGERING, /* a stream whose owner has finished it */
    /* of a connection */
    STREAM = 1,
    INPUT,
    USED,
    LINGERS, /* it reads until its client has ended its side */
    AT_END,  /* the client has ended its side */
};

/* `each` may unlink the connection that it is given, and no other. */
static void each_connection(struct http_server *server, void (*each)(struct connection *c))
{
    struct list *next;
    for (struct list *node = server->connections.next; node != &server->connections; node = next) {
        next = node->next;
        each(container_of(node, struct connection, node));
    }
}

void http_server_rest(struct http_server *server, bool rests)
{
    server->resting = rests;
    each_connection(server, rests ? connection_update_reading : connection_go_on);
}

static bool is_busy(const struct connection *c)
{
    bool secure = stream_secure(c->stream);
    return c->exchange || c->state == CONNECTION_DRAIN || (secure && stream_queued(c->stream) > 0);
}

bool http_server_busy(const struct http_server *server)
{
    const struct list *all = &server->connections;
    for (const struct list *node = all->next; node != all; node = node->next)
        if (is_busy(container_of(node, const struct connection, node)))
            return true;
    return false;
}

/* A client that sees no proper end knows that the answer is not whole. */
static void break_off(struct connection *c)
{
    bool by_end = c->exchange->framing == FRAMING_CLOSE;
    exchange_abort(c->exchange);
    if (c->state == CONNECTION_GONE)
        return;
    if (by_end)
        connection_reset(c);
    else
        connection_break(c);
}

static void cut(struct connection *c)
{
    if (c->state == CONNECTION_DRAIN)
        connection_break(c);
    else if (c->exchange && c->exchange->responded)
        break_off(c);
    else if (c->exchange)
        connection_refuse(c, 503, "the server is being replaced, and this took too long");
}

void http_server_cut(struct http_server *server)
{
    each_connection(server, cut);
}

static void part(struct connection *c)
{
    if (stream_secure(c->stream))
        connection_break(c);
}

void http_server_part(struct http_server *server)
{
    each_connection(server, part);
}

/* ---- packed ---- */

static void pack_connection(const struct connection *c, struct pack *p)
{
    size_t stream = pack_begin(p, STREAM);
    stream_pack(c->stream, p);
    pack_end(p, stream);
    pack_slice(p, INPUT, slice_from_bytes(c->in));
    pack_number(p, USED, c->used);
    pack_number(p, LINGERS, c->state == CONNECTION_LINGER || c->closing || c->refusing);
    pack_number(p, AT_END, c->eof);
}

void http_server_pack(const struct http_server *server, struct pack *p)
{
    const struct list *all = &server->connections;
    for (const struct list *node = all->next; node != all; node = node->next) {
        const struct connection *c = container_of(node, const struct connection, node);
        if (c->exchange || !stream_may_pack(c->stream))
            continue;
        size_t field = pack_begin(p, CONNECTION);
        pack_connection(c, p);
        pack_end(p, field);
    }
    streams_pack_lingering(server->loop, LINGERING, p);
}

void http_parcel_pack(const struct http_parcel *parcel, struct pack *p)
{
    size_t field = pack_begin(p, CONNECTION), stream = pack_begin(p, STREAM);
    stream_parcel_pack(&parcel->stream, p);
    pack_end(p, stream);
    pack_slice(p, INPUT, slice_make(parcel->bytes, parcel->len));
    pack_number(p, USED, true);
    pack_end(p, field);
}

static void unpack_connection(struct http_server *server, struct slice in)
{
    struct slice input = packed_slice(in, INPUT);
    struct stream *stream = stream_unpack(server->loop, packed_slice(in, STREAM));
    if (!stream)
        return;
    if (packed_number(in, LINGERS)) {
        stream_resume(stream);
        stream_finish(stream, HTTP_LINGER_MS);
        return;
    }
    struct connection *c = connection_open(server, stream);
    if (!c)
        return;
    server->counts.connections--; /* it was counted when it came */
    crowd_count(c);
    c->used = packed_number(in, USED);
    c->eof = packed_number(in, AT_END);
    stream_resume(stream);
    if (input.len || c->eof)
        connection_take_over(c, input);
}

void http_server_unpack(struct http_server *server, struct slice in)
{
    for (struct packed field; packed_next(&in, &field);) {
        if (field.tag == CONNECTION)
            unpack_connection(server, field.value);
        else if (field.tag == LINGERING)
            stream_unpack(server->loop, field.value); /* nobody's: it frees itself */
    }
}
