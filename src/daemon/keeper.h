/* SPDX-License-Identifier: MIT */
/* keeper.h - a process that sees to it that no program outlives the server, however the server
 * ended: the keeper finds the programs and what descends from them, and kills them all. (The kernel
 * could do so with the programs themselves when the thread ends that has started one; but threads
 * end also when the server is replaced, takeover.h.)
 *
 * It sleeps in a poll(2) on the server's pidfd, and holds no other descriptor of the server's but
 * one end of a pipe: by the other end the server notices that the keeper is gone. Then another one
 * is started, at once; the next ones in a row after 100 ms, 200 ms, and so on up to 10 s.
 *
 * The first one is forked before there are threads, is no child of the server's, and keeps the
 * rights that the server begins with. Later ones are executed (nothing is allocated between fork
 * and exec), are children of the server, and have the rights that it has by then: what programs of
 * other users (run-as) leave behind they find by the cgroup alone.
 *
 * Threads  The control thread.
 */
#ifndef DAEMON_KEEPER_H
#define DAEMON_KEEPER_H

#include "core/loop.h"
#include "net/cgroup.h"

struct keeper {
    struct cgroup *cgroup; /* borrowed: outlives us; NULL: none */
    struct loop *loop;
    int pipe; /* owned: our end of it; -1: there is no keeper */
    struct watch watch;
    struct timer timer; /* until the next one is started */
    unsigned losses;    /* in a row */
    uint64_t started_ms;
};

/* The first one, of this process and of the cgroup of its programs (NULL: none). Before there are
 * other threads, and before process_tree_adopt(). Negative errno. Process 1 needs no keeper: nobody
 * outlives it. */
int keeper_start(struct keeper *k, struct cgroup *cgroup);
/* The keeper of the process that this one has taken over from: our end of its pipe, or -1. */
void keeper_take_over(struct keeper *k, struct cgroup *cgroup, int pipe);
/* From now on it is followed by another when it ends. Without effect if there is none. */
void keeper_watch(struct keeper *k, struct loop *loop);
/* It is not followed any more. Before the loop is freed. */
void keeper_stop(struct keeper *k);

/* Is this process a later keeper? Then this is its life. Called first in main(). */
void keeper_live(char *const *argv);

#endif
