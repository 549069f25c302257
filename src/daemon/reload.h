/* SPDX-License-Identifier: MIT */
/* reload.h - settings while the server runs: read again, checked whole, handed to all threads.
 *
 * Threads  The control thread.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "daemon/admin_server.h"

void reload_apply_log(const struct config *c);
/* Applies the settings of the process itself, those of its log. Logs a warning if the settings
 * leave the server open. */
void reload_apply(const struct config *c);

/* The access log that the settings ask for: *ret is NULL if they ask for none. Returns false, and
 * has logged why, if the file can't be opened. */
bool reload_open_access_log(const struct config *c, struct access_log **ret);

/* Reads command line, config file and certificates again. A bad one keeps the old and says so. */
void reload(struct daemon *d, struct admin_server *s);

#endif
