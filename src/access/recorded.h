/* SPDX-License-Identifier: MIT */
/* recorded.h - a resolver without a network: answers from records in a text, for cases and tests.
 *
 *     b.test TXT "v=sa1; allow=a.example" [secure] | *.wild.test A 203.0.113.15 | b.test AAAA
 * [timeout]
 *
 * Records are joined by ` | `, in zone-file form: name, type, data. TXT takes quoted strings with
 * the escapes \" \\ and \DDD. After one, flags:
 *
 *   [secure]             validated       [bogus]    failed validation
 *   [servfail] [timeout] no answer       [size=N]   TXT records of others fill the set up to N
 * bytes [ttl=N]              300 otherwise
 *
 * `A@2` answers the second question of that name and type, and those after it. A name that begins
 * with `*.` is a wildcard (RFC 4592). CNAMEs are followed. A name without records does not exist.
 *
 * Answers wait until recorded_run(), so that ask() never calls back.
 */
#ifndef ACCESS_RECORDED_H
#define ACCESS_RECORDED_H

#include "access/resolver.h"

#define RECORDED_MAX 64

struct recorded_row {
    char *name, *target; /* target: of a CNAME */
    struct slice data;   /* owned; ptr NULL: no data, only flags */
    enum dns_type type;
    unsigned turn; /* the N of `@N`; 1: the first and, unless others follow, every question */
    bool secure, bogus, servfail, timeout;
    size_t size;
    uint32_t ttl;
};

struct recorded_asked {
    char name[DNS_NAME_SIZE];
    enum dns_type type;
    unsigned times;
};

struct recorded {
    struct resolver resolver;
    struct recorded_row rows[RECORDED_MAX];
    size_t count;
    struct list queue;
    /* The questions so far, each where it first came. */
    struct recorded_asked asked[RECORDED_MAX];
    size_t asked_count;
};

/* `-` and an empty text hold no records. 0, or -EINVAL or -ENOMEM with *why set (a static text). */
int recorded_init(struct recorded *r, struct slice text, const char **why);
/* Allowed after a failed init. No question may be open. */
void recorded_done(struct recorded *r);

/* Answers everything that was asked before this call. False if there was nothing. */
bool recorded_run(struct recorded *r);

/* How often the question was asked. */
unsigned recorded_times(const struct recorded *r, struct slice name, enum dns_type type);

/* Of recorded_rows.c: the length of the first record of a text, up to ` | ` outside quotes, and one
 * record. A row that failed may hold memory, which recorded_done() frees. */
size_t recorded_length(struct slice text);
bool recorded_parse_row(struct slice text, struct recorded_row *row, const char **why);

#endif
