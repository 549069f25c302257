/* SPDX-License-Identifier: MIT */
#include "cli/client_notices.h"

#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

void client_notices_lost(struct client_notices *n, const struct httpsocket_end *why)
{
    if (!n->down && !n->quiet)
        fprintf(stderr, "httpsocket: no connection: %s; trying again\n",
                *why->reason ? why->reason : "lost");
    n->down = true;
}

void client_notices_open(struct client_notices *n)
{
    if (n->down && !n->quiet)
        fprintf(stderr, "httpsocket: connected\n");
    n->down = false;
}

int client_signals_watch(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int client_signals_take(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}
