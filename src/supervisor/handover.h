/* SPDX-License-Identifier: MIT */
/* handover.h - a process executes another file in its place, and hands over to it what it holds
 * (docs/decisions/takeover.md): packed objects in a memory file, and open descriptors.
 *
 *   handover_execute ──execve──> handover_take ──> … ──> handover_done
 *
 * Both the supervisor and the serving process do so, each with a variable of its own, `PID:FD`.
 *
 * Errors   Before the execve a failure changes nothing.
 * Threads  The only one that runs.
 */
#ifndef SUPERVISOR_HANDOVER_H
#define SUPERVISOR_HANDOVER_H

#include "base/pack.h"

/* Where handover_file() is, for a process that is started. */
#define HANDOVER_FILE       "HTTPSOCKETD_FILE"
#define HANDOVER_SERVES     "HTTPSOCKETD_TAKES_OVER"
#define HANDOVER_SUPERVISES "HTTPSOCKETD_SUPERVISES"

/* The file that this process was started from, under the name that it was started by: an absolute
 * path, under which there may be another file by now. Of a file that was renamed the place where it
 * was. `init` comes first, once. */
void handover_file_init(void);
const char *handover_file(void);

/* `inputs`: the copies that the check has made (base/input_file.h), or -1. Returns only on failure:
 * a negative errno. */
int handover_execute(const char *file, char *const *argv, const char *variable, int inputs,
                     const struct pack *p);

/* In the process that was executed, before handover_take(): is it in the place of such a one? */
bool handover_is(const char *variable);
/* The same: those copies, or -1. They are open until then. */
int handover_inputs(void);

struct handover {
    struct slice whole; /* mapped */
    struct slice body;  /* what was packed */
    struct slice version;
};

/* Was this process executed so? -ENOENT: no. The descriptors are close-on-exec from here on.
 * Another negative errno: it can't be read, with ret_why. */
int handover_take(const char *variable, struct handover *ret, struct text *ret_why);
void handover_done(struct handover *h);

#endif
