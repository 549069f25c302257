/* SPDX-License-Identifier: MIT */
/* tcp_session.c - a session without a program, for the TCPConnections of a page that has none
 * (`/.httpsocket/connect`).
 *
 * It carries channels and no messages: one that is sequenced ends it with 4400, and one of more
 * than 64 KiB with 1009 when it begins.
 *
 * Lifetime  From tcp_session_new() until its session is over.
 * Limits    config->tcp_sessions_per_client by client address; sessions-max in all.
 */
#include "page/tcp_session.h"

#include "base/log.h"
#include "base/pack.h"
#include "page/retry.h"
#include "page/streams.h"
#include "page/wire.h"
#include "proto/close_code.h"
#include "session/pack.h"

#include <stdio.h>
#include <stdlib.h>

struct tcp_session {
    struct list node; /* page_host.tcp_sessions */
    struct page_host *host;
    struct session *session;
    struct quota_hold hold;
    struct net_client_key client; /* of the last connection */
    struct memory_account account;
    size_t counted;
    char address[NET_HOST_TEXT_MAX];
    size_t origin_len;
    char origin[];
};

/* ---- what it holds ---- */

static void recount(struct memory_account *a)
{
    struct tcp_session *t = container_of(a, struct tcp_session, account);
    memory_hold(a, &t->counted, t->session ? session_held(t->session) : 0);
}

static void let_go(struct memory_account *a, enum memory_cause cause)
{
    (void)cause;
    session_abort(container_of(a, struct tcp_session, account)->session, CLOSE_MEMORY,
                  SLICE_LITERAL("memory"));
}

static const struct memory_ops memory_ops = {"tcp-session", let_go, recount};

struct memory_account *tcp_session_account(struct tcp_session *t)
{
    return &t->account;
}

/* ---- the session's callbacks ---- */

static void on_message(struct session *s, const struct message *m)
{
    struct tcp_session *t = session_owner(s);
    (void)m;
    t->host->counts.sessions.breaches++;
    session_abort(s, CLOSE_WIRE_PROTOCOL, SLICE_LITERAL("wire-protocol: there is no program here"));
}

/* Nobody here wants a message; this one is not even read. */
static void on_too_long(struct session *s)
{
    struct tcp_session *t = session_owner(s);
    t->host->counts.sessions.breaches++;
    session_abort(s, CLOSE_TOO_BIG, SLICE_LITERAL("more than maxMessage"));
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
    struct tcp_session *t = session_owner(s);
    list_remove(&t->node);
    memory_close(&t->account);
    quota_release(t->host->spec.quota, &t->hold);
    free(t);
}

static void on_open(struct session *s, struct channel *c, struct slice json)
{
    struct tcp_session *t = session_owner(s);
    struct page_opener opener = {
        .origin = slice_make(t->origin, t->origin_len),
        .same_origin = true,
        .address = slice_of(t->address),
        .client = t->client,
        .owner = t,
    };
    page_channel_open(t->host, c, json, &opener, NULL);
}

static void on_grown(struct session *s)
{
    recount(tcp_session_account(session_owner(s)));
}

static const struct session_ops tcp_session_ops = {
    .on_grown = on_grown,
    .on_message = on_message,
    .on_attach = on_attach,
    .on_detach = on_detach,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_over = on_over,
    .on_open = on_open,
    .on_too_long = on_too_long,
};

/* ---- from outside ---- */

void tcp_session_name_client(struct tcp_session *t, struct exchange *x)
{
    struct net_address peer = {0};
    if (exchange_peer(x, &peer) < 0)
        return; /* gone already */
    t->client = net_client_key_of(&peer);
    memory_move(&t->account, &t->client);
    t->address[net_address_print_host(&peer, t->address)] = '\0';
}

static bool take(struct tcp_session *t)
{
    struct page_host *host = t->host;
    return quota_take(host->spec.quota, LIMIT_TCP_SESSIONS, net_client_slice(&t->client),
                      host->spec.config->tcp_sessions_per_client, &t->hold);
}

/* One of the same client, which is away, gives way to a new one. */
static bool make_room(const struct tcp_session *newcomer)
{
    struct list *all = &newcomer->host->tcp_sessions;
    for (struct list *node = all->next; node != all; node = node->next) {
        struct tcp_session *t = container_of(node, struct tcp_session, node);
        bool is_same = !memcmp(&t->client, &newcomer->client, sizeof(t->client));
        if (!is_same || !t->hold.hash || session_attached(t->session))
            continue;
        quota_release(t->host->spec.quota, &t->hold);
        session_give_up(t->session);
        return true;
    }
    return false;
}

static bool count_in(struct tcp_session *t)
{
    if (take(t) || (make_room(t) && take(t)))
        return true;
    t->host->counts.refused_lobbies++;
    return false;
}

static struct session_spec spec_of(struct tcp_session *t)
{
    struct page_host *host = t->host;
    return (struct session_spec){
        .config = host->spec.tcp_session_config,
        .counts = &host->counts.sessions,
        .table = host->spec.sessions,
        .ops = &tcp_session_ops,
        .owner = t,
        .origin = slice_make(t->origin, t->origin_len),
    };
}

