/* SPDX-License-Identifier: MIT */
/* driver.h - fixed work in this process, a piece of it at a time under a counter: bench/counts runs
 * this program under callgrind and counts only what counted() does.
 *
 * Clients are the other ends of socket pairs, written to and read from here, uncounted. Time stands
 * still. So the same program does the same each time.
 */
#ifndef COUNTS_DRIVER_H
#define COUNTS_DRIVER_H

#include "core/backend.h"

struct counts_row {
    const char *name;
    /* Does the work once in full before anything is counted, so that pools are filled. Returns how
     * many messages were counted. */
    unsigned (*run)(void);
};

/* The rows of each file; one without a name ends them. */
extern const struct counts_row ws_rows[];
extern const struct counts_row handshake_rows[];
extern const struct counts_row session_rows[];
extern const struct counts_row topic_rows[];

/* Ends the program, with a line that says why. */
_Noreturn void counts_fail(const char *what);
/* A loop on epoll whose clock stands still. */
struct loop *counts_loop(void);
/* A pair of connected sockets. */
void counts_pair(int *ret_server, int *ret_client);
/* Calls work(arg). All that it does is counted, if `counts`. */
void counted(bool counts, void (*work)(void *arg), void *arg);
/* Calls of malloc, calloc and realloc so far. */
unsigned long counts_allocations(void);

#endif
