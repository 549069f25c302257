/* SPDX-License-Identifier: MIT */
/* server.h - the HTTP/1.1 connections of one worker (RFC 9112).
 *
 * Keep-alive, pipelining (answers in order, one exchange at a time), chunked and Content-Length
 * bodies, Expect: 100-continue, HEAD. A broken request gets a short text/plain answer that says
 * what was wrong, and the connection closes lingering, so that the client can read it.
 *
 * Time-outs  head_timeout for a whole head (408), body_timeout between two pieces of a body,
 *            idle_timeout between requests (silent close), write_timeout while the answer makes no
 *            progress, departed_timeout while nothing moves and the client has ended its side.
 * Memory     An idle connection owns no buffer: a partial head is kept in a chunk until it is
 *            whole.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "http/access_log.h"
#include "http/exchange.h"
#include "limits/memory.h"
#include "limits/rates.h"

struct pack;

struct http_limits {
    size_t head_max;   /* bytes of a request head */
    uint64_t body_max; /* bytes of a request body: 413 above */
    uint32_t head_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms,
        departed_timeout_ms;
    /* Bytes a second of a body, over each body_timeout, and of an answer that waits, over each
     * write_timeout. */
    uint64_t least_rate;
    uint32_t connections_max;        /* of this worker: beyond, 503 with Retry-After and close */
    uint32_t connections_per_client; /* of all workers; of those that are WebSockets now, none */
    struct quota *quota;             /* borrowed; NULL: clients are not counted */
    struct rate handshakes; /* of TLS, begun by one client: beyond, the connection closes */
    struct rates *rates;    /* borrowed; NULL: handshakes are not counted */
    /* Whether the address is a trusted proxy's, whose X-Forwarded-For is believed. NULL: no proxy
     * is trusted. */
    bool (*trusts)(const void *proxies, const struct net_address *address);
    const void *proxies; /* borrowed */
    struct slice base;   /* the path below which browsers see us, as http_base_of(); borrowed */
};

struct http_counts {
    uint64_t connections, connections_now, requests, status[6] /* [2]: 2xx ... */, bad_requests,
        timeouts, refused, handshakes_refused;
};

struct http_server {
    struct loop *loop;                /* borrowed */
    const struct http_limits *limits; /* borrowed */
    void (*on_request)(struct http_server *server, struct exchange *x);
    void *owner;
    struct access_log *access_log; /* borrowed; NULL: none. Set after http_server_init() */
    struct memory_desk *memory;    /* borrowed; NULL: nothing is counted */
    struct http_counts counts;
    struct list connections;
    uint32_t refusing; /* of them, those beyond connections_max: they get their 503 and linger */
    bool draining;
    bool resting;         /* no request begins: http_server_rest() */
    int64_t date_seconds; /* of `date`, which is written once a second */
    char date[32];
};

void http_server_init(struct http_server *server, struct loop *loop,
                      const struct http_limits *limits,
                      void (*on_request)(struct http_server *, struct exchange *), void *owner);
/* Takes the stream. `peer`: its other end, known where it was accepted; NULL: it is asked for. */
void http_accept(struct http_server *server, struct stream *stream, const struct net_address *peer);
/* What another server knows of a connection that it passes on. */
struct http_passed {
    struct net_address peer, local; /* a Unix socket's: family AF_UNIX */
    bool secure;                    /* TLS, which ended there */
    uint64_t arrived_ms;            /* its request, by the clock of stream_arrived_ms() */
};
/* As http_accept(), for one request of a connection that another server passes on: `stream` is a
 * Unix socket that carries it. */
void http_accept_passed(struct http_server *server, struct stream *stream,
                        const struct http_passed *passed);
/* No descriptor is left for the next connection: closes idle ones of the client that has most. */
void http_make_room(struct http_server *server);
/* Takes the parcel. */
void http_adopt(struct http_server *server, struct http_parcel *parcel);
void http_parcel_drop(struct http_parcel *parcel);
/* Idle connections close now, the others after their answer (Connection: close). */
void http_server_drain(struct http_server *server);
/* Closes everything; exchanges are aborted. */
void http_server_stop(struct http_server *server);

/* ---- rest.c: for the process that takes over ---- */

/* No connection begins another request, until it is called with `false`: the bytes wait. */
void http_server_rest(struct http_server *server, bool rests);
/* A request is under way, or an answer that can't be taken over has not left. */
bool http_server_busy(const struct http_server *server);
/* What is under way is not waited for: 503, or an answer that breaks off. */
void http_server_cut(struct http_server *server);
/* Connections that can't be taken over are closed. */
void http_server_part(struct http_server *server);
/* Between requests. Those with TLS can't be taken over. */
void http_server_pack(const struct http_server *server, struct pack *p);
/* One that is on its way to another worker. */
void http_parcel_pack(const struct http_parcel *parcel, struct pack *p);
/* Accepts them again, with what had come of their next request. */
void http_server_unpack(struct http_server *server, struct slice in);

#endif
