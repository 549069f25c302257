/* SPDX-License-Identifier: MIT */
/* process_tree.h - all processes that descend from a child of ours, also those that have left its
 * group and its session.
 *
 * They are found by /proc: the children of the child, theirs, and so on. A process whose parent has
 * ended falls to us (process_tree_adopt), and is known by its mark; without one, by its session. So
 * is not found who has left its session, lost its parent, and wiped its environment: a cgroup finds
 * that too (cgroup.h).
 *
 * Threads  Any; process_tree_adopt, _reap and _end are the main thread's.
 * Cost     A file of /proc for each orphan that we have and three for each descendant;
 *          PROCESS_TREE_MAX of these in one look. Where processes end meanwhile it is looked again,
 *          for 20 ms at most.
 */
#ifndef NET_PROCESS_TREE_H
#define NET_PROCESS_TREE_H

#include "net/mark.h"

#include <stddef.h>

#define PROCESS_TREE_MAX 4096

struct process_tree {
    pid_t leader;
    bool leader_reaped;
    const struct mark *mark; /* NULL: every orphan of ours is one of them */
};

/* Sends the signal to each descendant of the leader that is not in the leader's own group. Returns
 * how many descendants live, also of that group. A zombie does not. Where they fork as fast as they
 * are looked at, 1 may be returned for one that was not seen. `signal` 0: only looks, and stops at
 * the first. */
size_t process_tree_signal(const struct process_tree *tree, int signal);
/* Kills whoever has a mark of this server, and returns how many that were. Reads the environment
 * of all processes of the machine. */
size_t process_tree_kill_all(void);

/* Is the process, all threads of it, about to end? Then it tells so in a moment, and what it had
 * open is closed by its end, not by its will. Not to be asked of one that is reaped. */
bool process_is_exiting(pid_t pid);

/* From now on the orphans of our children are ours, as those of process 1 are. Negative errno. */
int process_tree_adopt(void);
/* Orphans that have ended are reaped. To be called by the main thread after SIGCHLD: orphans are
 * that thread's children. Children that other threads have started are left alone. */
void process_tree_reap(void);
/* A child of the process that we have taken over from: all of those are children of the main
 * thread, as orphans are, but somebody waits for this one. Until process_tree_forget(), for which
 * any number will do. Any thread. */
void process_tree_spare(pid_t child);
void process_tree_forget(pid_t child);
/* At our end: kills and reaps all orphans, for some seconds at most. The main thread's. */
void process_tree_end(void);

#endif
