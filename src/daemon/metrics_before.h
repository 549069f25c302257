/* SPDX-License-Identifier: MIT */
/* metrics_before.h - counters go on where those of the process were that this one has taken over
 * from. They are known by their names, so that it may be of another version. */
#ifndef DAEMON_METRICS_BEFORE_H
#define DAEMON_METRICS_BEFORE_H

#include "base/text.h"

/* Appends `now`, metrics in the text form of Prometheus, with what each counter had in `before`. */
void metrics_add_before(struct slice now, struct slice before, struct text *out);

#endif
