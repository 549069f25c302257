/* SPDX-License-Identifier: MIT */
/* supervisor.h - the small process in front of the one that serves: it is the process id that users
 * and the service manager know, keeps the listening sockets, and starts the serving process again
 * when that has crashed.
 *
 *                      ready               crash
 *     STARTING ─────────────────> SERVING ──────┐
 *        ^ │ crash                               │
 *        │ └──────────────> WAITING <────────────┘    the delay grows while crashes repeat
 *        └─────────────────────┘
 *
 *     any of them ── SIGTERM, SIGINT, hang-up ──> `ending`: what ends now is not started again
 *
 * It has one thread, reads nothing that a peer has sent, and keeps no settings. Signals are passed
 * on as messages, so that none is lost or counted twice.
 *
 * Exit status  That of the serving process; 1 if one had crashed before.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "supervisor/listeners.h"

struct supervisor_spec {
    char *const *argv; /* of the serving process too */
    /* What is to be listened to, read anew from the settings: again at each start and reload.
     * False: they can't be read, and that is logged. The wishes are valid until the next call. */
    bool (*wishes)(void *arg, const struct listening_wish **ret, size_t *ret_count);
    /* The first serving process is ready. */
    void (*ready)(void *arg, const struct listeners *l, bool secure);
    void *arg;
    bool hangup_reloads; /* also that of the terminal */
};

/* Returns the exit status. */
int supervisor_run(const struct supervisor_spec *spec);

#endif
