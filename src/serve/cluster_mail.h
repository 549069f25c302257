/* SPDX-License-Identifier: MIT */
/* cluster_mail.h - the mail between the nodes of one server (cluster_wiring.h).
 *
 * Threads  Called in the sending worker's.
 */
#ifndef SERVE_CLUSTER_MAIL_H
#define SERVE_CLUSTER_MAIL_H

#include "cluster/servers_view.h"
#include "http/server.h"

struct worker;

/* ways_spec.adopt: a connection that another server passes on goes to the worker that has its
 * session. */
void cluster_mail_passed(void *node, int fd, uint16_t worker, const struct http_passed *passed);
/* ways_spec.check: worker 0 asks the brokers. */
void cluster_mail_check(void *node, uint32_t tag);
/* From worker 0: what the registry knows. Without memory the next change tells it. */
void cluster_mail_view(struct worker *w, uint32_t tag, struct servers_view *view);

#endif
