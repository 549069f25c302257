/* SPDX-License-Identifier: MIT */
/* dns.h - a resolver that asks the real DNS, validating: libunbound.
 *
 * libunbound works in a thread of its own and tells by a descriptor that there are answers; the
 * owner watches it and calls dns_process(). libunbound waits 17 s for a silent server: the caller
 * has the deadline, and cancels.
 *
 * Lifetime  Made after any fork: a context that was used before one is dead in the child.
 * Threads   The thread that made it.
 * Cost      A cached answer takes 24 to 39 us and two thread switches; keep verdicts above it.
 */
#ifndef ACCESS_DNS_H
#define ACCESS_DNS_H

#include "access/resolver.h"

struct dns;

struct dns_options {
    /* ADDR, ADDR:PORT or [ADDR]:PORT of a recursive resolver; NULL: those of /etc/resolv.conf, or
     * without any the root servers. */
    const char *server;
    /* Ask the server as one that is authoritative, by iteration from this zone: `ZONE ADDR:PORT`,
     * separated by commas. For tests on loopback; NULL: none. */
    const char *stubs;
    /* A file with DS or DNSKEY records, or `none`; NULL: the system's, if there is one. */
    const char *anchor;
    const char *config; /* a file in unbound.conf's form, read first; NULL: none */
};

/* 0, or a negative errno with *why set (a static text). */
int dns_new(const struct dns_options *options, struct dns **ret, const char **why);
/* No question may be open. Accepts NULL. */
void dns_free(struct dns *d);

struct resolver *dns_resolver(struct dns *d);
/* The trust anchor's file, or NULL: then nothing is ever secure or bogus. */
const char *dns_anchor(const struct dns *d);

/* Readable when there are answers. */
int dns_fd(const struct dns *d);
/* Runs the callbacks of questions that have been answered. */
void dns_process(struct dns *d);

#endif
