/* SPDX-License-Identifier: MIT */
/* takeover.h - this process is replaced by another program file, and nothing ends
 * (docs/decisions/takeover.md).
 *
 *   IDLE ──takeover_begin──> CHECKING ──the new file says that it can──> RESTING ──no request is under way──> execve
 *    ^                          │                                          │                                    │
 *    └──── it can't, or not in time: takeover.refused ─────────────────────┴── the server ends; it failed ──────┘
 *
 *   CHECKING  the new file runs once beside us, with `--check-takeover`: reads the settings, and
 *             prints the versions that it reads
 *   RESTING   requests that are under way are finished, and no new one begins; WebSockets go on
 *
 * Up to the execve all can be undone, and if that fails, it is.
 *
 * Threads  The control thread. While it writes, the workers' stand still.
 */
#ifndef DAEMON_TAKEOVER_H
#define DAEMON_TAKEOVER_H

#include "daemon/admin_server.h"
#include "daemon/keeper.h"
#include "net/process.h"
#include "serve/halt.h"
#include "supervisor/handover.h"

enum {
    TAKEOVER_CHECK_INPUTS = 3 /* the descriptor that the check copies to what it reads */
};

struct takeover {
    struct daemon *daemon;      /* borrowed */
    struct admin_server *admin; /* borrowed */
    struct keeper *keeper;      /* borrowed */
    enum {
        TAKEOVER_IDLE,
        TAKEOVER_CHECKING,
        TAKEOVER_RESTING
    } state;
    bool wanted;                 /* by somebody, meanwhile */
    uint64_t began_ms, stood_ms; /* when it was wanted; when the threads stood still */
    struct timer timer;          /* of the state */
    struct halt halt;
    uint16_t waits; /* workers that are not at rest */
    struct process check;
    bool check_runs;
    int check_status;
    int inputs;     /* what the check has read (base/input_file.h), or -1 */
    struct io said; /* what the check prints */
    bool said_open;
    struct text text;
};

void takeover_init(struct takeover *t, struct daemon *d, struct admin_server *admin,
                   struct keeper *keeper);
/* Somebody wants it. Says in the log what comes of it. */
void takeover_begin(struct takeover *t);
/* The server ends, or does something else that comes first. */
void takeover_cancel(struct takeover *t);

/* Is the process one that takes over? Then *ret is what it has to take. False and *ret_failed: it
 * can't be read. To be called first. */
bool takeover_take(struct handover *ret, bool *ret_failed);

/* ---- takeover_state.c: what is handed over ---- */

/* The workers' threads stand still. */
void takeover_pack(struct takeover *t, struct pack *p);
/* In this order, each at its place in daemon_run(). */
void takeover_unpack_process(struct slice in, struct cgroup **ret_cgroup, int *ret_keeper_pipe);
uint16_t takeover_workers(struct slice in);
bool takeover_unpack_listeners(struct slice in, struct daemon *d);
/* The keys of states that stand in no file of the settings; NULL: they are to be opened. */
struct seal_keys *takeover_state_keys(struct slice in, const struct config *c);
/* Who the server is, among those that share its brokers. */
void takeover_unpack_cluster(struct slice in, struct cluster_server *s);
void takeover_unpack_server(struct slice in, struct daemon *d);
/* After everything is there. */
void takeover_say_done(struct slice in, const struct handover *h, const struct daemon *d);

#endif
