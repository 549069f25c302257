/* SPDX-License-Identifier: MIT */
/* cluster_print.h - what servers of a cluster say, on stdout; who has not answered, on stderr.
 *
 * Each takes the JSON of the admin listener, and returns whether all is there.
 */
#ifndef CLI_CLUSTER_PRINT_H
#define CLI_CLUSTER_PRINT_H

#include <jansson.h>
#include <stdbool.h>

bool cluster_print_table(const json_t *answer);
bool cluster_print_json(const json_t *answer);
/* A session a line, with its server's `server` and `name`. */
bool cluster_print_sessions(const json_t *answer);
/* The Prometheus text: each family once, its samples with the labels `server` and `name`. */
bool cluster_print_metrics(const json_t *answer);
bool cluster_print_lifted(const json_t *answer);

#endif
