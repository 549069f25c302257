/* reload.h - settings while the server runs: read again, checked whole, handed to all threads.
 *
 * Threads  The control thread.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "daemon/operator.h"

/* What is the process's own: its log. Says what the settings leave open. */
void reload_apply(const struct config *c);

/* Reads command line, config file and certificates again. A bad one keeps the old and says so. */
void reload(struct daemon *d, struct operator* o);

#endif
