/* SPDX-License-Identifier: MIT */
/* report.h - what this server tells of itself, to its admin listener and to the other servers of
 * its cluster.
 *
 * Threads  The control thread, unless stated.
 */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include "daemon/daemon.h"

struct report_order;

/* The live sessions as a JSON array, to `done`, once, later; `json` is the callee's to read. */
void report_sessions(struct daemon *d, void (*done)(void *arg, const struct text *json), void *arg);

/* server->report, from worker 0's thread. */
void report_take(struct server *server, struct report_order *order);

#endif
