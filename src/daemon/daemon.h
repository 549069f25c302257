/* SPDX-License-Identifier: MIT */
/* daemon.h - a server (serve/server.h) with settings that are reloaded, and the control thread that
 * starts, reloads, drains and ends it. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "serve/server.h"
#include "supervisor/handover.h"
#include "supervisor/serving.h"

struct daemon {
    struct server server;
    int argc;
    char *const *argv;
    struct config *config_old;          /* until all workers have the new one */
    uint32_t config_waits;              /* workers that have not */
    bool reload_again;                  /* a reload was wanted meanwhile */
    struct serving *serving;            /* the supervisor's order and its sockets; NULL: alone */
    struct listeners listeners;         /* alone */
    struct listening_set offered;       /* on its way to the workers */
    struct access_log *access_log_old;  /* until all workers have the new one */
    struct access_counts access_counts; /* of the control thread */
    uint16_t workers_running;
    char *metrics_before; /* of the process that this one has taken over from; NULL: none */
    bool draining;
};

static inline struct daemon *daemon_of(struct server *server)
{
    return container_of(server, struct daemon, server);
}

struct takeover;
struct takeover *daemon_takeover(struct daemon *d);
struct admin_server;
struct admin_server *daemon_admin(struct daemon *d);

/* No new sessions; the process ends when all have ended. The second time: at once. */
void daemon_drain(struct daemon *d);

/* The exit status. `config` becomes the daemon's. `serving`: the side of the channel to the
 * supervisor; NULL: there is none. `before`: what this process takes over; NULL: it starts. */
int daemon_run(struct config *config, int argc, char *const *argv, struct serving *serving,
               struct handover *before);

#endif
