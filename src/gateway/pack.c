/* SPDX-License-Identifier: MIT */
/* pack.c - TCPConnections that are open, for the process that takes over. One with TLS can't be
 * taken over, and one that is not open yet would have to begin anew: their pages are told by a
 * RESET, since nobody reclaims the channel. */
#include "gateway/parts.h"

#include "base/pack.h"
#include "session/pack.h"
#include "session/table.h"

enum {
    RELAY = 1,
    SESSION = 1,
    CHANNEL,
    STREAM,
    ORIGIN,
    CLIENT,
    CLIENT_KEY,
    WHO,
    TARGET,
    HERE,
    ADDRESS,
    BEGAN_MS,
    MOVED_MS,
    TO_PAGE,
    TO_TARGET,
    UNTAKEN,
};

static void pack_request(const struct relay *r, struct pack *p)
{
    char text[ORIGIN_TEXT_SIZE];
    const struct access_request *request = &r->grant.request;
    pack_slice(p, ORIGIN, r->origin);
    pack_slice(p, CLIENT, r->client);
    pack_slice(p, CLIENT_KEY, slice_make(r->client_key.bytes, sizeof(r->client_key.bytes)));
    pack_number(p, WHO, request->who);
    pack_slice(p, TARGET, r->target);
    if (request->here_known)
        pack_slice(p, HERE, origin_write(&request->here, text));
}

static void pack_relay(const struct relay *r, struct pack *p)
{
    pack_slice(p, SESSION, session_id(session_of_channel(r->channel)));
    pack_number(p, CHANNEL, channel_number(r->channel));
    size_t stream = pack_begin(p, STREAM);
    stream_pack(r->stream, p);
    pack_end(p, stream);
    pack_request(r, p);
    pack_slice(p, ADDRESS, slice_of(r->address));
    pack_number(p, BEGAN_MS, r->began_ms);
    pack_number(p, MOVED_MS, r->moved_ms);
    pack_number(p, TO_PAGE, r->to_page);
    pack_number(p, TO_TARGET, r->to_target);
    pack_number(p, UNTAKEN, r->untaken);
}

void gateway_pack(const struct gateway *g, struct pack *p)
{
    for (struct list *node = g->relays.next; node != &g->relays; node = node->next) {
        const struct relay *r = container_of(node, struct relay, node);
        if (r->state != GATEWAY_OPEN || !r->channel || !r->stream || !r->grant.source ||
            !stream_may_pack(r->stream))
            continue;
        size_t field = pack_begin(p, RELAY);
        pack_relay(r, p);
        pack_end(p, field);
    }
}

/* ---- read ---- */

/* The limits hold for those that come: what was let in stays. */
static void count_in(struct relay *r)
{
    struct gateway *g = r->gateway;
    struct slice client = net_client_slice(&r->client_key);
    quota_take(g->quota, LIMIT_TCP_OF_CLIENT, client, UINT32_MAX, &r->of_client);
    quota_take_share(g->quota, LIMIT_TCP_OF_ORIGIN, r->origin, client, UINT32_MAX, &r->of_origin);
    quota_take_share(g->quota, LIMIT_TCP_OF_TARGET, r->target, client, UINT32_MAX, &r->of_target);
}

static void unpack_numbers(struct relay *r, struct slice in)
{
    struct slice address = slice_first(packed_slice(in, ADDRESS), sizeof(r->address) - 1);
    if (address.len)
        memcpy(r->address, address.ptr, address.len);
    r->began_ms = packed_number(in, BEGAN_MS);
    r->to_page = packed_number(in, TO_PAGE);
    r->to_target = packed_number(in, TO_TARGET);
    r->untaken = (size_t)packed_number(in, UNTAKEN);
}

static struct access_request request_of(const struct relay *r, struct slice in)
{
    struct access_request request = {
        .path = ACCESS_PATH_TCP,
        .client = r->client_key,
        .who = packed_number(in, WHO),
        .origin = r->origin,
        .target = r->target,
    };
    request.here_known = origin_parse(packed_slice(in, HERE), &request.here);
    return request;
}

static void unpack_relay(struct gateway *g, struct session_table *sessions, struct slice in)
{
    struct slice id = packed_slice(in, SESSION), key = packed_slice(in, CLIENT_KEY);
    struct stream *stream = stream_unpack(g->loop, packed_slice(in, STREAM));
    struct session *s = session_id_valid(id) ? session_table_find(sessions, id) : NULL;
    struct net_client_key client = {0};
    if (key.len == sizeof(client.bytes))
        memcpy(client.bytes, key.ptr, key.len);
    struct relay *r = stream && s
                          ? relay_make(g, packed_slice(in, ORIGIN), packed_slice(in, CLIENT),
                                       packed_slice(in, TARGET), &client)
                          : NULL;
    if (!r) {
        if (stream)
            stream_reset(stream);
        return;
    }
    r->stream = stream;
    g->counts.now[GATEWAY_CHECKING]--;
    g->counts.now[GATEWAY_OPEN]++;
    r->state = GATEWAY_OPEN;
    unpack_numbers(r, in);
    count_in(r);
    struct access_request request = request_of(r, in);
    relay_let_in_again(r, &request);
    r->channel = session_reclaim(s, (uint32_t)packed_number(in, CHANNEL), &relay_channel_ops, r);
    if (r->channel)
        relay_go_on(r, packed_number(in, MOVED_MS));
    else
        relay_end_as(r, TCP_END_CONNECTION_RESET, "its session could not be taken over");
}

void gateway_unpack(struct gateway *g, struct session_table *sessions, struct slice in)
{
    for (struct packed field; packed_next(&in, &field);)
        if (field.tag == RELAY)
            unpack_relay(g, sessions, field.value);
}
