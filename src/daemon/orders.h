/* SPDX-License-Identifier: MIT */
/* orders.h - what the daemon is told to do: by its supervisor or, without one, by signals. Tells
 * the supervisor or the service manager that all threads are alive, if that is wanted.
 *
 * Threads  The control thread.
 */
#ifndef DAEMON_ORDERS_H
#define DAEMON_ORDERS_H

#include "daemon/admin_server.h"
#include "supervisor/terminal.h"

struct orders {
    struct daemon *daemon;      /* borrowed */
    struct admin_server *admin; /* borrowed */
    struct watch signals;
    struct watch children; /* SIGCHLD; stopped while `children_rest` runs */
    int children_fd;       /* owned */
    struct timer children_rest;
    uint64_t reaped_ms; /* when the children were looked at last */
    struct watch supervisor;
    struct terminal terminal;
    struct timer beat;
    uint16_t beat_waits; /* workers that have not answered */
    struct timer reload; /* once more, when the one that is under way is over */
};

/* From now on signals come here. Negative errno. */
int orders_start(struct orders *o, struct daemon *daemon, struct admin_server *admin);
/* The server is ready: obeys what came before, and says from now on that it lives. `taken_over`:
 * its settings are those that the take-over was checked with; it reads them again, as they may have
 * changed since, and a reload with them. */
void orders_begin(struct orders *o, bool taken_over);
void orders_stop(struct orders *o);

#endif
