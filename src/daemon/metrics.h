/* SPDX-License-Identifier: MIT */
/* metrics.h - the counters of all workers as Prometheus text. The counters are read without locks:
 * each number was true a moment ago. */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "daemon/admin_server.h"

void metrics_write(const struct daemon *daemon, const struct admin_server *server,
                   struct text *out);

#endif
