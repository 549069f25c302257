#include "access/lookup.h"

#include <assert.h>
#include <stdio.h>

/* What the slower of A and AAAA gets once the other has come. */
enum {
    GRACE_MS = 1000
};

static void set_state(struct lookup *l, enum lookup_state state)
{
    assert(state > l->state);
    l->state = state;
}

/* ---- the end ---- */

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
    return value < low ? low : value > high ? high : value;
}

static uint32_t ttl_of(const struct lookup *l, enum access_verdict verdict)
{
    switch (verdict) {
    case ACCESS_ALLOW:
        return clamp(l->ttl_s, 10, 300);
    case ACCESS_DENY:
        return clamp(l->ttl_s, 30, 300);
    case ACCESS_TEMPFAIL:
        break;
    }
    return clamp(l->ttl_s, 10, 60);
}

static void cancel_questions(struct lookup *l)
{
    struct resolver *r = l->resolver;
    if (l->record_open)
        r->cancel(r, &l->record);
    l->record_open = false;
    for (int i = 0; i < 2; i++) {
        if (l->families[i].open)
            r->cancel(r, &l->families[i].question);
        l->families[i].open = false;
    }
    for (size_t i = 0; i < l->consents_count; i++) {
        if (l->consents[i].open)
            r->cancel(r, &l->consents[i].question);
        l->consents[i].open = false;
    }
}

static void decide(struct lookup *l, enum access_reason reason, const struct ip *ips, size_t count)
{
    const struct access_reason_row *row = access_reason_row(reason);
    struct lookup_outcome outcome = {
        .reason = reason,
        .retry_s = row->retry_s,
        .ttl_s = ttl_of(l, row->verdict),
        .count = count,
    };
    if (row->verdict == ACCESS_DENY && l->max_age_s != ACCESS_NO_MAX_AGE)
        outcome.retry_s = l->max_age_s;
    if (count)
        memcpy(outcome.addresses, ips, count * sizeof(*ips));
    cancel_questions(l);
    set_state(l, LOOKUP_DECIDED);
    l->decided(l, &outcome);
}

static void refuse(struct lookup *l, enum access_reason reason)
{
    decide(l, reason, NULL, 0);
}

/* ---- answers ---- */

/* Asks; a question that can't even be asked leaves *open false. */
static void ask(struct lookup *l, struct dns_question *q, bool *open)
{
    *open = l->resolver->ask(l->resolver, q) == 0;
}

static void trace_answer(struct lookup *l, const struct dns_question *q, const struct dns_answer *a)
{
    static const char *const status[] = {"answered", "failed", "bogus", "timed out"};
    access_trace(l->trace, "question", "%s %s: %s, %zu record%s, %s, ttl %u%s%s%s",
                 dns_type_name(q->type), q->name, status[a->status], a->total,
                 a->total == 1 ? "" : "s", a->secure ? "secure" : "not secure", a->ttl,
                 a->cnames ? ", by CNAME" : "", a->why ? ": " : "", a->why ? a->why : "");
}

/* OK_RECORD if the answer can be used, whether it holds data or not. */
static enum access_reason judge(struct lookup *l, const struct dns_question *q,
                                const struct dns_answer *a, bool must_be_secure)
{
    trace_answer(l, q, a);
    if (a->status == DNS_BOGUS)
        return ACCESS_DNS_BOGUS;
    if (a->status == DNS_TIMEOUT)
        return ACCESS_DNS_TIMEOUT;
    if (a->cnames > LOOKUP_CNAMES_MAX)
        return ACCESS_DNS_CNAME_LIMIT;
    if (a->status == DNS_FAILED)
        return ACCESS_DNS_FAIL;
    l->ttl_s = a->ttl < l->ttl_s ? a->ttl : l->ttl_s;
    if (must_be_secure && a->count && !a->secure)
        return ACCESS_DNS_INSECURE;
    return ACCESS_OK_RECORD;
}

static void trace_match(struct lookup *l, const struct dns_answer *a,
                        const struct access_answer *match)
{
    static const char *const words[] = {
        [ACCESS_MATCH_ALLOWED] = "allows",
        [ACCESS_MATCH_NO_RECORD] = "no script-access record",
        [ACCESS_MATCH_BAD_RECORD] = "can't be read",
        [ACCESS_MATCH_TOO_LARGE] = "too many or too large",
        [ACCESS_MATCH_ORIGIN_DENIED] = "deny= names the origin",
        [ACCESS_MATCH_ORIGIN_NOT_ALLOWED] = "does not allow the origin",
        [ACCESS_MATCH_PORT_NOT_LISTED] = "port= does not list the port",
        [ACCESS_MATCH_HOST_NOT_NAMED] = "host= does not name the target",
    };
    if (match->match == ACCESS_MATCH_NO_RECORD || match->match == ACCESS_MATCH_TOO_LARGE)
        access_trace(l->trace, "record", "%s", words[match->match]);
    else if (match->match == ACCESS_MATCH_BAD_RECORD)
        access_trace(l->trace, "record", "\"%.*s\": at octet %zu, expected %s",
                     SLICE_ARG(a->data[match->record]), match->fault.at, match->fault.expected);
    else
        access_trace(l->trace, "record", "\"%.*s\": %s", SLICE_ARG(a->data[match->record]),
                     words[match->match]);
}

