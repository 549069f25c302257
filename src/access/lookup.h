/* SPDX-License-Identifier: MIT */
/* lookup.h - what the DNS says about one origin and one target: the part of a decision that asks
 * questions.
 *
 *   RECORD ──> ADDRESSES ──> CONSENT ──> decided        raw TCP
 *      └──────────────────────────────────> decided     web: the record alone
 *   vouched: begins at ADDRESSES and ends there
 *
 *   RECORD     TXT at _script-access.<host>: on_record()
 *   ADDRESSES  A and AAAA at once; when one has come, the other has one second left: on_address()
 *   CONSENT    for each of at most 4 addresses the reverse record, then PTR: on_reverse_*()
 *
 * A refusal by record costs one question, to the target's own zone. One deadline for everything.
 *
 * Lifetime  The caller embeds struct lookup; it is ours from lookup_start() until `decided` runs or
 *           lookup_cancel() returns. Config and resolver outlive it.
 * Time      The owner's clock, read when something happens; lookup_tick() when lookup_due_ms()
 *           has come.
 * Threads   One.
 */
#ifndef ACCESS_LOOKUP_H
#define ACCESS_LOOKUP_H

#include "access/config.h"
#include "access/resolver.h"
#include "access/trace.h"
#include "proto/access_record.h"

#define LOOKUP_ADDRESSES_MAX 4
#define LOOKUP_PTR_MAX       10
#define LOOKUP_CNAMES_MAX    8

struct lookup;

struct lookup_outcome {
    enum access_reason reason;
    uint32_t retry_s; /* of a refusal */
    uint32_t
        ttl_s;    /* the outcome holds so long: the lowest TTL used, within the verdict's bounds */
    size_t count; /* addresses that may be connected to, in order of preference */
    struct ip addresses[LOOKUP_ADDRESSES_MAX];
};

enum lookup_state {
    LOOKUP_IDLE,
    LOOKUP_RECORD,
    LOOKUP_ADDRESSES,
    LOOKUP_CONSENT,
    LOOKUP_DECIDED
};

struct lookup_consent {
    struct lookup *lookup; /* borrowed: it embeds us */
    struct dns_question question;
    struct ip ip;
    bool open;
    enum access_reason reason; /* OK_RECORD: it consents */
};

struct lookup_family {
    struct lookup *lookup; /* borrowed: it embeds us */
    struct dns_question question;
    bool open;
    enum access_reason failure; /* with !open: OK_RECORD, or why there is no usable answer */
    size_t count;
    struct ip ips[LOOKUP_ADDRESSES_MAX];
};

struct lookup {
    const struct access_config *config; /* borrowed: see above */
    struct resolver *resolver;          /* borrowed: see above */
    struct access_trace *trace;         /* borrowed; NULL: none */
    void (*decided)(struct lookup *lookup, const struct lookup_outcome *outcome);
    struct origin origin;
    struct target target;
    enum access_via via;
    bool vouched;
    enum lookup_state state;
    uint64_t deadline_ms, grace_ms; /* 0: none */
    const uint64_t *now_ms;         /* borrowed: the owner's clock */
    uint32_t ttl_s, max_age_s;
    struct dns_question record;
    bool record_open, record_missing;
    struct lookup_family families[2]; /* AAAA, A */
    enum access_reason address_fault; /* OK_RECORD: none yet */
    size_t consents_count;
    struct lookup_consent consents[LOOKUP_ADDRESSES_MAX];
    bool starting; /* the consents are being asked for */
};

/* `trace` and `decided` are set before. `decided` does not run from inside. */
void lookup_start(struct lookup *l, const struct access_config *config, struct resolver *resolver,
                  const struct origin *origin, enum access_via via, const struct target *target,
                  const uint64_t *now_ms);
/* No callback after this. Allowed at any time after lookup_start(), also when decided. */
void lookup_cancel(struct lookup *l);

uint64_t lookup_due_ms(const struct lookup *l);
/* Does what is due, which may decide the look-up. */
void lookup_tick(struct lookup *l);

#endif
