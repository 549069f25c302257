/* SPDX-License-Identifier: MIT */
/* resolver.h - asks the DNS one question. The answer comes from libunbound, or from answers on
 * record.
 *
 * Lifetime  The caller embeds struct dns_question. It is the resolver's from a successful ask()
 *           until `answered` runs or cancel() returns.
 * Errors    Every failure is an answer with its status; only ask() itself may fail, for memory.
 * Threads   The thread that owns the resolver.
 */
#ifndef ACCESS_RESOLVER_H
#define ACCESS_RESOLVER_H

#include "base/list.h"
#include "base/slice.h"

enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_PTR = 12,
    DNS_TXT = 16,
    DNS_AAAA = 28
};

#define DNS_NAME_SIZE 256 /* text form with NUL */

enum dns_status {
    DNS_OK,      /* data, or none: no such name, no such type */
    DNS_FAILED,  /* SERVFAIL, REFUSED, no server to ask */
    DNS_BOGUS,   /* failed validation; any data is left out */
    DNS_TIMEOUT, /* nothing came in time */
};

struct dns_answer {
    enum dns_status status;
    bool secure; /* validated from a trust anchor, every CNAME on the way included */
    unsigned
        cnames;   /* followed on the way; the chain may have been cut off beyond DNS_CNAMES_SEEN */
    uint32_t ttl; /* seconds; the lowest on the way */
    /* A: 4 bytes; AAAA: 16; PTR: the name in lower case without its last dot; TXT: its strings
     * joined. Borrowed during the callback. */
    const struct slice *data;
    size_t count;
    size_t total;    /* how many there were; above `count` if the rest was left out as too many */
    const char *why; /* with DNS_FAILED and DNS_BOGUS, a text for people, or NULL */
};

/* A chain is followed at least so far, so that a limit below can tell. */
#define DNS_CNAMES_SEEN 9
/* At least so many records of an answer are handed over. */
#define DNS_DATA_MAX 32

struct dns_question {
    char name[DNS_NAME_SIZE]; /* lower case, no trailing dot */
    enum dns_type type;
    /* Called once, never from inside ask(). */
    void (*answered)(struct dns_question *question, const struct dns_answer *answer);
    /* The resolver's own. */
    struct list node;
    void *handle;
    int id;
};

struct resolver {
    /* Returns 0 or -ENOMEM. */
    int (*ask)(struct resolver *resolver, struct dns_question *question);
    /* No callback after this. Only while the question is asked. */
    void (*cancel)(struct resolver *resolver, struct dns_question *question);
};

const char *dns_type_name(enum dns_type type);

#endif
