/* SPDX-License-Identifier: MIT */
/* way_targets.h - the servers that a worker was asked to reach: of each its way, or who waits for
 * it. For ways.c alone; ways_ask() and its kin are here, too.
 *
 * A target is there while it has a way, or somebody waits, and as long as the registry still has a
 * server that is known to be gone.
 */
#ifndef CLUSTER_WAY_TARGETS_H
#define CLUSTER_WAY_TARGETS_H

#include "cluster/ways.h"

/* The view is another one. */
void targets_review(struct ways *ways);
/* Closes their ways; who waits is answered as usual. */
void targets_part(struct ways *ways);
/* Who waits is told WAYS_AWAY. */
void targets_done(struct ways *ways);

#endif
