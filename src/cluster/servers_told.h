/* SPDX-License-Identifier: MIT */
/* servers_told.h - what one broker has told of the servers, and what all brokers together say: for
 * servers.c alone.
 *
 * A broker keeps of each server a record: the instance of its process, then address, since when,
 * `d` if it drains, version and name, with a tab before each.
 */
#ifndef CLUSTER_SERVERS_TOLD_H
#define CLUSTER_SERVERS_TOLD_H

#include "cluster/servers_view.h"

enum {
    SERVERS_INSTANCE_LEN = 32
};

struct redisReply;

struct servers_told {
    bool up;                   /* the link is; else this is what it told last */
    bool young;                /* the broker may not have heard of all yet */
    uint64_t told_ms;          /* 0: never */
    char version[40];          /* of the registry; empty: all is to be told again */
    struct server_info *infos; /* owned */
    size_t count;
};

/* The answer of scripts/beat.lua. False: it is none. */
bool servers_told_take(struct servers_told *told, const struct redisReply *reply, uint64_t now_ms);
void servers_told_done(struct servers_told *told);

/* A view with one reference; NULL without memory. What a broker that is down has told counts for a
 * while yet, or as long as all are. */
struct servers_view *servers_told_view(const struct servers_told *const *all, size_t count,
                                       uint64_t now_ms);

#endif
