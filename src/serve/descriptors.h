/* SPDX-License-Identifier: MIT */
/* descriptors.h - the first three, and limits that are no larger than the limit of open files
 * allows.
 *
 * Connections have three quarters of the descriptors at most, programs two thirds: neither can take
 * all. Where they still meet, idle connections are closed (http/crowd.c).
 *
 * Threads  Any.
 */
#ifndef SERVE_DESCRIPTORS_H
#define SERVE_DESCRIPTORS_H

#include "serve/config.h"

/* Puts /dev/null in the place of each of stdin, stdout and stderr that is closed, so that none of
 * the server's own descriptors is taken for one of them. */
void descriptors_open_first(void);
/* connections-max, of all workers. */
uint64_t descriptors_connections(const struct config *c, unsigned workers);
/* The same of the peers of a library, which has no programs: all but a sixteenth, which is for the
 * program around it. */
uint64_t descriptors_peers(const struct config *c);
/* programs-max. */
uint32_t descriptors_programs(const struct config *c);
/* programs-per-client: where descriptors are short, at most half of them. */
uint32_t descriptors_programs_of_client(const struct config *c);

#endif
