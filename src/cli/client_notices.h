/* SPDX-License-Identifier: MIT */
/* client_notices.h - what a command that stays connected has to do with its terminal: signals that
 * interrupt it, and lines on stderr about connections that are lost and found again.
 */
#ifndef CLI_CLIENT_NOTICES_H
#define CLI_CLIENT_NOTICES_H

#include <httpsocket.h>

struct client_notices {
    bool quiet, down;
};
void client_notices_lost(struct client_notices *n, const struct httpsocket_end *why);
void client_notices_open(struct client_notices *n);

/* A descriptor that is readable when we are asked to end (SIGINT, SIGTERM, SIGHUP). SIGPIPE is
 * ignored from now on. */
int client_signals_watch(void);
/* The signal's number, or 0. */
int client_signals_take(int fd);

#endif
