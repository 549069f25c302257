/* SPDX-License-Identifier: MIT */
/* daemon.h - the state that all workers share, and the control thread that starts, reloads, drains
 * and ends them. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/worker.h"
#include "net/cgroup.h"
#include "net/tls.h"
#include "supervisor/handover.h"
#include "supervisor/serving.h"

struct daemon {
    int argc;
    char *const *argv;
    struct config *config;
    struct config *config_old;         /* until all workers have the new one */
    uint32_t config_waits;             /* workers that have not */
    bool reload_again;                 /* a reload was wanted meanwhile */
    struct serving *serving;           /* the supervisor's order and its sockets; NULL: alone */
    struct listeners listeners;        /* alone */
    struct listening_set offered;      /* on its way to the workers */
    struct loop *loop;                 /* of the control thread */
    struct tls_context *tls;           /* NULL: plain */
    struct tls_context *targets_trust; /* of TCPConnections' targets */
    struct seal_keys *state_keys;      /* of states of programs */
    struct program_limits *limits;
    struct cgroup *cgroup;         /* of programs; NULL: none */
    struct worker_map *worker_map; /* of shared programs */
    char *sdk;                     /* NULL: no helpers for programs */
    char *lines;                   /* what has stdio programs write lines; NULL: nothing */
    struct quota *quota;
    struct memory *memory;
    struct spool *spool;
    struct script_access_tables tables;
    struct hub_threads *topics;
    struct access_log *access_log;      /* NULL: none */
    struct access_log *access_log_old;  /* until all workers have the new one */
    struct access_counts access_counts; /* of the control thread */
    struct worker *workers;
    uint16_t worker_count;
    uint16_t workers_running;
    char *metrics_before; /* of the process that this one has taken over from; NULL: none */
    bool draining;
};

struct takeover;
struct takeover *daemon_takeover(struct daemon *d);

/* From a worker's thread: its loop has ended. */
void daemon_worker_ended(struct worker *w);

/* No new sessions; the process ends when all have ended. The second time: at once. */
void daemon_drain(struct daemon *d);

/* The exit status. `config` becomes the daemon's. `serving`: the side of the channel to the
 * supervisor; NULL: there is none. `before`: what this process takes over; NULL: it starts. */
int daemon_run(struct config *config, int argc, char *const *argv, struct serving *serving,
               struct handover *before);

#endif
