/* SPDX-License-Identifier: MIT */
/* operator.h - the operator's door of this server: what the admin listener shows of it, and its answers
 * to other web servers that ask for script access.
 *
 * Threads  The control thread.
 */
#ifndef DAEMON_OPERATOR_H
#define DAEMON_OPERATOR_H

#include "admin/admin.h"
#include "admin/publish.h"
#include "daemon/daemon.h"

struct operator
{
    struct daemon *daemon; /* borrowed */
    struct admin admin;
    struct http_limits limits;
    struct hub_config hub_config;
    struct hub hub; /* the control thread's end of the topics */
    struct publish publish;
    struct listener listener;
    bool listening;
    struct guard *guard; /* of /.httpsocket/authorize; NULL without the admin listener */
};

/* Opens the admin listener, if the config names one. Negative errno, and it has been logged. */
int operator_open(struct operator* o, struct daemon *daemon);
void operator_use_config(struct operator* o, const struct config *old, const struct config *now);
/* From now on nothing is published. */
void operator_drain(struct operator* o);
/* No connection any more. */
void operator_close(struct operator* o);
/* No mail of its hub is answered any more. */
void operator_stop(struct operator* o);
/* After the loop has read its mail. */
void operator_done(struct operator* o);

#endif
