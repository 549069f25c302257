/* SPDX-License-Identifier: MIT */
/* terminal.h - was this SIGHUP the end of the terminal that the server was started in, or did
 * somebody ask for a reload?
 *
 * A hang-up comes from the kernel, or from the shell whose session it was; and after it the
 * terminal that we had can't be opened any more.
 */
#ifndef SUPERVISOR_TERMINAL_H
#define SUPERVISOR_TERMINAL_H

#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/types.h>

struct terminal {
    bool had;     /* a controlling terminal, at the start */
    bool ignored; /* SIGHUP, at the start: nohup */
    pid_t leader; /* of our session */
};

/* To be called at the start. */
void terminal_init(struct terminal *t);
bool terminal_hung_up(const struct terminal *t, const struct signalfd_siginfo *hup);

#endif
