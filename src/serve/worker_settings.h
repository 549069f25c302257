/* SPDX-License-Identifier: MIT */
/* worker_settings.h - what each room of a worker is told of the settings. */
#ifndef SERVE_WORKER_SETTINGS_H
#define SERVE_WORKER_SETTINGS_H

#include "serve/worker.h"

/* Gives each room its part of `c`, which has to outlive its use. For the start and for a reload. */
void worker_settings_use(struct worker *w, const struct config *c);
/* What `c` says of WebSockets. */
struct ws_config worker_ws_config(const struct config *c);
/* An even share of a limit on all workers, at least 1. */
uint32_t worker_share(const struct worker *w, uint64_t all);

#endif
