/* SPDX-License-Identifier: MIT */
#include "access/lookup_parts.h"

#include <assert.h>

void lookup_set_state(struct lookup *l, enum lookup_state state)
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
    bool silent = l->ttl_s == UINT32_MAX; /* nothing came: as long as the page is told to wait */
    return silent ? 10 : clamp(l->ttl_s, 10, 60);
}

void lookup_cancel_questions(struct lookup *l)
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

void lookup_decide(struct lookup *l, enum access_reason reason, const struct ip *ips, size_t count)
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
    lookup_cancel_questions(l);
    lookup_set_state(l, LOOKUP_DECIDED);
    l->decided(l, &outcome);
}

void lookup_refuse(struct lookup *l, enum access_reason reason)
{
    lookup_decide(l, reason, NULL, 0);
}

/* ---- answers ---- */

/* Asks; a question that can't even be asked leaves *open false. */
void lookup_ask(struct lookup *l, struct dns_question *q, bool *open)
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
enum access_reason lookup_judge(struct lookup *l, const struct dns_question *q,
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

struct access_answer lookup_match(struct lookup *l, const struct dns_answer *a,
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

int lookup_rank(enum access_reason reason)
{
    static const uint8_t ranks[ACCESS_REASONS] = {
        [ACCESS_DNS_BOGUS] = 6,   [ACCESS_DNS_FAIL] = 5,     [ACCESS_DNS_CNAME_LIMIT] = 4,
        [ACCESS_DNS_TIMEOUT] = 3, [ACCESS_DNS_INSECURE] = 2, [ACCESS_ADDR_VETO] = 1,
    };
    return ranks[reason];
}
