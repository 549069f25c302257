/* SPDX-License-Identifier: MIT */
/* library.h - the server of include/httpsocket/server.h: what its files share.
 *
 *   library.c           a server: its beginning and its end
 *   library_options.c   its options
 *   library_run.c       in which threads and loops it runs
 *   library_routes.c    what stands at its paths; the router of its workers
 *   library_request.c   one request
 *   library_body.c      its body
 *   library_answer.c    its answer
 *   library_peer.c      one WebSocket of an endpoint
 *   library_page.c      one page, whose program is a handler here
 *   library_page_calls.c   what its program does with it
 *   library_topics.c    peers' topics, and publishing
 *   library_work.c      timers, and work that other threads post
 *
 * Ownership  server ─> thread (beside each worker) ─> requests, peers, groups, timers
 * Threads    Of a thread's objects, that thread; what is atomic, any.
 */
#ifndef SERVE_LIBRARY_H
#define SERVE_LIBRARY_H

#include "httpsocket/server.h"

#include "core/embedded.h"
#include "limits/quota.h"
#include "page/handler.h"
#include "program/request.h"
#include "serve/route_table.h"
#include "serve/server.h"

#include <stdatomic.h>

#define LIBRARY_WAITS_MAX 65536u /* bytes that wait for a client before its sender should wait */

struct library_thread {
    struct httpsocket_server *server;
    struct worker *worker;
    struct list requests, peers, timers;
    uint32_t peer_count;
    struct name_table groups; /* topics with a peer here */
    struct hub_client *publisher;
    struct timer work; /* what was started from outside of a turn is done in the next */
    bool running;      /* in a turn, or in a thread of its own */
};

struct httpsocket_server {
    struct server server;
    struct httpsocket_server_options options; /* without its texts */
    struct route_table routes;
    struct library_thread *threads; /* one beside each worker */
    struct listeners listeners;
    struct listening_set offered;
    char **addresses;         /* as text, ended by NULL */
    struct embedded embedded; /* without threads of its own */
    atomic_bool begun;        /* it runs, or did: routes are fixed */
    uint16_t running;         /* threads that were not joined */
    atomic_bool over;         /* the loops are gone, or about to go */
    _Atomic(pthread_t) home;  /* without threads of its own, once it has begun: where it runs */
    uint64_t peers_max;       /* of one thread */
    bool has_folders;         /* files leave by sendfile(2), which can raise SIGPIPE */
    pid_t pid;
    atomic_uint stops;
    atomic_size_t publishing; /* bytes under way */
    atomic_uint calls;        /* of other threads, going on now */
};

static inline struct library_thread *library_thread_of(struct worker *w)
{
    return w->own;
}

static inline struct loop *library_loop(const struct library_thread *t)
{
    return t->worker->loop;
}

/* ---- library_options.c ---- */

/* The settings that these options are; NULL with a text of what is wrong. */
struct config *library_read_options(const struct httpsocket_server_options *o, struct text *why);
void library_set_up_log(const struct httpsocket_server_options *o, const struct config *c);

/* ---- library_run.c ---- */

void library_thread_init(struct httpsocket_server *s, uint16_t index);
/* Around what a thread of the server does; returns what library_leave() wants back. */
struct library_thread *library_enter(struct library_thread *t);
void library_leave(struct library_thread *t, struct library_thread *outer);
/* This code runs in a callback of the server. */
bool library_calls_back(const struct httpsocket_server *s);
/* Waits until its threads have ended. */
void library_join(struct httpsocket_server *s);
/* The thread of this server that this code runs in, or whose turn it would be; NULL: none, or the
 * server has not begun. */
struct library_thread *library_here(const struct httpsocket_server *s);
/* Something was started: if that was from outside of a turn, there will be one. */
void library_wake(struct library_thread *t);

/* ---- library_routes.c ---- */

enum library_kind {
    LIBRARY_HANDLER,
    LIBRARY_FOLDER,
    LIBRARY_ENDPOINT,
    LIBRARY_PAGE
};

struct library_route {
    struct route route;
    enum library_kind kind;
    httpsocket_request_fn *handler;
    void *user;
    struct site **sites; /* of a folder: each thread's; owned */
    uint16_t site_count;
    struct library_endpoint *endpoint;    /* owned */
    struct httpsocket_page_handler *page; /* owned */
};

extern const struct router library_router;
/* Frees what library_route's. */
void library_routes_done(struct httpsocket_server *s);
/* What stands there has the exchange from now on. */
void library_folder_answer(struct library_thread *t, const struct library_route *r,
                           struct exchange *x, struct slice rest);

/* ---- library_request.c ---- */

#define LIBRARY_HEADERS_MAX 32

/* Of an answer that has not begun. Zeroed: none. */
struct library_headers {
    struct http_header *list; /* owned, each with its text */
    size_t count;
};
/* library_answer.c has these three. */
int library_headers_add(struct library_headers *h, const char *name, const char *value);
/* Writes LIBRARY_HEADERS_MAX + 1 of them at most, with a Content-Type if `type` is one. */
size_t library_headers_list(const struct library_headers *h, const char *type,
                            struct http_header *ret);
void library_headers_done(struct library_headers *h);

