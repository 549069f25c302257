/* SPDX-License-Identifier: MIT */
#include "access/lookup_parts.h"

/* The time that the slower of A and AAAA has once the other has come. */
enum {
    GRACE_MS = 1000
};

/* ---- addresses ---- */

/* One of each family in turn, so that both are among the few. */
static size_t choose(const struct lookup *l, struct ip ret[LOOKUP_ADDRESSES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < LOOKUP_ADDRESSES_MAX; i++)
        for (int f = 0; f < 2; f++)
            if (i < l->families[f].count && count < LOOKUP_ADDRESSES_MAX)
                ret[count++] = l->families[f].ips[i];
    return count;
}

static void finish_addresses(struct lookup *l)
{
    struct ip ips[LOOKUP_ADDRESSES_MAX];
    enum access_reason worst = ACCESS_NO_ADDRESS;
    for (int f = 0; f < 2; f++) {
        struct lookup_family *family = &l->families[f];
        enum access_reason failure = family->open ? ACCESS_DNS_TIMEOUT : family->failure;
        if (lookup_rank(failure) > lookup_rank(worst))
            worst = failure;
    }
    size_t count = choose(l, ips);
    if (worst == ACCESS_DNS_BOGUS || worst == ACCESS_DNS_INSECURE)
        lookup_refuse(l, worst);
    else if (l->address_fault != ACCESS_OK_RECORD)
        lookup_refuse(l, l->address_fault);
    else if (count == 0)
        lookup_refuse(l, worst);
    else if (l->vouched || l->config->consent == ACCESS_CONSENT_OFF)
        lookup_decide(l, l->vouched ? ACCESS_OK_STATIC : ACCESS_OK_RECORD, ips, count);
    else {
        lookup_cancel_questions(l);
        lookup_start_consent(l, ips, count);
    }
}

static void take_address(struct lookup *l, struct lookup_family *family, const struct ip *ip)
{
    char text[IP_TEXT_SIZE];
    const char *class = access_config_class(l->config, ip);
    bool own = access_config_is_own_address(l->config, ip);
    access_trace(l->trace, "address", "%s: %s", ip_print(ip, text).ptr,
                 class ? class
                 : own ? "the gateway's own"
                       : "public");
    if (class)
        l->address_fault = ACCESS_ADDR_CLASS;
    else if (own && l->address_fault == ACCESS_OK_RECORD)
        l->address_fault = ACCESS_ADDR_SELF;
    if (family->count < LOOKUP_ADDRESSES_MAX)
        family->ips[family->count++] = *ip;
}

static void on_address(struct dns_question *q, const struct dns_answer *a)
{
    struct lookup_family *family = container_of(q, struct lookup_family, question);
    struct lookup *l = family->lookup;
    family->open = false;
    family->failure = lookup_judge(l, q, a, l->config->dnssec == ACCESS_DNSSEC_ALL);
    size_t length = q->type == DNS_A ? 4 : 16;
    for (size_t i = 0; i < a->count && family->failure == ACCESS_OK_RECORD; i++) {
        if (a->data[i].len != length)
            continue;
        struct ip ip = ip_make(a->data[i].ptr, length);
        take_address(l, family, &ip);
    }
    /* The class of addresses beyond those that are handed over can't be checked. */
    if (a->total > a->count && l->address_fault == ACCESS_OK_RECORD)
        l->address_fault = ACCESS_ADDR_CLASS;
    if (!l->families[0].open && !l->families[1].open)
        finish_addresses(l);
    else if (family->count)
        l->grace_ms = *l->now_ms + GRACE_MS;
}

static void start_addresses(struct lookup *l)
{
    static const enum dns_type types[] = {DNS_AAAA, DNS_A};
    lookup_set_state(l, LOOKUP_ADDRESSES);
    for (int f = 0; f < 2; f++) {
        struct lookup_family *family = &l->families[f];
        family->lookup = l;
        strcpy(family->question.name, l->target.host);
        family->question.type = types[f];
        family->question.answered = on_address;
        lookup_ask(l, &family->question, &family->open);
        if (!family->open)
            family->failure = ACCESS_DNS_FAIL;
    }
    if (!l->families[0].open && !l->families[1].open)
        l->grace_ms = *l->now_ms; /* at the next tick: this may be inside lookup_start() */
}

/* ---- the record ---- */

