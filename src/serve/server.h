/* SPDX-License-Identifier: MIT */
/* server.h - what all workers of one server share. The daemon (src/daemon) and the library's server
 * (library.c) are each one of these, with workers.
 *
 *     server_init(&s, config, count);           the tables, by the settings
 *     s.tls = ...; s.state_keys = ...;          what its owner opens
 *     worker_open() of each; worker_run() of each
 *     worker_join() of each, or their loops have ended
 *     server_free_workers(&s); server_done(&s);
 *
 * Threads  Filled in before the workers' threads start, and emptied after they have ended. What is
 *          behind the pointers says itself which threads may use it.
 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include "net/cgroup.h"
#include "net/tls.h"
#include "serve/router.h"
#include "serve/worker.h"

struct cluster_server;
struct report_order;

struct server {
    struct config *config;   /* owned; a reload replaces it */
    struct loop *loop;       /* borrowed: of the thread that workers report to; NULL: none */
    struct tls_context *tls; /* NULL: plain */
    struct tls_context *targets_trust; /* of TCPConnections' targets */
    struct seal_keys *state_keys;      /* of states of programs */
    struct cluster_server *cluster;    /* owned; NULL: it is alone */
    struct program_limits *limits;
    struct cgroup *cgroup;         /* of programs; NULL: none */
    struct worker_map *worker_map; /* of shared programs */
    char *sdk;                     /* NULL: no helpers for programs */
    char *lines;                   /* what has stdio programs write lines; NULL: nothing */
    struct quota *quota;
    struct memory *memory;
    struct compressor *compressor; /* of files */
    struct spool *spool;
    struct script_access_tables tables;
    struct hub_threads *topics;
    struct access_log *access_log; /* NULL: none */
    bool stopped; /* the workers' threads have ended, so nothing is posted to them any more */
    struct worker *workers;
    uint16_t worker_count;
    const struct router *router;
    struct seat_source *seats; /* of pages; NULL: the programs of this machine */
    bool no_gateway;           /* pages may open no TCPConnections */
    /* In a worker's thread, before its loop runs. May be NULL. */
    void (*worker_begins)(struct worker *w);
    /* From worker 0's thread: others ask what it tells by cluster_report_give(), from the control
     * thread. NULL: this server can't. */
    void (*report)(struct server *server, struct report_order *order);
    /* From a worker's thread: its loop has ended. NULL: whoever runs the loop knows. */
    void (*worker_ended)(struct worker *w);
};

/* Takes the config. -ENOMEM: server_done() all the same. */
int server_init(struct server *s, struct config *config, uint16_t workers);
/* What a server trusts as the certificates of TCPConnections' targets, and its own certificate.
 * False with `why`. */
bool server_open_tls(struct server *s, char *why, size_t why_size);
/* Whom TCPConnections trust, by these settings. NULL with `why`. */
struct tls_context *server_read_trust(const struct config *c, char *why, size_t why_size);
/* The threads have ended, and all workers were opened, or at least tried. */
void server_stop_workers(struct server *s);
void server_free_workers(struct server *s);
/* After the workers. Not the cgroup and the loop, which are its owner's. */
void server_done(struct server *s);

#endif
