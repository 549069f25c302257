/* SPDX-License-Identifier: MIT */
/* child.h - the command of --exec: a shell command with a pipe to its stdin
 * and one from its stdout. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <sys/types.h>

struct child {
    pid_t pid;
    int in, out; /* the caller's: what it reads, what it writes */
};

/* A positive errno on failure. The child's signal mask is as it was before ours was set. */
int child_start(const char *command, struct child *ret);
/* After both descriptors are closed: waits some seconds for the child's end, then kills it. The
 * status of waitpid(2). */
int child_wait(const struct child *child);

#endif
