/* SPDX-License-Identifier: MIT */
/* program_limits.h - the settings `program-limits`, `run-as` and `program-setuid`: what programs
 * may do. */
#ifndef SERVE_PROGRAM_LIMITS_H
#define SERVE_PROGRAM_LIMITS_H

#include "serve/config.h"

/* NULL with `why`, which is empty without memory. */
struct program_rights *program_limits_read(const struct config *c, struct text *why);

#endif
