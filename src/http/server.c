/* SPDX-License-Identifier: MIT */
#include "http/connection.h"

#include "base/log.h"

#include <stdlib.h>

enum {
    ROOM_MADE = 16 /* connections at a time */
};

void http_server_init(struct http_server *server, struct loop *loop,
                      const struct http_limits *limits,
                      void (*on_request)(struct http_server *, struct exchange *), void *owner)
{
    *server = (struct http_server){
        .loop = loop,
        .limits = limits,
        .on_request = on_request,
        .owner = owner,
        .date_seconds = -1,
    };
    list_init(&server->connections);
}

void server_count_status(struct http_server *server, int status)
{
    if (status >= 0 && status < 600)
        server->counts.status[status / 100]++;
}

/* A connection beyond the limit still gets an answer, unless there are many such connections. */
static void refuse_connection(struct connection *c)
{
    struct http_server *server = c->server;
    server->counts.refused++;
    if (server->refusing >= HTTP_REFUSING_MAX)
        connection_close(c);
    else
        connection_refuse_full(c);
}

static bool is_full(const struct http_server *server)
{
    return server->counts.connections_now - server->refusing > server->limits->connections_max;
}

/* Nothing of TLS has been done yet, so the client can't be told why. */
static void refuse_handshake(struct http_server *server, struct stream *stream,
                             const struct net_address *peer)
{
    char text[NET_ADDRESS_TEXT_MAX];
    struct net_client_key client = net_client_key_of(peer);
    server->counts.handshakes_refused++;
    log_info("http.refused", log_cause(net_client_slice(&client)),
             log_slice("address", slice_make(text, net_address_print(peer, text))),
             log_text("reason", "too many TLS handshakes (rate-handshakes)"));
    stream_close(stream);
}

static void know_peer(struct connection *c, const struct net_address *peer)
{
    if (peer->any.sa_family == AF_INET)
        c->peer.v4 = peer->v4;
    else if (peer->any.sa_family == AF_INET6)
        c->peer.v6 = peer->v6;
}

/* Takes `passed`, which may be NULL. */
static void know_passed(struct connection *c, struct http_passed *passed)
{
    c->passed = passed;
    if (passed != NULL)
        know_peer(c, &passed->peer);
}

int connection_peer(struct connection *c, struct net_address *ret)
{
    int error = 0;
    if (c->peer.any.sa_family == AF_INET)
        *ret = (struct net_address){.len = sizeof(c->peer.v4), .v4 = c->peer.v4};
    else if (c->peer.any.sa_family == AF_INET6)
        *ret = (struct net_address){.len = sizeof(c->peer.v6), .v6 = c->peer.v6};
    else if ((error = stream_peer(c->stream, ret)) == 0)
        know_peer(c, ret);
    return error;
}

static void count_in(struct connection *c)
{
    if (!crowd_count(c) || (is_full(c->server) && !crowd_make_room(c->server, &c->client)))
        refuse_connection(c);
}

void http_accept(struct http_server *server, struct stream *stream, const struct net_address *peer)
{
    struct net_address asked;
    if (!peer && stream_peer(stream, &asked) == 0)
        peer = &asked;
    if (peer && stream_shakes_hands(stream) && !crowd_may_shake_hands(server, peer)) {
        refuse_handshake(server, stream, peer);
        return;
    }
    struct connection *c = connection_open(server, stream);
    if (c == NULL)
        return;
    if (peer)
        know_peer(c, peer);
    count_in(c);
}

void http_accept_passed(struct http_server *server, struct stream *stream,
                        const struct http_passed *passed)
{
    struct connection *c = connection_open(server, stream);
    if (c == NULL)
        return;
    struct http_passed *own = log_needed(malloc(sizeof(*own)));
    if (own == NULL) {
        connection_close(c);
        return;
    }
    *own = *passed;
    know_passed(c, own);
    count_in(c);
}

void http_make_room(struct http_server *server)
{
    static const struct net_client_key nobody;
    for (int i = 0; i < ROOM_MADE && crowd_make_room(server, &nobody); i++)
        ;
}

void http_adopt(struct http_server *server, struct http_parcel *parcel)
{
    struct stream *stream = stream_adopt(server->loop, &parcel->stream);
    struct connection *c = stream ? connection_open(server, stream) : NULL;
    if (c != NULL) {
        know_passed(c, parcel->passed);
        parcel->passed = NULL;
        connection_feed(c, (struct bytes){parcel->bytes, parcel->len});
    }
    free(parcel->passed);
    free(parcel->bytes);
    *parcel = (struct http_parcel){.stream.fd = -1};
}

void http_parcel_drop(struct http_parcel *parcel)
{
    stream_parcel_drop(&parcel->stream);
    free(parcel->passed);
    free(parcel->bytes);
    *parcel = (struct http_parcel){.stream.fd = -1};
}

void http_server_drain(struct http_server *server)
{
    server->draining = true;
    struct list *node = server->connections.next;
    while (node != &server->connections) {
        struct connection *c = container_of(node, struct connection, node);
        node = node->next;
        connection_drain(c); /* idle ones have no handler: the next stays */
    }
}

void http_server_stop(struct http_server *server)
{
    server->draining = true;
    while (!list_empty(&server->connections))
        connection_close(container_of(server->connections.next, struct connection, node));
}
