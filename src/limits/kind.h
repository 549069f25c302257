/* SPDX-License-Identifier: MIT */
/* kind.h - the kinds of counted things: each limit of the server that is kept by key has its kind
 * here, so that one table can keep several kinds. The comment beside each kind names the setting
 * that is its bound. */
#ifndef LIMITS_KIND_H
#define LIMITS_KIND_H

enum limit_kind {
    /* How often: rates.h. */
    LIMIT_CHECKS_OF_CLIENT,         /* rate-client */
    LIMIT_FOREIGN_CHECKS_OF_CLIENT, /* the same, for other sites' pages until they are allowed */
    LIMIT_CHECKS_OF_ORIGIN,         /* rate-origin */
    LIMIT_LOOKUPS,                  /* rate-lookups; by client */
    LIMIT_RECHECKS,   /* half of rate-lookups, for connections that are open; by client */
    LIMIT_STARTS,     /* rate-programs; by client */
    LIMIT_PUBLISHED,  /* rate-publish; all together */
    LIMIT_HANDSHAKES, /* rate-handshakes; by client */
    /* How many at a time: quota.h. */
    LIMIT_CONNECTIONS,        /* connections-per-client, of HTTP */
    LIMIT_TCP_OF_CLIENT,      /* tcp-per-client */
    LIMIT_TCP_OF_ORIGIN,      /* tcp-per-origin */
    LIMIT_TCP_OF_TARGET,      /* tcp-per-target */
    LIMIT_TCP_SESSIONS,       /* sessions without a program; by client */
    LIMIT_SHARED_PAGES,       /* shared-per-client */
    LIMIT_PEERS,              /* peers_per_client, of the library's server */
    LIMIT_PROGRAMS,           /* programs-max; all together */
    LIMIT_PROGRAMS_OF_CLIENT, /* programs-per-client */
    LIMIT_PROGRAMS_OF_NET,    /* four times that; by IPv6 /48 */
    LIMIT_SPOOLED,            /* spool-max, in pieces; all together */
    LIMIT_SPOOLED_OF_CLIENT,  /* spool-per-client */
    LIMIT_SPOOLED_OF_NET,     /* four times that; by IPv6 /48 */
    LIMIT_GOING,              /* gave way, and end; by limit: room.h */
    LIMIT_SHARE,              /* one client's part of a limit: quota_take_share() */
    LIMIT_SHARERS,            /* clients that have a part; by limit */
};

#endif
