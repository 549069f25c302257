/* SPDX-License-Identifier: MIT */
/* activation.h - the listening sockets that a service manager passes: LISTEN_FDS, LISTEN_PID and
 * LISTEN_FDNAMES of sd_listen_fds(3). The one whose name is `admin` is the admin listener's; the
 * others serve pages. */
#ifndef SUPERVISOR_ACTIVATION_H
#define SUPERVISOR_ACTIVATION_H

#include "supervisor/listeners.h"

/* Takes what was passed to this process, and the variables out of the environment. Negative errno
 * for a descriptor that is no listening stream socket; it has been logged. */
int activation_take(struct listeners *l);

#endif
