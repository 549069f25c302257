/* SPDX-License-Identifier: MIT */
/* console.h - who may open the developer's console, /.httpsocket/console: in dev mode, a browser on
 * this machine, and no other origin's page.
 *
 * Threads  The worker's.
 */
#ifndef SERVE_CONSOLE_H
#define SERVE_CONSOLE_H

#include "serve/worker.h"

/* Is this name below /.httpsocket/ one of the console's? */
bool console_has(struct slice name);
/* False: the request is refused, and has been answered. */
bool console_lets_in(struct worker *w, struct exchange *x, const struct origin *here);

#endif
