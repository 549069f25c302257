/* SPDX-License-Identifier: MIT */
/* cross_site.h - ordinary requests of other origins' pages: what their scripts may read, and why
 * they were refused a connection.
 *
 * Whom script access lets in gets the headers of CORS with whatever answers, and his preflights
 * answered; for everybody else the answer is what it always is, and his browser keeps it from the
 * script. A request without an Origin, or with our own, is none of this and costs nothing.
 */
#ifndef DAEMON_CROSS_SITE_H
#define DAEMON_CROSS_SITE_H

#include "daemon/worker.h"

/* False: it is not one of these, and still the caller's. True: it is taken; what allows no answer
 * of ours goes on to wiring_answer(). */
bool cross_site_begin(struct worker *w, struct exchange *x, const struct origin *here);

#endif
