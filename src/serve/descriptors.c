/* SPDX-License-Identifier: MIT */
#include "serve/descriptors.h"

#include "http/connection.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    OURS = 64,      /* loops, listeners, the log, folders */
    OF_PROGRAM = 4, /* descriptor 3, stderr, the process, and the WebSocket of its client */
    CLIENTS = 2     /* that share programs where those are few */
};

void descriptors_open_first(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR); /* the lowest that is free */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* For connections and programs. */
static uint64_t descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT32_MAX;
    return limit.rlim_cur > 2 * OURS ? limit.rlim_cur - OURS : limit.rlim_cur / 2;
}

static uint64_t at_most(uint64_t value, uint64_t max)
{
    max = max > 0 ? max : 1;
    return value < max ? value : max;
}

/* Connections that are refused take descriptors for a while. */
uint64_t descriptors_connections(const struct config *c, unsigned workers)
{
    uint64_t refusing = (uint64_t)workers * HTTP_REFUSING_MAX;
    uint64_t room = descriptors() / 4 * 3;
    room = room > 2 * refusing ? room - refusing : room / 2;
    return at_most(c->connections_max, room);
}

uint64_t descriptors_peers(const struct config *c)
{
    return at_most(c->connections_max, descriptors() / 16 * 15);
}

static uint64_t room_for_programs(void)
{
    return descriptors() / 3 * 2 / OF_PROGRAM;
}

uint32_t descriptors_programs(const struct config *c)
{
    return (uint32_t)at_most(c->programs_max, room_for_programs());
}

uint32_t descriptors_programs_of_client(const struct config *c)
{
    bool is_short = room_for_programs() < c->programs_max;
    return (uint32_t)at_most(c->programs_per_client,
                             is_short ? room_for_programs() / CLIENTS : UINT32_MAX);
}
