/* SPDX-License-Identifier: MIT */
/* process_birth.h - how a child comes to be: cloned as by vfork(2), and what it does of itself
 * before it executes its program. For process.c only.
 *
 * The child shares our memory until it has executed or ended, and makes system calls only. It is
 * cloned with its pidfd, into its cgroup, without our signal handlers; where the kernel or a
 * sandbox does not know all of that, it does with less.
 *
 * Threads  Any. Only the calling thread stands still meanwhile.
 */
#ifndef NET_PROCESS_BIRTH_H
#define NET_PROCESS_BIRTH_H

#include <stdbool.h>
#include <sys/types.h>

struct process_spec;

struct process_born {
    pid_t pid;
    int pidfd; /* the caller's; or a negative errno */
    bool in_cgroup;
};

/* `cgroup`: the descriptor of a cgroup's folder, in which the child begins if that can be done; -1:
 * none. 0, or a negative errno of process_start(): then there is no child. */
int process_birth(const struct process_spec *spec, int cgroup, struct process_born *ret);

#endif
