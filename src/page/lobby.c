/* SPDX-License-Identifier: MIT */
/* lobby.c - a session without a program, for the TCPConnections of a page that has none
 * (`/.httpsocket/connect`).
 *
 * It carries channels and no messages: one that is sequenced ends it with 4400.
 *
 * Lifetime  From lobby_new() until its session is over.
 * Limits    config->lobbies_per_client by client address; sessions-max in all.
 */
#include "page/lobby.h"

#include "page/streams.h"
#include "proto/close_code.h"

#include <stdio.h>
#include <stdlib.h>

struct lobby {
    struct list node; /* page_host.lobbies */
    struct page_host *host;
    struct session *session;
    struct quota_hold hold;
    struct net_client_key client; /* of the last connection */
    char address[NET_ADDRESS_TEXT_MAX];
    size_t origin_len;
    char origin[];
};

/* ---- the session's callbacks ---- */

static void on_message(struct session *s, const struct message *m)
{
    struct lobby *lobby = session_owner(s);
    (void)m;
    lobby->host->counts.sessions.breaches++;
    session_abort(s, CLOSE_WIRE_PROTOCOL, SLICE_LITERAL("wire-protocol: there is no program here"));
}

static void on_attach(struct session *s, bool resumed)
{
    (void)s, (void)resumed;
}

static void on_detach(struct session *s, struct slice reason)
{
    (void)s, (void)reason;
}

static void on_writable(struct session *s)
{
    (void)s;
}

static void on_close(struct session *s, struct slice reason)
{
    session_end(s, CLOSE_NORMAL, reason);
}

static void on_over(struct session *s)
{
    struct lobby *lobby = session_owner(s);
    list_remove(&lobby->node);
    quota_release(lobby->host->spec.quota, &lobby->hold);
    free(lobby);
}

static void on_open(struct session *s, struct channel *c, struct slice json)
{
    struct lobby *lobby = session_owner(s);
    struct page_opener opener = {
        .origin = slice_make(lobby->origin, lobby->origin_len),
        .same_origin = true,
        .address = slice_of(lobby->address),
        .client = lobby->client,
        .owner = lobby,
    };
    page_channel_open(lobby->host, c, json, &opener, NULL);
}

static const struct session_ops lobby_session_ops = {
    .on_message = on_message,
    .on_attach = on_attach,
    .on_detach = on_detach,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_over = on_over,
    .on_open = on_open,
};

/* ---- from outside ---- */

void lobby_name_client(struct lobby *lobby, struct exchange *x)
{
    struct net_address peer = {0};
    if (exchange_peer(x, &peer) < 0)
        return; /* gone already */
    lobby->client = net_client_key_of(&peer);
    lobby->address[net_address_print_host(&peer, lobby->address)] = '\0';
}

static bool count_in(struct lobby *lobby)
{
    struct page_host *host = lobby->host;
    struct slice client = slice_make(lobby->client.bytes, sizeof(lobby->client.bytes));
    if (quota_take(host->spec.quota, LIMIT_TCP_SESSIONS, client,
                   host->spec.config->lobbies_per_client, &lobby->hold))
        return true;
    host->counts.refused_lobbies++;
    return false;
}

static bool start_session(struct lobby *lobby, struct slice path)
{
    struct page_host *host = lobby->host;
    lobby->session =
        session_new(host->spec.loop, &(struct session_spec){
                                         .config = host->spec.session_config,
                                         .counts = &host->counts.sessions,
                                         .table = host->spec.sessions,
                                         .ops = &lobby_session_ops,
                                         .owner = lobby,
                                         .origin = slice_make(lobby->origin, lobby->origin_len),
                                         .path = path,
                                     });
    return lobby->session;
}

struct lobby *lobby_new(struct page_host *host, struct exchange *x, struct slice origin)
{
    struct lobby *lobby = calloc(1, sizeof(*lobby) + origin.len);
    if (!lobby)
        return NULL;
    lobby->host = host;
    lobby->origin_len = origin.len;
    memcpy(lobby->origin, origin.ptr, origin.len);
    lobby_name_client(lobby, x);
    if (!count_in(lobby) || !start_session(lobby, x->path)) {
        quota_release(host->spec.quota, &lobby->hold);
        free(lobby);
        return NULL;
    }
    list_append(&host->lobbies, &lobby->node);
    return lobby;
}

struct session *lobby_session(struct lobby *lobby)
{
    return lobby->session;
}

/* on_over takes each off the list, at the end of the turn. */
static void abort_all(struct page_host *host, struct slice reason)
{
    for (struct list *node = host->lobbies.next; node != &host->lobbies; node = node->next)
        session_abort(container_of(node, struct lobby, node)->session, CLOSE_SERVICE_RESTART,
                      reason);
}

void lobbies_drain(struct page_host *host)
{
    char reason[32];
    int len = snprintf(reason, sizeof(reason), "draining retry=%u", host->retry_s);
    abort_all(host, slice_make(reason, (size_t)len));
}

void lobbies_stop(struct page_host *host)
{
    abort_all(host, SLICE_LITERAL("draining"));
}
