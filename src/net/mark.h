/* SPDX-License-Identifier: MIT */
/* mark.h - a variable in the environment of a child of ours and of all that descend from it, by
 * which these are found again when they have left its session.
 *
 * HTTPSOCKET_PROGRAM=SERVER.NUMBER; SERVER is a random number of this process.
 *
 * Threads  Any.
 */
#ifndef NET_MARK_H
#define NET_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MARK_NAME "HTTPSOCKET_PROGRAM"

struct mark {
    uint64_t number;
    char text[64]; /* NAME=VALUE; empty: none */
};

/* Chooses SERVER now; a process that is forked later has the same. */
void mark_begin(void);
/* SERVER; and the same in another process of this server, which has not begun yet. */
uint64_t mark_server(void);
void mark_begin_as(uint64_t server);
/* The last number that was given; and in the process that takes over, where numbers go on. */
uint64_t mark_last(void);
void mark_go_on(uint64_t number);
/* Another one with each call. */
void mark_make(struct mark *ret);

enum mark_found {
    MARK_NONE,  /* the process has no such variable, or does not let us look */
    MARK_OTHER, /* of another child, or of another server's */
    MARK_SAME
};
/* What /proc/PID/environ says. */
enum mark_found mark_look(pid_t pid, const struct mark *mark);
/* Has the process a mark that this server has made? */
bool mark_is_ours(pid_t pid);

#endif
