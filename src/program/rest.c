/* SPDX-License-Identifier: MIT */
/* rest.c - what is kept open for the next program is closed if none comes soon. */
#include "program/parts.h"

#include "net/cgroup.h"

#define REST_MS 1000

static void rest(struct timer *timer)
{
    struct program_host *host = container_of(timer, struct program_host, rest_timer);
    cgroup_rest(host->spec.cgroup);
}

void host_rest_init(struct program_host *host)
{
    timer_init(&host->rest_timer, rest);
}

void host_rest_soon(struct program_host *host)
{
    if (host->spec.cgroup && !timer_active(&host->rest_timer))
        timer_start(host->spec.loop, &host->rest_timer, REST_MS);
}