static struct access_answer match_records(struct lookup *l, const struct dns_answer *a,
                                          enum access_zone zone)
{
    struct access_question q = {
        .origin = &l->origin,
        .via = l->via,
        .host = slice_of(l->target.host),
        .port = l->target.port,
        .suffixes = l->config->suffixes,
    };
    struct access_answer match = {.match = ACCESS_MATCH_TOO_LARGE, .max_age = ACCESS_NO_MAX_AGE};
    if (a->total == a->count)
        match = access_records_match(a->data, a->count, zone, &q);
    trace_match(l, a, &match);
    return match;
}

/* ---- consent of the address ---- */

static int rank(enum access_reason reason)
{
    switch (reason) {
    case ACCESS_DNS_BOGUS:
        return 6;
    case ACCESS_DNS_FAIL:
        return 5;
    case ACCESS_DNS_CNAME_LIMIT:
        return 4;
    case ACCESS_DNS_TIMEOUT:
        return 3;
    case ACCESS_DNS_INSECURE:
        return 2;
    case ACCESS_ADDR_VETO:
        return 1;
    default:
        return 0;
    }
}

/* Those that consent, if any; otherwise the reason that weighs most. */
static void finish_consent(struct lookup *l)
{
    struct ip ips[LOOKUP_ADDRESSES_MAX];
    size_t count = 0;
    enum access_reason worst = ACCESS_ADDR_NO_CONSENT;
    for (size_t i = 0; i < l->consents_count; i++) {
        const struct lookup_consent *c = &l->consents[i];
        enum access_reason reason = c->open ? ACCESS_DNS_TIMEOUT : c->reason;
        if (reason == ACCESS_OK_RECORD)
            ips[count++] = c->ip;
        else if (rank(reason) > rank(worst))
            worst = reason;
    }
    if (count)
        decide(l, ACCESS_OK_RECORD, ips, count);
    else
        refuse(l, worst);
}

static void settle_consent(struct lookup_consent *c, enum access_reason reason)
{
    char text[IP_TEXT_SIZE];
    struct lookup *l = c->lookup;
    c->reason = reason;
    access_trace(l->trace, "consent", "%s: %s", ip_print(&c->ip, text).ptr,
                 reason == ACCESS_OK_RECORD ? "consents" : access_reason_row(reason)->text);
    for (size_t i = 0; i < l->consents_count; i++)
        if (l->consents[i].open)
            return;
    if (!l->starting)
        finish_consent(l);
}

static void on_reverse_ptr(struct dns_question *q, const struct dns_answer *a)
{
    struct lookup_consent *c = container_of(q, struct lookup_consent, question);
    struct lookup *l = c->lookup;
    c->open = false;
    enum access_reason reason = judge(l, q, a, l->config->dnssec == ACCESS_DNSSEC_ALL);
    if (reason != ACCESS_OK_RECORD) {
        settle_consent(c, reason);
        return;
    }
    reason = ACCESS_ADDR_NO_CONSENT;
    for (size_t i = 0; i < a->count && a->total <= LOOKUP_PTR_MAX; i++)
        if (slice_equal(a->data[i], slice_of(l->target.host)))
            reason = ACCESS_OK_RECORD;
    settle_consent(c, reason);
}

static void ask_ptr(struct lookup_consent *c)
{
    char text[IP_REVERSE_SIZE];
    strcpy(c->question.name, ip_reverse_name(&c->ip, text).ptr);
    c->question.type = DNS_PTR;
    c->question.answered = on_reverse_ptr;
    ask(c->lookup, &c->question, &c->open);
    if (!c->open)
        settle_consent(c, ACCESS_DNS_FAIL);
}

