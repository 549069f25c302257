/* SPDX-License-Identifier: MIT */
/* worker_settings.h - what each room of a worker is told of the settings. */
#ifndef DAEMON_WORKER_SETTINGS_H
#define DAEMON_WORKER_SETTINGS_H

#include "daemon/worker.h"

/* Gives each room its part of `c`, which has to outlive its use. For the start and for a reload. */
void worker_settings_use(struct worker *w, const struct config *c);
/* An even share of a limit on all workers, at least 1. */
uint32_t worker_share(const struct worker *w, uint64_t all);

#endif
