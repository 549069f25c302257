/* SPDX-License-Identifier: MIT */
/* worker.h - one thread with its loop, listeners, connections, pages and sessions. Workers share
 * only what struct server holds.
 *
 * Threads  worker_start, _join, _free and the _post functions (worker_mail.c) are other threads';
 *          everything else happens in the worker's own.
 */
#ifndef SERVE_WORKER_H
#define SERVE_WORKER_H

#include "access/grant.h"
#include "access/server_origins.h"
#include "gateway/gateway.h"
#include "http/server.h"
#include "http/site.h"
#include "hub/threads.h"
#include "limits/memory.h"
#include "net/listener.h"
#include "net/seal.h"
#include "page/page.h"
#include "program/host.h"
#include "serve/script_access.h"
#include "supervisor/listening_set.h"

#include <pthread.h>
#include <stdatomic.h>

struct cluster_node;
struct server;
struct dev;
struct halt;

/* The mail that has to arrive also without memory. */
struct worker_letters {
    struct mail ended; /* to the control thread */
    struct mail drain, drain_at_once;
    struct mail config; /* there and back: of one reload at a time */
    const struct config *new_config;
    struct listening_set *new_listeners;
    void (*config_done)(struct server *server);
    atomic_bool drain_posted, drain_at_once_posted;
    struct mail rest, rested, rest_end; /* of one take-over at a time */
    struct mail halt;
    struct halt *halt_at;
    uint32_t rest_ms;
    void (*rest_done)(struct server *server);
};

struct worker {
    struct server *server; /* borrowed */
    void *own;             /* the router's own, of this worker */
    uint16_t index;
    pthread_t thread;
    struct loop *loop;
    struct site *site;           /* NULL: no folder is served */
    uint64_t root_looked_ms;     /* when it was looked at whether the root has moved */
    bool root_gone;              /* that was logged */
    const struct config *config; /* borrowed from the server; changes by mail */
    struct server_origins origins;
    struct script_access *script_access;
    struct access_source access; /* lends script_access to grants and relays */
    struct access_counts access_counts;
    struct list grants; /* of clients of other origins, client_grant.h */
    struct http_limits http_limits;
    struct program_config program_config;
    struct page_config page_config;
    struct session_config session_config, tcp_session_config;
    struct sealer sealer; /* of states of programs */
    struct ws_config ws_config, tcp_ws_config;
    struct hub_config hub_config;
    struct hub hub;
    struct session_table *sessions;
    struct memory_desk memory;
    struct http_server http;
    struct program_host *programs;
    struct page_host *pages;
    struct dev *dev; /* NULL: without --dev */
    struct gateway_config gateway_config;
    struct gateway gateway;
    struct cluster_node *cluster; /* NULL: the server is alone */
    struct list listeners;
    struct timer drain_timer;
    uint64_t drain_deadline_ms;
    struct timer rest_timer;
    uint64_t rest_deadline_ms;
    bool resting;
    struct halt *halt;   /* where the thread is to stand still; NULL: nowhere */
    struct list parcels; /* requests of other workers, that came while this one rests */
    bool draining, killed;
    bool drained; /* nothing is left, or the time is over: the loop stops */
    bool ended;   /* the loop does not run any more */
    struct worker_letters letters;
};

/* Negative errno. Nothing is accepted yet. */
int worker_open(struct worker *w, struct server *server, uint16_t index);
/* Takes its share of the descriptors and closes the listeners whose addresses are not in the set.
 * Before worker_run(), then in the worker's thread. Negative errno: one of them does not work. */
int worker_use_listeners(struct worker *w, struct listening_set *set);
/* Starts its thread; after worker_open() of all, since they post to each other. Negative errno. */
int worker_run(struct worker *w);
/* Waits for its thread to end. */
void worker_join(struct worker *w);
/* From now on no mail of the worker's hub is answered. To be called after all workers have been
 * joined and before the first is freed. */
void worker_stop(struct worker *w);
/* Also of one whose worker_open() has failed, or that is zeroed. */
void worker_free(struct worker *w);

/* The budget for memory in `c`. */
struct memory_limits worker_memory_limits(const struct config *c);
struct spool_limits worker_spool_limits(const struct config *c);
/* The settings of topics in `c`. */
void worker_hub_config(const struct config *c, struct hub_config *ret);

/* site_find() where the root is now: it is looked for once a second, and when nothing is found. */
void worker_find(struct worker *w, struct slice path, struct site_found *ret);

/* Is the request's Host ours? Then *ret is the origin that it has reached. */
bool worker_is_ours(struct worker *w, struct exchange *x, struct origin *ret);

/* To be called in the worker's own thread: does what the mail of the same name asks. */
void worker_use_config(struct worker *w, const struct config *config);
void worker_drain(struct worker *w, bool at_once);
void worker_rest(struct worker *w, bool rests);

/* Of worker.listeners. */
void worker_pause_listener(struct list *node, bool paused);
/* Requests of other workers that wait for the end of the rest. */
void worker_each_parcel(const struct worker *w, void (*each)(void *arg, const struct http_parcel *),
                        void *arg);

/* ---- worker_pack.c: for the process that takes over; its thread stands still ---- */

void worker_pack(struct worker *w, struct pack *p);
/* Before worker_run(): the topics of all, then the rest of all, then worker_go_on() for each. */
void worker_unpack_topics(struct worker *w, struct slice in);
void worker_unpack(struct worker *w, struct slice in);
void worker_go_on(struct worker *w);

/* A new config, which the worker uses from then on, with its share of the listeners (borrowed);
 * `done` runs in the control loop's thread after that. */
void worker_post_config(struct worker *w, const struct config *config, struct listening_set *set,
                        void (*done)(struct server *server));
/* Runs `done` in the control loop's thread, after the worker's own has passed the question on. */
void worker_post_ping(struct worker *w, void (*done)(void *arg), void *arg);
/* No new sessions; ends when all have ended or the time is over. `at_once`: kill and end. */
void worker_post_drain(struct worker *w, bool at_once);
/* No request and no connection begins any more; `done` runs in the control loop's thread when none
 * is under way, or what was has been cut after `timeout_ms`. worker_rest() ends it. */
void worker_post_rest(struct worker *w, uint32_t timeout_ms, void (*done)(struct server *server));
/* The end of it. */
void worker_post_rest_end(struct worker *w);
/* What can't be taken over is told so; then the thread stands still there (halt.h). */
void worker_post_halt(struct worker *w, struct halt *halt);
/* Another worker's request, whose session lives here. Takes the parcel. */
void worker_post_request(struct worker *w, const struct http_parcel *parcel);
/* Lets programs go: page_host_restart(). `done` runs in the control loop's thread, with how many
 * pages that is. The path is copied. */
void worker_post_restart(struct worker *w, struct slice path, void (*done)(void *arg, size_t pages),
                         void *arg);
/* Appends the worker's sessions as JSON objects, each followed by a comma; `done` runs in the
 * control loop's thread with the text, which is the callee's. */
void worker_post_describe(struct worker *w, void (*done)(void *arg, struct text *text), void *arg);

#endif
