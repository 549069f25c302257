/* SPDX-License-Identifier: MIT */
#include "access/lookup_parts.h"

/* The addresses that consent, if any; otherwise the reason that weighs most. */
void lookup_finish_consent(struct lookup *l)
{
    struct ip ips[LOOKUP_ADDRESSES_MAX];
    size_t count = 0;
    enum access_reason worst = ACCESS_ADDR_NO_CONSENT;
    for (size_t i = 0; i < l->consents_count; i++) {
        const struct lookup_consent *c = &l->consents[i];
        enum access_reason reason = c->open ? ACCESS_DNS_TIMEOUT : c->reason;
        if (reason == ACCESS_OK_RECORD)
            ips[count++] = c->ip;
        else if (lookup_rank(reason) > lookup_rank(worst))
            worst = reason;
    }
    if (count)
        lookup_decide(l, ACCESS_OK_RECORD, ips, count);
    else
        lookup_refuse(l, worst);
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
        lookup_finish_consent(l);
}

/* The consent that the answer is for; NULL if the answer is of no use, which has settled that
 * consent. */
static struct lookup_consent *answered(struct dns_question *q, const struct dns_answer *a)
{
    struct lookup_consent *c = container_of(q, struct lookup_consent, question);
    struct lookup *l = c->lookup;
    c->open = false;
    enum access_reason reason = lookup_judge(l, q, a, l->config->dnssec == ACCESS_DNSSEC_ALL);
    if (reason == ACCESS_OK_RECORD)
        return c;
    settle_consent(c, reason);
    return NULL;
}

static void on_reverse_ptr(struct dns_question *q, const struct dns_answer *a)
{
    struct lookup_consent *c = answered(q, a);
    if (!c)
        return;
    enum access_reason reason = ACCESS_ADDR_NO_CONSENT;
    for (size_t i = 0; i < a->count && a->total <= LOOKUP_PTR_MAX; i++)
        if (slice_equal(a->data[i], slice_of(c->lookup->target.host)))
            reason = ACCESS_OK_RECORD;
    settle_consent(c, reason);
}

static void ask_ptr(struct lookup_consent *c)
{
    char text[IP_REVERSE_SIZE];
    strcpy(c->question.name, ip_reverse_name(&c->ip, text).ptr);
    c->question.type = DNS_PTR;
    c->question.answered = on_reverse_ptr;
    lookup_ask(c->lookup, &c->question, &c->open);
    if (!c->open)
        settle_consent(c, ACCESS_DNS_FAIL);
}

static void on_reverse_record(struct dns_question *q, const struct dns_answer *a)
{
    struct lookup_consent *c = answered(q, a);
    if (!c)
        return;
    struct lookup *l = c->lookup;
    enum access_match match = lookup_match(l, a, ACCESS_REVERSE).match;
    if (match == ACCESS_MATCH_ALLOWED)
        settle_consent(c, ACCESS_OK_RECORD);
    else if (match != ACCESS_MATCH_NO_RECORD)
        settle_consent(c, ACCESS_ADDR_VETO);
    else if (l->config->consent == ACCESS_CONSENT_VETO)
        settle_consent(c, ACCESS_OK_RECORD);
    else
        ask_ptr(c);
}

void lookup_start_consent(struct lookup *l, const struct ip *ips, size_t count)
{
    lookup_set_state(l, LOOKUP_CONSENT);
    l->consents_count = count;
    for (size_t i = 0; i < count; i++)
        l->consents[i] = (struct lookup_consent){.lookup = l, .ip = ips[i]};
    /* No answer settles the whole look-up before all have been asked. */
    l->starting = true;
    for (size_t i = 0; i < count; i++) {
        struct lookup_consent *c = &l->consents[i];
        char text[IP_REVERSE_SIZE];
        strcpy(stpcpy(c->question.name, "_script-access."), ip_reverse_name(&c->ip, text).ptr);
        c->question.type = DNS_TXT;
        c->question.answered = on_reverse_record;
        lookup_ask(l, &c->question, &c->open);
        if (!c->open)
            settle_consent(c, ACCESS_DNS_FAIL);
    }
    l->starting = false;
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any |= l->consents[i].open;
    if (!any)
        lookup_finish_consent(l);
}
