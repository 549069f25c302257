/* SPDX-License-Identifier: MIT */
#include "cli/client_life.h"

#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

void client_news_lost(struct client_news *news, const struct httpsocket_end *why)
{
    if (!news->down && !news->quiet)
        fprintf(stderr, "httpsocket: no connection: %s; trying again\n",
                *why->reason ? why->reason : "lost");
    news->down = true;
}

void client_news_open(struct client_news *news)
{
    if (news->down && !news->quiet)
        fprintf(stderr, "httpsocket: connected\n");
    news->down = false;
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
