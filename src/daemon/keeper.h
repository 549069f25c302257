/* SPDX-License-Identifier: MIT */
/* keeper.h - a process that sees to it that no program outlives the server, however the server
 * ended: each program's first process is killed with the server by the kernel, and the keeper finds
 * what descends from it.
 *
 * It is no child of the server's, sleeps in a poll(2) on the server's pidfd, and holds no other
 * descriptor of the server's. A server that replaces its binary (execve) has the same keeper.
 *
 * Threads  The control thread, before there are others, and before process_tree_adopt().
 */
#ifndef DAEMON_KEEPER_H
#define DAEMON_KEEPER_H

#include "net/cgroup.h"

/* Of this process, and of the cgroup of its programs (NULL: none). Negative errno. Process 1 needs
 * no keeper: nobody outlives it. */
int keeper_start(struct cgroup *cgroup);

#endif