static void on_reverse_record(struct dns_question *q, const struct dns_answer *a)
{
    struct lookup_consent *c = container_of(q, struct lookup_consent, question);
    struct lookup *l = c->lookup;
    c->open = false;
    enum access_reason reason = judge(l, q, a, l->config->dnssec == ACCESS_DNSSEC_ALL);
    if (reason != ACCESS_OK_RECORD) {
        settle_consent(c, reason);
        return;
    }
    enum access_match match = match_records(l, a, ACCESS_REVERSE).match;
    if (match == ACCESS_MATCH_ALLOWED)
        settle_consent(c, ACCESS_OK_RECORD);
    else if (match != ACCESS_MATCH_NO_RECORD)
        settle_consent(c, ACCESS_ADDR_VETO);
    else if (l->config->consent == ACCESS_CONSENT_VETO)
        settle_consent(c, ACCESS_OK_RECORD);
    else
        ask_ptr(c);
}

static void start_consent(struct lookup *l, const struct ip *ips, size_t count)
{
    set_state(l, LOOKUP_CONSENT);
    l->consents_count = count;
    for (size_t i = 0; i < count; i++)
        l->consents[i] = (struct lookup_consent){.lookup = l, .ip = ips[i]};
    /* None settles the whole before all have been asked. */
    l->starting = true;
    for (size_t i = 0; i < count; i++) {
        struct lookup_consent *c = &l->consents[i];
        char text[IP_REVERSE_SIZE];
        strcpy(stpcpy(c->question.name, "_script-access."), ip_reverse_name(&c->ip, text).ptr);
        c->question.type = DNS_TXT;
        c->question.answered = on_reverse_record;
        ask(l, &c->question, &c->open);
        if (!c->open)
            settle_consent(c, ACCESS_DNS_FAIL);
    }
    l->starting = false;
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any |= l->consents[i].open;
    if (!any)
        finish_consent(l);
}

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
        if (rank(failure) > rank(worst))
            worst = failure;
    }
    size_t count = choose(l, ips);
    if (worst == ACCESS_DNS_BOGUS || worst == ACCESS_DNS_INSECURE)
        refuse(l, worst);
    else if (l->address_fault != ACCESS_OK_RECORD)
        refuse(l, l->address_fault);
    else if (count == 0)
        refuse(l, worst);
    else if (l->vouched || l->config->consent == ACCESS_CONSENT_OFF)
        decide(l, l->vouched ? ACCESS_OK_STATIC : ACCESS_OK_RECORD, ips, count);
    else {
        cancel_questions(l);
        start_consent(l, ips, count);
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
    family->failure = judge(l, q, a, l->config->dnssec == ACCESS_DNSSEC_ALL);
    size_t length = q->type == DNS_A ? 4 : 16;
    for (size_t i = 0; i < a->count && family->failure == ACCESS_OK_RECORD; i++) {
        if (a->data[i].len != length)
            continue;
        struct ip ip = ip_make(a->data[i].ptr, length);
        take_address(l, family, &ip);
    }
    /* Beyond what is handed over nobody could look at the class. */
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
    set_state(l, LOOKUP_ADDRESSES);
    for (int f = 0; f < 2; f++) {
        struct lookup_family *family = &l->families[f];
        family->lookup = l;
        strcpy(family->question.name, l->target.host);
        family->question.type = types[f];
        family->question.answered = on_address;
        ask(l, &family->question, &family->open);
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
    enum access_reason reason = judge(l, q, a, l->config->dnssec >= ACCESS_DNSSEC_POLICY);
    if (reason == ACCESS_OK_RECORD) {
        struct access_answer match = match_records(l, a, ACCESS_FORWARD);
        l->max_age_s = match.max_age;
        reason = reason_of(match.match);
    }
    if (reason == ACCESS_OK_RECORD && l->via == ACCESS_VIA_TCP)
        start_addresses(l);
    else
        decide(l, reason, NULL, 0);
}

/* A host so long that no record can stand above it is left without a question, and gets its answer
 * at the next tick. */
static void start_record(struct lookup *l)
{
    static const char prefix[] = "_script-access.";
    set_state(l, LOOKUP_RECORD);
    l->record_missing = strlen(prefix) + strlen(l->target.host) >= TARGET_HOST_SIZE;
    strcpy(stpcpy(l->record.name, prefix), l->target.host);
    l->record.type = DNS_TXT;
    l->record.answered = on_record;
    if (!l->record_missing)
        ask(l, &l->record, &l->record_open);
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
    cancel_questions(l);
    set_state(l, LOOKUP_DECIDED);
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
        refuse(l, l->record_missing ? ACCESS_NO_RECORD
                  : l->record_open  ? ACCESS_DNS_TIMEOUT
                                    : ACCESS_DNS_FAIL);
        break;
    case LOOKUP_ADDRESSES:
        finish_addresses(l);
        break;
    case LOOKUP_CONSENT:
        finish_consent(l);
        break;
    case LOOKUP_IDLE:
    case LOOKUP_DECIDED:
        break;
    }
}
