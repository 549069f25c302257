/* SPDX-License-Identifier: MIT */
/* client_life.h - what a command that stays connected has to do with the world: it is interrupted
 * by signals, and tells on stderr of connections that are lost and found.
 */
#ifndef CLI_CLIENT_LIFE_H
#define CLI_CLIENT_LIFE_H

#include <httpsocket.h>

struct client_news {
    bool quiet, down;
};
void client_news_lost(struct client_news *news, const struct httpsocket_end *why);
void client_news_open(struct client_news *news);

/* A descriptor that is readable when we are asked to end (SIGINT, SIGTERM, SIGHUP). SIGPIPE is
 * ignored from now on. */
int client_signals_watch(void);
/* The signal's number, or 0. */
int client_signals_take(int fd);

#endif
