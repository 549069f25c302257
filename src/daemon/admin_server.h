/* SPDX-License-Identifier: MIT */
/* admin_server.h - the admin listener of this server: what it shows of the daemon, publishing, and
 * its answers to other web servers that ask for script access.
 *
 * Threads  The control thread.
 */
#ifndef DAEMON_ADMIN_SERVER_H
#define DAEMON_ADMIN_SERVER_H

#include "admin/admin.h"
#include "admin/publish.h"
#include "daemon/daemon.h"

struct admin_server {
    struct daemon *daemon; /* borrowed */
    struct admin admin;
    struct http_limits limits;
    struct hub_config hub_config;
    struct hub hub; /* the control thread's end of the topics */
    struct publish publish;
    struct listener listener;
    struct net_address address; /* of the listener */
    bool listening;
    /* Of /.httpsocket/authorize; NULL without the admin listener. */
    struct script_access *script_access;
};

/* Serves on the admin listener, if there is one. Negative errno, and it has been logged. */
int admin_server_open(struct admin_server *s, struct daemon *daemon, struct listening_set *set);
void admin_server_use_config(struct admin_server *s, const struct config *old,
                             const struct config *now);
/* From now on nothing is published. */
void admin_server_drain(struct admin_server *s);
/* Closes the listener and all connections. */
void admin_server_close(struct admin_server *s);
/* From now on no mail of its hub is answered. */
void admin_server_stop(struct admin_server *s);
/* After the loop has read its mail. */
void admin_server_done(struct admin_server *s);

#endif
