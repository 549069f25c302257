/* SPDX-License-Identifier: MIT */
/* shared_policy.h - the policy that this server shares with others (cluster/policy.h), and how what
 * is doubted reaches the workers.
 *
 * Threads  Opened by whoever opens the workers, before their threads. The rest is the policy's.
 */
#ifndef SERVE_SHARED_POLICY_H
#define SERVE_SHARED_POLICY_H

#include "cluster/policy.h"

struct server;

/* The server's policy, in the loop of worker 0, into server->tables. Nothing happens without
 * `broker`. False without memory. */
bool shared_policy_open(struct server *server, struct loop *loop);

#endif
