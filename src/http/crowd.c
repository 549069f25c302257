/* SPDX-License-Identifier: MIT */
/* crowd.c - whose connections stay when there are too many: those of one client give way to other
 * clients'. And how often one client may begin a TLS handshake, which costs us a signature.
 *
 * Cost  crowd_make_room() looks at the CROWD_SEEN oldest connections.
 */
#include "http/connection.h"

#include "base/hash.h"
#include "base/log.h"

#include <stdlib.h>

enum {
    CROWD_SEEN = 4096,
    CROWD_ROWS = 4096
};

/* A proxy, and a Unix socket, speak for many clients. */
static bool is_one_client(const struct http_limits *limits, const struct net_address *peer)
{
    return peer->any.sa_family != AF_UNIX &&
           !(limits->trusts && limits->trusts(limits->proxies, peer));
}

bool crowd_may_shake_hands(const struct http_server *server, const struct net_address *peer)
{
    const struct http_limits *limits = server->limits;
    if (!limits->rates || !is_one_client(limits, peer))
        return true;
    struct net_client_key client = net_client_key_of(peer);
    return rates_take(limits->rates, &limits->handshakes, LIMIT_HANDSHAKES,
                      net_client_slice(&client), loop_now_ms(server->loop)) == 0;
}

static bool is_known(const struct net_client_key *client)
{
    static const struct net_client_key nobody;
    return memcmp(client->bytes, nobody.bytes, sizeof(nobody.bytes)) != 0;
}

static bool can_go(const struct connection *c)
{
    return (c->state == CONNECTION_IDLE || c->state == CONNECTION_HEAD) && !c->refusing &&
           is_known(&c->client);
}

static bool count(struct connection *c)
{
    const struct http_limits *limits = c->server->limits;
    return quota_take(limits->quota, LIMIT_CONNECTIONS, net_client_slice(&c->client),
                      limits->connections_per_client, &c->of_client);
}

static struct connection *oldest_of(const struct http_server *server,
                                    const struct net_client_key *client)
{
    struct list *node = server->connections.next;
    for (int i = 0; i < CROWD_SEEN && node != &server->connections; i++, node = node->next) {
        struct connection *c = container_of(node, struct connection, node);
        if (can_go(c) && !memcmp(&c->client, client, sizeof(*client)))
            return c;
    }
    return NULL;
}

bool crowd_count(struct connection *c)
{
    const struct http_limits *limits = c->server->limits;
    struct net_address peer;
    if (connection_peer(c, &peer) < 0 || !is_one_client(limits, &peer))
        return true;
    struct net_client_key client = net_client_key_of(&peer);
    struct connection *oldest;
    c->client = client;
    if (!limits->quota || count(c))
        return true;
    c->client = (struct net_client_key){{0}}; /* it is not the oldest itself */
    oldest = oldest_of(c->server, &client);
    c->client = client;
    if (!oldest)
        return false;
    connection_close(oldest);
    return count(c);
}

static size_t row_of(const struct net_client_key *client)
{
    return hash_bytes(net_client_slice(client)) % CROWD_ROWS;
}

bool crowd_make_room(struct http_server *server, const struct net_client_key *client)
{
    uint16_t *counts = log_needed(calloc(CROWD_ROWS, sizeof(*counts)));
    struct connection *first = NULL; /* the oldest of the client that has most */
    struct list *node = server->connections.next;
    if (!counts)
        return false;
    for (int i = 0; i < CROWD_SEEN && node != &server->connections; i++, node = node->next) {
        const struct connection *c = container_of(node, struct connection, node);
        counts[row_of(&c->client)] += can_go(c);
    }
    uint16_t most = (uint16_t)(counts[row_of(client)] + 1);
    for (struct list *end = node, *at = server->connections.next; at != end; at = at->next) {
        struct connection *c = container_of(at, struct connection, node);
        if (!can_go(c) || counts[row_of(&c->client)] <= most)
            continue;
        most = counts[row_of(&c->client)];
        first = c;
    }
    free(counts);
    if (first)
        connection_close(first);
    return first;
}
