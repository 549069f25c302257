/* SPDX-License-Identifier: MIT */
/* memory.c - what a connection holds, and who pays for it: the client. Of a trusted proxy's
 * connection nobody does, unless much is held for one exchange; then the client that it names.
 */
#include "http/connection.h"
#include "http/forwarded.h"

#define MUCH MEMORY_SLACK

static void find_payer(struct connection *c)
{
    struct net_address peer = {0};
    const struct http_limits *limits = c->server->limits;
    static const struct net_client_key nobody;
    c->peer_known = true;
    if (memcmp(&c->client, &nobody, sizeof(nobody)) != 0) { /* it was counted: no proxy's */
        memory_move(&c->account, &c->client);
        return;
    }
    if (connection_peer(c, &peer) < 0)
        return;
    bool proxy = limits->trusts != NULL && limits->trusts(limits->proxies, &peer);
    struct net_client_key key = net_client_key_of(&peer);
    if (!proxy)
        memory_move(&c->account, &key);
}

static void find_client_of_proxy(struct connection *c)
{
    struct net_address client = {0};
    if (exchange_peer(&c->exchange->x, &client) < 0)
        return;
    struct net_client_key key = net_client_key_of(&client);
    memory_move(&c->account, &key);
}

static size_t held_by(const struct connection *c)
{
    return stream_held(c->stream) + (c->held != NULL ? c->held->size : 0) +
           (c->exchange != NULL ? c->exchange->size : 0);
}

void connection_count(struct connection *c)
{
    if (c->account.desk == NULL || c->stream == NULL)
        return;
    size_t bytes = held_by(c);
    if (bytes > MEMORY_FREE && !c->peer_known)
        find_payer(c);
    if (bytes > MUCH && !c->account.has_key && c->exchange != NULL)
        find_client_of_proxy(c);
    memory_hold(&c->account, &c->counted, bytes);
}

/* An answer that has begun can't become another one, and one behind others that are not read would
 * keep those. */
static void let_go(struct memory_account *a, enum memory_cause cause)
{
    struct connection *c = container_of(a, struct connection, account);
    bool may_answer =
        c->state == CONNECTION_HEAD || (c->state == CONNECTION_EXCHANGE && !c->exchange->responded);
    (void)cause;
    input_drop(c);
    c->in = (struct bytes){0};
    if (may_answer && stream_queued(c->stream) == 0)
        connection_refuse(c, 503, "this client holds too much of the server's memory");
    else
        connection_close(c);
}

static void recount(struct memory_account *a)
{
    connection_count(container_of(a, struct connection, account));
}

static const struct memory_ops ops = {"connection", let_go, recount};

void connection_pay(struct connection *c)
{
    memory_open(&c->account, c->server->memory, &ops, NULL);
    if (stream_secure(c->stream))
        connection_count(c);
}
