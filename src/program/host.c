/* SPDX-License-Identifier: MIT */
/* host.c - all programs of one worker: from the first to the drain. */
#include "program/parts.h"

#include "base/log.h"
#include "program/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct program_host *program_host_new(const struct program_host_spec *spec)
{
    struct program_host *host = log_needed(calloc(1, sizeof(*host)));
    if (!host)
        return NULL;
    host->spec = *spec;
    list_init(&host->programs);
    list_init(&host->pools);
    host_rest_init(host);
    room_desk_init(&host->room, program_limits_room(spec->limits), spec->loop);
    host->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (host->null_fd >= 0)
        return host;
    int error = errno;
    free(host);
    errno = error;
    return NULL;
}

void program_host_free(struct program_host *host)
{
    if (!host)
        return;
    program_pools_free(host);
    timer_stop(&host->rest_timer);
    close(host->null_fd);
    free(host);
}

const struct program_config *program_host_config(const struct program_host *host)
{
    return host->spec.config;
}

struct program_counts *program_host_counts(struct program_host *host)
{
    return &host->counts;
}

struct room_desk *program_host_room(struct program_host *host)
{
    return &host->room;
}

struct loop *program_host_loop(const struct program_host *host)
{
    return host->spec.loop;
}

void program_host_set_root(struct program_host *host, struct slice root)
{
    host->spec.root = root;
}

const char *program_host_below_root(const struct program_host *host, const char *file)
{
    return below_root(host, file);
}

void program_host_drain(struct program_host *host)
{
    host->draining = true;
    program_pools_retire(host);
    for (struct list *node = host->programs.next; node != &host->programs; node = node->next)
        program_continue(container_of(node, struct program, node));
}

bool program_host_draining(const struct program_host *host)
{
    return host->draining;
}

bool program_host_empty(const struct program_host *host)
{
    return list_empty(&host->programs);
}

void program_host_stop(struct program_host *host)
{
    struct list *next;
    for (struct list *node = host->programs.next; node != &host->programs; node = next) {
        struct program *p = container_of(node, struct program, node);
        next = node->next; /* no other one is over by this one's end */
        program_let_go(p);
        program_kill(p);
        program_settle(p);
    }
}
