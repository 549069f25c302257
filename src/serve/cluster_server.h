/* SPDX-License-Identifier: MIT */
/* cluster_server.h - what all workers of a server need to be one of several that share brokers: its
 * tag, how to reach the brokers, the keys of the ways.
 *
 *   struct cluster_server   one of a process       this file
 *   struct cluster_node     one of each worker     cluster_wiring.h
 *
 * Threads  Filled in before the workers start. The tag changes only before that, or if another
 *          server has it: then worker 0 tells the others.
 */
#ifndef SERVE_CLUSTER_SERVER_H
#define SERVE_CLUSTER_SERVER_H

#include "cluster/broker.h"
#include "net/seal.h"
#include "serve/config.h"

enum {
    CLUSTER_INSTANCE_LEN = 32
};

struct cluster_server {
    uint32_t tag;
    char instance[CLUSTER_INSTANCE_LEN + 1]; /* of this process, random; kept over a take-over */
    uint64_t since_ms;
    char host[65];                   /* the machine's name */
    char *name;                      /* owned; cluster-name */
    struct broker_settings *brokers; /* a reference */
    struct tls_context *broker_tls;  /* NULL: no broker is spoken with by TLS */
    struct broker_config *configs;   /* owned; of each broker */
    struct tls_context *ways;        /* by keys; NULL: no cluster-key, so there are no ways */
};

/* By the rights that the server began with. False with `why`. Without brokers *ret is NULL. */
bool cluster_server_open(const struct config *c, struct cluster_server **ret, struct text *why);
void cluster_server_free(struct cluster_server *s); /* accepts NULL */
/* At a reload: the keys. False with `why`: the old ones stay. */
bool cluster_server_reload(struct cluster_server *s, const struct config *c, struct text *why);

struct pack;
/* For the process that takes over: who we are. */
void cluster_server_pack(const struct cluster_server *s, struct pack *p);
void cluster_server_unpack(struct cluster_server *s, struct slice in);

#endif
