/* SPDX-License-Identifier: MIT */
/* start.h - starts a serving process: this program file once more, by fork and exec, so that each
 * one has addresses of its own that tell nothing about those of the one before.
 *
 * The child is in a session of its own, without a terminal: Ctrl-C and a hang-up reach the
 * supervisor alone. It is killed by the kernel when the supervisor dies.
 */
#ifndef SUPERVISOR_START_H
#define SUPERVISOR_START_H

#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* `PID:FD:BEAT_MS`: which process serves, its end of the channel, how often it is to say that it is
 * alive. */
#define START_VARIABLE "HTTPSOCKETD_SERVES"

struct start_spec {
    char *const *argv;
    sigset_t mask;             /* as this process found it */
    struct rlimit descriptors; /* likewise */
    uint64_t beat_ms;          /* 0: never */
};

/* *ret_channel is our end. Negative errno. */
int start_serving(const struct start_spec *spec, pid_t *ret_pid, int *ret_channel);

#endif