struct httpsocket_request {
    struct list node; /* thread.requests */
    struct library_thread *thread;
    const struct library_route *route;
    struct exchange *x;             /* borrowed; NULL: the client has gone */
    const struct http_head *head;   /* borrowed; NULL: it has gone with the client */
    const struct net_address *peer; /* borrowed, of one to be read only; NULL: the exchange knows */
    void *user;
    struct page_grant *grant; /* of a handshake; NULL: none */
    bool handshake, asking, begun, paused, same_origin;
    bool read_only;      /* on_request of an endpoint or a page looks at it */
    struct slice origin; /* of a handshake's page, in `texts` */
    enum {
        BODY_UNREAD,
        BODY_WHOLE,
        BODY_STREAM,
        BODY_DONE
    } body;
    bool body_ended; /* its end is still to be delivered, if anybody reads */
    bool *alive;     /* of a caller on the stack, which is told of the end; NULL: none */
    bool wants_room;
    httpsocket_body_fn *on_body;
    void *body_arg;
    httpsocket_gone_fn *on_gone, *on_room;
    void *gone_arg, *room_arg;
    struct text gathered; /* of a whole body */
    size_t body_max;
    struct library_headers headers;
    struct timer kick; /* delivers the end of a body that came before anybody read it */
    struct reap reap;
    const char *method, *path, *query, *values[ROUTE_PARAMS_MAX];
    char texts[];
};

/* A request for this route, which owns the exchange; `visitor` is that of a handshake, or NULL.
 * Without memory it is answered. */
void library_request_begin(struct library_thread *t, struct exchange *x,
                           const struct library_route *route, const struct route_match *match,
                           const struct page_visitor *visitor);
/* The request is over: returns its exchange, which is the caller's. */
struct exchange *library_request_release(struct httpsocket_request *r);
/* The program has called what is for requests of its own. */
void library_request_owned(const struct httpsocket_request *r);
/* One to be read only, during a callback; NULL without memory. */
struct httpsocket_request *library_request_to_read(struct library_thread *t,
                                                   const struct library_route *route,
                                                   const struct program_request *request);
void library_request_drop(struct httpsocket_request *r);
/* All that are left: their clients have gone. */
void library_requests_done(struct library_thread *t);

/* ---- library_body.c ---- */

/* A program has been called and has not asked for the body: nothing comes until it does. */
void library_body_leave(struct httpsocket_request *r);
void library_body_go_on(struct httpsocket_request *r);
void library_body_failed(struct httpsocket_request *r, int error);
void library_on_body(struct exchange *x, struct slice data);
void library_on_body_end(struct exchange *x);
/* Of `kick`. */
void library_on_kick(struct timer *timer);

/* ---- library_peer.c ---- */

struct library_endpoint {
    struct httpsocket_endpoint options; /* without its texts */
    struct ws_config ws_config;
    char *subprotocols; /* each NUL-terminated, the last one empty */
    char *topic;        /* that all peers hear; NULL: none */
};

struct httpsocket_peer {
    struct list node; /* thread.peers */
    struct library_thread *thread;
    const struct library_endpoint *endpoint;
    struct ws_peer *ws; /* NULL: the connection is over */
    void *user;
    const char *subprotocol;
    struct list topics; /* peer_topic.of_peer */
    uint32_t topic_count;
    bool closing;
    bool waits; /* it was told to wait for on_drain */
    struct page_grant *grant;
    struct memory_account account;
    size_t held; /* part of the account */
    struct quota_hold hold;
    struct reap reap;
    char address[];
};

/* NULL with an errno: -EINVAL, -ENOMEM. */
int library_endpoint_new(const struct httpsocket_server *s,
                         const struct httpsocket_endpoint *options, struct library_endpoint **ret);
void library_endpoint_free(struct library_endpoint *e);
/* Takes the request, and lets its client in. */
void library_peer_open(struct httpsocket_request *r);
/* One message to a subscriber. */
void library_peer_publish(struct httpsocket_peer *p, struct slice data, enum ws_op op);
/* Events of a topic can't be had any more. */
void library_peer_missed(struct httpsocket_peer *p);
/* There was no room for the topic. */
void library_peer_lost_topic(struct httpsocket_peer *p, const char *topic);
void library_peers_drain(struct library_thread *t);
void library_peers_stop(struct library_thread *t);

/* ---- library_page.c ---- */

struct httpsocket_page {
    struct handler *h; /* lives as long as we */
    struct library_thread *thread;
    const struct library_route *route;
    void *user;
    bool direct;
    unsigned refs;
    struct library_headers headers;
};

/* The seats of its worker's pages. */
extern struct seat_source library_seats;
/* Each takes the exchange. */
void library_page_open(struct library_thread *t, const struct library_route *route,
                       struct exchange *x);
void library_page_connect(struct library_thread *t, const struct library_route *route,
                          struct exchange *x, const struct page_visitor *visitor);

/* ---- library_topics.c ---- */

void library_topics_leave(struct httpsocket_peer *p);
/* Once the loops have ended. */
void library_topics_done(struct library_thread *t);

/* ---- library_work.c ---- */

void library_timers_done(struct library_thread *t);

#endif
