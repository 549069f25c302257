/* SPDX-License-Identifier: MIT */
#include "daemon/sockets.h"

#include "base/log.h"
#include "serve/rights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct listening_wish *sockets_wishes(const struct config *c, size_t *ret_count)
{
    struct listening_wish *wishes = log_needed(calloc(c->listen.count + 2, sizeof(*wishes)));
    struct rights rights;
    if (!wishes)
        return NULL;
    rights_of(c, &rights);
    size_t count = 0;
    for (size_t i = 0; i < c->listen.count; i++)
        wishes[count++] = (struct listening_wish){
            .role = LISTENING_PAGES,
            .name = c->listen.items[i],
            .address = c->addresses[i],
            .fd_count = config_workers(c),
            .only_by_default = c->listen_by_default,
            .uid = rights.uid,
            .gid = rights.gid,
        };
    if (*c->admin)
        wishes[count++] = (struct listening_wish){
            .role = LISTENING_ADMIN,
            .name = c->admin,
            .address = c->admin_address,
            .fd_count = 1,
            .uid = rights.uid,
            .gid = rights.gid,
        };
    if (*c->cluster_listen)
        wishes[count++] = (struct listening_wish){
            .role = LISTENING_WAYS,
            .name = c->cluster_listen,
            .address = c->cluster_listen_address,
            .fd_count = config_workers(c),
            .uid = rights.uid,
            .gid = rights.gid,
        };
    *ret_count = count;
    return wishes;
}

static int offer_own(struct daemon *d, const struct config *c, char failed[IPC_NAME_MAX])
{
    size_t count;
    const struct listening_wish *which = NULL;
    bool at_start = d->workers_running == 0;
    struct listening_wish *wishes = sockets_wishes(c, &count);
    if (!wishes)
        return -ENOMEM;
    int error = listeners_offer(&d->listeners, wishes, count, at_start, &which);
    if (which)
        snprintf(failed, IPC_NAME_MAX, "%s", which->name);
    free(wishes);
    return error ? error : listening_copy(&d->offered, &d->listeners);
}

int sockets_offer(struct daemon *d, const struct config *c, char ret_failed[IPC_NAME_MAX])
{
    ret_failed[0] = 0;
    int error =
        d->serving ? serving_ask(d->serving, &d->offered, ret_failed) : offer_own(d, c, ret_failed);
    if (!error)
        error = listening_spread(&d->offered, d->server.worker_count);
    if (error)
        sockets_refuse(d);
    return error;
}

void sockets_keep(struct daemon *d)
{
    if (d->serving)
        serving_say(d->serving, IPC_TAKEN, 0);
    else
        listeners_keep(&d->listeners);
}

void sockets_refuse(struct daemon *d)
{
    listening_done(&d->offered);
    if (d->serving)
        serving_say(d->serving, IPC_REFUSED, 0);
    else
        listeners_undo(&d->listeners);
}

void sockets_print(const struct listeners *l, bool secure)
{
    for (size_t i = 0; i < l->count; i++) {
        char text[NET_ADDRESS_TEXT_MAX];
        const struct listening *item = l->items[i];
        if (item->role != LISTENING_PAGES)
            continue;
        size_t len = net_address_print(&item->address, text);
        const char *scheme = item->address.any.sa_family == AF_UNIX ? ""
                             : secure                               ? "https://"
                                                                    : "http://";
        printf("listening on %s%.*s\n", scheme, (int)len, text);
    }
    fflush(stdout);
}
