/* SPDX-License-Identifier: MIT */
/* shared_parts.h - struct shared_process and the pools: what their files share. pool.c calls
 * shared.c, which calls the pool by `on_over`; both call shared_input.c and shared_members.c.
 */
#ifndef PROGRAM_SHARED_PARTS_H
#define PROGRAM_SHARED_PARTS_H

#include "program/parts.h"
#include "program/shared_members.h"

/* The processes of one file in one worker. */
struct shared_pool {
    struct list node; /* program_host.pools */
    struct list processes;
    uint32_t count;
    uint32_t failures; /* one after the other */
    uint64_t not_before_ms;
    char file[];
};

struct shared_process {
    struct list node; /* shared_pool.processes */
    struct shared_pool *pool;
    struct program *program; /* owned by itself: outlives us by nothing */
    struct shared_members members;
    struct list waiting; /* members with lines that the process has not taken */
    uint64_t started_ms;
    struct timer idle_timer;
    struct timer resume_timer;     /* reads on: outside of the call by which nobody is busy */
    struct memory_account account; /* nobody's: pays for the queue that all members share */
    size_t counted;
    size_t backlog;                            /* of all members when that was last counted */
    size_t since;                              /* written since then */
    const struct shared_member *busy;          /* whose ops->busy was true; NULL: nobody's */
    bool placed;                               /* in the worker map */
    bool retiring;                             /* takes no more pages */
    bool ended;                                /* its members have been told */
    bool excess;                               /* it was logged that it writes on stdout */
    void (*on_over)(struct shared_process *s); /* the program is over */
};

/* Not started, not in a pool. NULL without memory. */
struct shared_process *shared_process_new(void (*over)(struct shared_process *s));
void shared_process_free(struct shared_process *s);
/* The program is this process's from now on. */
void shared_process_own(struct shared_process *s, struct program *p);
/* It was taken over from another process. */
void shared_process_go_on(struct shared_process *s);
extern const struct program_ops shared_program_ops;

/* ---- shared_input.c ---- */

/* Says to the account what the queue holds. */
void shared_count_queue(struct shared_process *s);
/* What waited with the member goes to the process. */
void shared_release_pending(struct shared_member *m);

#endif
