/* SPDX-License-Identifier: MIT */
/* worker_pack.c - all that one worker has, for the process that takes over. */
#include "serve/worker.h"

#include "base/pack.h"

#include "page/pack.h"
#include "serve/cluster_wiring.h"
#include "serve/server.h"
#include "session/pack.h"

enum {
    ENDED_SESSIONS = 1,
    PROGRAMS,
    PAGES,
    HTTP,
    TOPICS,
    GATEWAY,
    PARCEL, /* a connection on its way from another worker, as one of HTTP */
    CLUSTER,
};

static void pack_parcel(void *arg, const struct http_parcel *parcel)
{
    struct pack *p = arg;
    if (parcel->stream.tls)
        return; /* its client sees the connection lost, and comes again */
    size_t field = pack_begin(p, PARCEL);
    http_parcel_pack(parcel, p);
    pack_end(p, field);
}

void worker_pack(struct worker *w, struct pack *p)
{
    size_t ended = pack_begin(p, ENDED_SESSIONS);
    session_table_pack(w->sessions, p);
    pack_end(p, ended);
    size_t topics = pack_begin(p, TOPICS);
    hub_home_pack(&w->server->topics->homes[w->index], p);
    pack_end(p, topics);
    size_t programs = pack_begin(p, PROGRAMS);
    program_host_pack(w->programs, p);
    pack_end(p, programs);
    size_t pages = pack_begin(p, PAGES);
    page_host_pack(w->pages, p);
    pack_end(p, pages);
    size_t gateway = pack_begin(p, GATEWAY);
    gateway_pack(&w->gateway, p);
    pack_end(p, gateway);
    size_t http = pack_begin(p, HTTP);
    http_server_pack(&w->http, p);
    pack_end(p, http);
    worker_each_parcel(w, pack_parcel, p);
    size_t cluster = pack_begin(p, CLUSTER);
    cluster_node_pack(w->cluster, p);
    pack_end(p, cluster);
}

void worker_unpack_topics(struct worker *w, struct slice in)
{
    cluster_node_unpack(w->cluster, packed_slice(in, CLUSTER));
    hub_home_unpack(&w->server->topics->homes[w->index], packed_slice(in, TOPICS));
}

void worker_unpack(struct worker *w, struct slice in)
{
    session_table_unpack(w->sessions, packed_slice(in, ENDED_SESSIONS));
    program_host_unpack(w->programs, packed_slice(in, PROGRAMS));
    page_host_unpack(w->pages, packed_slice(in, PAGES));
    gateway_unpack(&w->gateway, w->sessions, packed_slice(in, GATEWAY));
    http_server_unpack(&w->http, packed_slice(in, HTTP));
    for (struct packed field; packed_next(&in, &field);)
        if (field.tag == PARCEL)
            http_server_unpack(&w->http, field.value);
}

void worker_go_on(struct worker *w)
{
    hub_home_go_on(&w->server->topics->homes[w->index]);
    page_host_go_on(w->pages);
    program_host_go_on(w->programs);
    gateway_review(&w->gateway);
}
