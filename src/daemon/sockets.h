/* SPDX-License-Identifier: MIT */
/* sockets.h - which listening sockets the settings ask for, and how the daemon gets them: from its
 * supervisor or, without one, by itself.
 *
 * Threads  The control thread; sockets_wishes also the supervisor.
 */
#ifndef DAEMON_SOCKETS_H
#define DAEMON_SOCKETS_H

#include "daemon/daemon.h"

/* What `c` asks for: the caller frees it; names are borrowed from `c`. NULL without memory. */
struct listening_wish *sockets_wishes(const struct config *c, size_t *ret_count);

/* Fills d->offered; afterwards either sockets_keep() or sockets_refuse(). Negative errno, with the
 * address that can't be had in `ret_failed`. */
int sockets_offer(struct daemon *d, const struct config *c, char ret_failed[IPC_NAME_MAX]);
/* What `d` has no more is closed, before the workers close theirs: so nobody's connection waits in
 * a queue that is not looked at again. */
void sockets_keep(struct daemon *d);
void sockets_refuse(struct daemon *d);
/* Prints where a server listens. */
void sockets_print(const struct listeners *l, bool secure);

#endif