static bool start_session(struct tcp_session *t, struct slice path)
{
    struct session_spec spec = spec_of(t);
    spec.path = path;
    t->session = session_new(t->host->spec.loop, &spec);
    return t->session;
}

static struct tcp_session *make(struct page_host *host, struct slice origin)
{
    struct tcp_session *t = log_needed(calloc(1, sizeof(*t) + origin.len));
    if (!t)
        return NULL;
    t->host = host;
    memory_open(&t->account, host->spec.memory, &memory_ops, NULL);
    t->origin_len = origin.len;
    if (origin.len)
        memcpy(t->origin, origin.ptr, origin.len);
    return t;
}

struct tcp_session *tcp_session_new(struct page_host *host, struct exchange *x, struct slice origin)
{
    struct tcp_session *t = make(host, origin);
    if (!t)
        return NULL;
    tcp_session_name_client(t, x);
    if (!count_in(t) || !start_session(t, x->path)) {
        quota_release(host->spec.quota, &t->hold);
        free(t);
        return NULL;
    }
    list_append(&host->tcp_sessions, &t->node);
    return t;
}

struct session *tcp_session_base(struct tcp_session *t)
{
    return t->session;
}

/* on_over takes each off the list, at the end of the turn. */
static void each_session(struct page_host *host, void (*each)(struct page_host *, struct session *))
{
    for (struct list *node = host->tcp_sessions.next; node != &host->tcp_sessions;
         node = node->next)
        each(host, container_of(node, struct tcp_session, node)->session);
}

static void drain(struct page_host *host, struct session *s)
{
    char reason[32];
    int len = snprintf(reason, sizeof(reason), "draining retry=%u", page_retry_s(host));
    session_abort(s, CLOSE_SERVICE_RESTART, slice_make(reason, (size_t)len));
}

static void stop(struct page_host *host, struct session *s)
{
    (void)host;
    session_abort(s, CLOSE_SERVICE_RESTART, SLICE_LITERAL("draining"));
}

void tcp_sessions_drain(struct page_host *host)
{
    each_session(host, drain);
}

void tcp_sessions_stop(struct page_host *host)
{
    each_session(host, stop);
}

/* ---- for the process that takes over ---- */

enum {
    SESSION = 1,
    WIRE,
    ORIGIN,
    CLIENT,
    ADDRESS,
};

static void pack_one(const struct tcp_session *t, struct pack *p)
{
    size_t session = pack_begin(p, SESSION);
    session_pack(t->session, p);
    pack_end(p, session);
    page_wire_pack(t->session, WIRE, p);
    pack_slice(p, ORIGIN, slice_make(t->origin, t->origin_len));
    pack_slice(p, CLIENT, slice_make(t->client.bytes, sizeof(t->client.bytes)));
    pack_slice(p, ADDRESS, slice_of(t->address));
}

void tcp_sessions_pack(const struct page_host *host, uint32_t tag, struct pack *p)
{
    const struct list *all = &host->tcp_sessions;
    for (struct list *node = all->next; node != all; node = node->next) {
        size_t field = pack_begin(p, tag);
        pack_one(container_of(node, struct tcp_session, node), p);
        pack_end(p, field);
    }
}

static void unpack_client(struct tcp_session *t, struct slice in)
{
    struct slice client = packed_slice(in, CLIENT);
    struct slice address = slice_first(packed_slice(in, ADDRESS), sizeof(t->address) - 1);
    if (address.len)
        memcpy(t->address, address.ptr, address.len);
    if (client.len != sizeof(t->client.bytes))
        return;
    memcpy(t->client.bytes, client.ptr, client.len);
    memory_move(&t->account, &t->client);
    quota_take(t->host->spec.quota, LIMIT_TCP_SESSIONS, net_client_slice(&t->client), UINT32_MAX,
               &t->hold);
}

void tcp_session_unpack(struct page_host *host, struct slice in)
{
    struct tcp_session *t = make(host, packed_slice(in, ORIGIN));
    if (!t)
        return;
    struct session_spec spec = spec_of(t);
    t->session = session_unpack(host->spec.loop, &spec, packed_slice(in, SESSION));
    if (!t->session) {
        memory_close(&t->account);
        free(t);
        return;
    }
    unpack_client(t, in);
    list_append(&host->tcp_sessions, &t->node);
    page_wire_unpack(host, t->session, host->spec.tcp_ws_config, &t->account,
                     packed_slice(in, WIRE));
}

static void part(struct page_host *host, struct session *s)
{
    (void)host;
    page_wire_part(s);
}

void tcp_sessions_part(struct page_host *host)
{
    each_session(host, part);
}

static void go_on(struct page_host *host, struct session *s)
{
    (void)host;
    session_reset_unclaimed(s, PAGE_REPLACED);
    session_miss_wire(s, "server-replaced");
}

void tcp_sessions_go_on(struct page_host *host)
{
    each_session(host, go_on);
}
