/* SPDX-License-Identifier: MIT */
/* broker_url.h - where a broker is, as the setting `broker` says it:
 *
 *   redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]      rediss://…  the same by TLS
 *   unix:PATH     redis+unix://[[USER]:PASSWORD@]PATH[?db=DB]
 *   redis-sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/DB]#MASTER
 *   rediss-sentinel://…                             the same by TLS, to Sentinels and broker
 *
 * `%XX` stands for any byte in USER, PASSWORD, PATH and MASTER. An IPv6 address is in brackets. A
 * USER without a password is for `broker-password-file`.
 *
 * Pure: no name is looked up. The password is overwritten before its memory is freed.
 */
#ifndef CLUSTER_BROKER_URL_H
#define CLUSTER_BROKER_URL_H

#include "base/text.h"

enum {
    BROKER_HOST_SIZE = 256,
    BROKER_HOSTS_MAX = 16,
    BROKER_PORT = 6379,
    BROKER_SENTINEL_PORT = 26379
};

struct broker_host {
    char name[BROKER_HOST_SIZE]; /* a name, or an address without brackets; a Unix path */
    uint16_t port;               /* 0: a Unix path */
};

struct broker_url {
    bool tls;
    size_t host_count; /* above 1: of sentinels only */
    struct broker_host *hosts;
    char *master; /* NULL: `hosts` is the broker itself, and not its sentinels */
    char *user;   /* NULL: Redis's `default` */
    char *password;
    unsigned db;
    char *text; /* for logs: without the password */
};

/* NULL with `why`, which never holds a part of `text` that may be a password. */
struct broker_url *broker_url_parse(struct slice text, struct text *why);
/* False without memory. */
bool broker_url_set_password(struct broker_url *url, struct slice password);
void broker_url_free(struct broker_url *url); /* accepts NULL */

#endif