static enum access_reason reason_of(enum access_match match)
{
    switch (match) {
    case ACCESS_MATCH_ALLOWED:
        return ACCESS_OK_RECORD;
    case ACCESS_MATCH_NO_RECORD:
        return ACCESS_NO_RECORD;
    case ACCESS_MATCH_TOO_LARGE:
        return ACCESS_RECORD_TOO_LARGE;
    case ACCESS_MATCH_ORIGIN_DENIED:
        return ACCESS_ORIGIN_DENIED;
    case ACCESS_MATCH_ORIGIN_NOT_ALLOWED:
        return ACCESS_ORIGIN_NOT_ALLOWED;
    case ACCESS_MATCH_PORT_NOT_LISTED:
        return ACCESS_PORT_NOT_LISTED;
    case ACCESS_MATCH_BAD_RECORD:
    case ACCESS_MATCH_HOST_NOT_NAMED:
        break;
    }
    return ACCESS_RECORD_SYNTAX;
}

static void on_record(struct dns_question *q, const struct dns_answer *a)
{
    struct lookup *l = container_of(q, struct lookup, record);
    l->record_open = false;
    enum access_reason reason = lookup_judge(l, q, a, l->config->dnssec >= ACCESS_DNSSEC_POLICY);
    if (reason == ACCESS_OK_RECORD) {
        struct access_answer match = lookup_match(l, a, ACCESS_FORWARD);
        l->max_age_s = match.max_age;
        reason = reason_of(match.match);
    }
    if (reason == ACCESS_OK_RECORD && l->via == ACCESS_VIA_TCP)
        start_addresses(l);
    else
        lookup_decide(l, reason, NULL, 0);
}

/* A host so long that no record can stand above it is left without a question, and gets its answer
 * at the next tick. */
static void start_record(struct lookup *l)
{
    static const char prefix[] = "_script-access.";
    lookup_set_state(l, LOOKUP_RECORD);
    l->record_missing = strlen(prefix) + strlen(l->target.host) >= TARGET_HOST_SIZE;
    strcpy(stpcpy(l->record.name, prefix), l->target.host);
    l->record.type = DNS_TXT;
    l->record.answered = on_record;
    if (!l->record_missing)
        lookup_ask(l, &l->record, &l->record_open);
    if (!l->record_open)
        l->grace_ms = *l->now_ms;
}

/* ---- from outside ---- */

void lookup_start(struct lookup *l, const struct access_config *config, struct resolver *resolver,
                  const struct origin *origin, enum access_via via, const struct target *target,
                  const uint64_t *now_ms)
{
    struct access_trace *trace = l->trace;
    void (*decided)(struct lookup *, const struct lookup_outcome *) = l->decided;
    *l = (struct lookup){
        .config = config,
        .resolver = resolver,
        .trace = trace,
        .decided = decided,
        .origin = *origin,
        .target = *target,
        .via = via,
        .vouched = via == ACCESS_VIA_TCP && access_config_vouches(config, target),
        .deadline_ms = *now_ms + config->deadline_ms,
        .now_ms = now_ms,
        .ttl_s = UINT32_MAX,
        .max_age_s = ACCESS_NO_MAX_AGE,
    };
    if (l->vouched)
        start_addresses(l);
    else
        start_record(l);
}

void lookup_cancel(struct lookup *l)
{
    if (l->state == LOOKUP_IDLE || l->state == LOOKUP_DECIDED)
        return;
    lookup_cancel_questions(l);
    lookup_set_state(l, LOOKUP_DECIDED);
}

uint64_t lookup_due_ms(const struct lookup *l)
{
    return l->grace_ms && l->grace_ms < l->deadline_ms ? l->grace_ms : l->deadline_ms;
}

void lookup_tick(struct lookup *l)
{
    if (*l->now_ms < lookup_due_ms(l))
        return;
    l->grace_ms = 0;
    switch (l->state) {
    case LOOKUP_RECORD:
        lookup_refuse(l, l->record_missing ? ACCESS_NO_RECORD
                         : l->record_open  ? ACCESS_DNS_TIMEOUT
                                           : ACCESS_DNS_FAIL);
        break;
    case LOOKUP_ADDRESSES:
        finish_addresses(l);
        break;
    case LOOKUP_CONSENT:
        lookup_finish_consent(l);
        break;
    case LOOKUP_IDLE:
    case LOOKUP_DECIDED:
        break;
    }
}
