/* SPDX-License-Identifier: MIT */
/* leftovers.h - programs that a serving process has left behind when it died.
 *
 * The supervisor is their subreaper: they become its children. They get SIGTERM at once and SIGKILL
 * two seconds later, while the next serving process is at work already. Which of its children they
 * are is told by when they were started: children that this process had before its first serving
 * process are somebody else's (a shell that has exec'd us), and later ones than the current serving
 * process are in its care.
 *
 * Threads  One.
 */
#ifndef SUPERVISOR_LEFTOVERS_H
#define SUPERVISOR_LEFTOVERS_H

#include <stdint.h>
#include <sys/types.h>

struct leftovers {
    uint64_t first_ticks; /* when the first serving process was started */
    uint64_t last_ticks;  /* when the current one was; without one: now */
    pid_t serving;        /* 0: none */
    uint64_t kill_ms;
    uint64_t due_ms; /* when to call leftovers_look; 0: never */
};

/* A serving process was started. */
void leftovers_begin(struct leftovers *l, pid_t serving);
/* It has ended, and is reaped. */
void leftovers_end(struct leftovers *l, uint64_t now_ms);
void leftovers_look(struct leftovers *l, uint64_t now_ms);
/* At the end: kills all that is left, and waits for that, up to two seconds. */
void leftovers_kill(struct leftovers *l);

#endif
