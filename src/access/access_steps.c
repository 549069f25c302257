/* SPDX-License-Identifier: MIT */
#include "access/access_steps.h"

#include "proto/access_rules.h"

enum {
    SMTP_PORT = 25
};
enum {
    BAN_TARGET_SIZE = ORIGIN_TEXT_SIZE > TARGET_TEXT_SIZE ? ORIGIN_TEXT_SIZE : TARGET_TEXT_SIZE
};

enum step step_refuse(struct access_check *c, enum access_reason reason, uint32_t retry_s)
{
    c->result.reason = reason;
    c->result.retry_s = retry_s;
    return STEP_DECIDED;
}

static enum step refuse(struct access_check *c, enum access_reason reason)
{
    return step_refuse(c, reason, access_reason_row(reason)->retry_s);
}

/* ---- 1: rate limits, bans ---- */

/* Whether a request to us is for another origin's page, or says so. */
static bool is_foreign(const struct access_request *r)
{
    struct origin theirs;
    return r->path == ACCESS_PATH_WEB && r->origin.ptr &&
           !(origin_parse(r->origin, &theirs) && origin_equal(&theirs, &r->here));
}

static enum step take_client(struct access *a, struct access_check *c, enum limit_kind kind)
{
    uint32_t wait_s = rates_take(a->rates, &a->config->rate_client, kind,
                                 net_client_slice(&c->request.client), a->now_ms);
    if (!wait_s)
        return STEP_NEXT;
    a->counts->limited_client++;
    return step_refuse(c, ACCESS_RATE_LIMITED, wait_s);
}

/* Other sites' pages can have a visitor's browser ask us as often as they like: as long as nothing
 * allows them, that uses up nothing of what our own pages have there. */
static enum step check_rate(struct access *a, struct access_check *c)
{
    if (!a->rates || c->request.resumes)
        return STEP_NEXT;
    return take_client(
        a, c, is_foreign(&c->request) ? LIMIT_FOREIGN_CHECKS_OF_CLIENT : LIMIT_CHECKS_OF_CLIENT);
}

/* Our own origin has no rate as a whole. Another one has, and only here, since everybody can claim
 * to be its page until its record or a rule has allowed it. */
static enum step check_origin_rate(struct access *a, struct access_check *c)
{
    char text[ORIGIN_TEXT_SIZE];
    bool foreign = is_foreign(&c->request);
    if (!a->rates || c->request.resumes || (!foreign && c->request.path == ACCESS_PATH_WEB))
        return STEP_NEXT;
    if (foreign && take_client(a, c, LIMIT_CHECKS_OF_CLIENT) == STEP_DECIDED)
        return STEP_DECIDED;
    uint32_t wait_s = rates_take(a->rates, &a->config->rate_origin, LIMIT_CHECKS_OF_ORIGIN,
                                 origin_write(&c->origin, text), a->now_ms);
    if (!wait_s)
        return STEP_NEXT;
    a->counts->limited_origin++;
    return step_refuse(c, ACCESS_RATE_LIMITED, wait_s);
}

/* At the target's own server. */
static bool is_web(const struct access_request *r)
{
    return r->path == ACCESS_PATH_WEB || r->path == ACCESS_PATH_PLAIN;
}

/* `text` holds the target in its normal form, so that no other spelling escapes a ban. */
static struct ban_key ban_key_of(const struct access_request *r, char text[BAN_TARGET_SIZE])
{
    struct target target;
    enum access_reason why;
    struct ban_key key = {
        .client = slice_make(r->client.bytes, sizeof(r->client.bytes)),
        .who = r->who,
        .origin = r->origin,
        .target = r->target,
    };
    if (is_web(r)) {
        key.target = origin_write(&r->here, text);
        key.path = r->url_path;
    } else if (target_parse(r->target, &target, &why) || why == ACCESS_TARGET_SPECIAL_NAME) {
        key.target = target_write(&target, text);
    }
    return key;
}

void access_ban(struct access *a, const struct access_request *request, uint32_t max_age_s,
                struct slice policy_path, uint64_t now_ms)
{
    char text[BAN_TARGET_SIZE];
    struct ban_key key = ban_key_of(request, text);
    if (!a->bans || max_age_s == 0)
        return;
    a->counts->bans++;
    bans_add(a->bans, &key, policy_path, max_age_s, now_ms);
}

static enum step check_bans(struct access *a, struct access_check *c)
{
    char text[BAN_TARGET_SIZE];
    if (!a->bans)
        return STEP_NEXT;
    struct ban_key key = ban_key_of(&c->request, text);
    uint32_t remain_s = bans_check(a->bans, &key, a->now_ms, &c->result.banned_path);
    return remain_s ? step_refuse(c, ACCESS_BANNED, remain_s) : STEP_NEXT;
}

static enum step check_host(struct access *a, struct access_check *c)
{
    (void)a;
    return c->request.here_known ? STEP_NEXT : refuse(c, ACCESS_HOST_FOREIGN);
}

/* ---- 2: the origin ---- */

static enum step check_origin(struct access *a, struct access_check *c)
{
    struct slice text = c->request.origin;
    if (!text.ptr)
        return refuse(c, ACCESS_ORIGIN_MISSING);
    if (!origin_parse(text, &c->origin) || c->origin.scheme == ORIGIN_OPAQUE)
        return refuse(c, ACCESS_ORIGIN_OPAQUE);
    access_trace(a->trace, "origin", "%.*s", SLICE_ARG(text));
    return STEP_NEXT;
}

static enum step check_no_origin(struct access *a, struct access_check *c)
{
    (void)a;
    c->settled = true;
    c->result.reason = ACCESS_OK_NO_ORIGIN;
    return STEP_NEXT;
}

static enum step check_origin_is_ours(struct access *a, struct access_check *c)
{
    const struct access_config *config = a->config;
    for (size_t i = 0; i < config->origin_count; i++)
        if (origin_equal(&config->origins[i], &c->origin))
            return STEP_NEXT;
    if (config->origin_count == 0 && c->request.here_known &&
        origin_equal(&c->request.here, &c->origin))
        return STEP_NEXT;
    return refuse(c, ACCESS_ORIGIN_FOREIGN);
}

static enum step check_same_origin(struct access *a, struct access_check *c)
{
    if (!origin_equal(&c->origin, &c->request.here))
        return STEP_NEXT;
    access_trace(a->trace, "origin", "the target's own: only the program decides");
    c->settled = true;
    c->result.reason = ACCESS_OK_SAME_ORIGIN;
    return STEP_NEXT;
}

/* ---- 3, 4: the target, the operator ---- */

static bool is_this_machine(const struct access *a, const struct access_check *c)
{
    struct slice host = slice_of(c->result.target.host);
    for (size_t i = 0; i < a->config->origin_count; i++)
        if (slice_equal(authority_host(&a->config->origins[i].authority), host))
            return true;
    return c->request.here_known && slice_equal(authority_host(&c->request.here.authority), host);
}

/* A name that is not in the DNS, such as `localhost`, can only be this machine's. */
static enum step check_target(struct access *a, struct access_check *c)
{
    bool own = c->target_fault == ACCESS_TARGET_SPECIAL_NAME && is_this_machine(a, c);
    if (!c->target_known && !own)
        return refuse(c, c->target_fault);
    access_trace(a->trace, "target", "%s port %u", c->result.target.host, c->result.target.port);
    return STEP_NEXT;
}

static enum step check_blocks(struct access *a, struct access_check *c)
{
    if (access_config_blocks(a->config, &c->result.target))
        return refuse(c, ACCESS_TARGET_BLOCKED);
    if (c->result.target.port == SMTP_PORT && !a->config->unblock_25)
        return refuse(c, ACCESS_PORT_BLOCKED);
    return STEP_NEXT;
}

static enum step check_rules(struct access *a, struct access_check *c)
{
    const struct access_config *config = a->config;
    enum access_rules_match match = ACCESS_RULES_SILENT;
    if (c->settled || (!config->rules && !config->rules_only))
        return STEP_NEXT;
    if (config->rules)
        match = access_rules_match(slice_of(config->rules), &c->origin, config->suffixes);
    access_trace(a->trace, "rules", "%s: %s", config->rules ? config->rules : "none",
                 match == ACCESS_RULES_ALLOW  ? "allow"
                 : match == ACCESS_RULES_DENY ? "deny"
                                              : "say nothing");
    if (match == ACCESS_RULES_DENY || (config->rules_only && match == ACCESS_RULES_SILENT))
        return refuse(c, ACCESS_STATIC_DENY);
    if (config->rules_only) {
        c->settled = true;
        c->result.reason = ACCESS_OK_STATIC;
    }
    return STEP_NEXT;
}

/* ---- the program ---- */

static enum step check_program(struct access *a, struct access_check *c)
{
    if (!c->ask_program || c->program_asked)
        return STEP_NEXT;
    c->program_asked = true;
    access_check_set_state(c, CHECK_PROGRAM);
    c->asking = true;
    c->ask_program(c);
    c->asking = false;
    if (c->state == CHECK_PROGRAM)
        return STEP_WAIT;
    access_trace(a->trace, "program", "%s",
                 c->result.reason == ACCESS_SCRIPT_DENIED ? "refuses" : "allows");
    return c->result.reason == ACCESS_SCRIPT_DENIED ? STEP_DECIDED : STEP_NEXT;
}

/* ---- this machine; the record ---- */

static enum step check_self(struct access *a, struct access_check *c)
{
    if (!is_this_machine(a, c))
        return STEP_NEXT;
    if (!access_config_self_port(a->config, c->result.target.port))
        return refuse(c, ACCESS_SELF_PORT_CLOSED);
    c->settled = true;
    c->result.local = true;
    c->result.reason = ACCESS_OK_SELF_PORT;
    return STEP_NEXT;
}

/* The name that a web request's record stands at; false if it can have none. */
static bool web_target(const struct access_check *c, struct target *ret)
{
    const struct authority *here = &c->request.here.authority;
    struct slice host = authority_host(here);
    if (slice_ends_with(host, SLICE_LITERAL(".")))
        host.len--;
    if (here->kind != HOST_NAME || name_is_special(host))
        return false;
    *ret = (struct target){.port = 0};
    memcpy(ret->host, host.ptr, host.len);
    return true;
}

struct verdict_question step_question(const struct access_check *c, struct target *web)
{
    bool is_web = c->request.path == ACCESS_PATH_WEB;
    return (struct verdict_question){
        .origin = &c->origin,
        .via = is_web ? ACCESS_VIA_WEB : ACCESS_VIA_TCP,
        .target = is_web && web_target(c, web) ? web : &c->result.target,
        .client = &c->request.client,
    };
}

enum step step_take_outcome(struct access_check *c, const struct lookup_outcome *outcome)
{
    c->result.reason = outcome->reason;
    c->result.retry_s = outcome->retry_s;
    c->result.count = outcome->count;
    memcpy(c->result.addresses, outcome->addresses, sizeof(outcome->addresses));
    bool allowed = access_reason_row(outcome->reason)->verdict == ACCESS_ALLOW;
    return allowed ? STEP_NEXT : STEP_DECIDED;
}

static enum step check_record(struct access *a, struct access_check *c)
{
    struct target web;
    struct lookup_outcome outcome;
    uint32_t wait_s = 0;
    if (c->settled)
        return STEP_NEXT;
    if (c->request.path == ACCESS_PATH_WEB && !web_target(c, &web))
        return refuse(c, ACCESS_NO_RECORD);
    struct verdict_question q = step_question(c, &web);
    switch (verdicts_get(&a->verdicts, &q, &c->wait, &outcome, &wait_s)) {
    case VERDICTS_KNOWN:
        access_trace(a->trace, "record", "known from an earlier question");
        return step_take_outcome(c, &outcome);
    case VERDICTS_WAIT:
        access_check_set_state(c, CHECK_LOOKUP);
        return STEP_WAIT;
    case VERDICTS_RATE_LIMITED:
        a->counts->limited_lookups++;
        return step_refuse(c, ACCESS_RATE_LIMITED, wait_s);
    case VERDICTS_FULL:
        break;
    }
    return refuse(c, ACCESS_OVERLOAD);
}

/* ---- the order ---- */

static step_fn *const steps_tcp[] = {
    check_rate,   check_bans,    check_origin, check_origin_is_ours, check_target,
    check_blocks, check_program, check_self,   check_record,         NULL,
};
static step_fn *const steps_lib[] = {
    check_rate,    check_bans, check_origin, check_target,      check_blocks,
    check_program, check_self, check_record, check_origin_rate, NULL,
};
static step_fn *const steps_web[] = {
    check_rate,  check_host,   check_bans,        check_origin,  check_same_origin,
    check_rules, check_record, check_origin_rate, check_program, NULL,
};
static step_fn *const steps_plain[] = {
    check_rate, check_host, check_bans, check_no_origin, check_program, NULL,
};
step_fn *const *const access_steps[] = {
    [ACCESS_PATH_TCP] = steps_tcp,
    [ACCESS_PATH_WEB] = steps_web,
    [ACCESS_PATH_LIB] = steps_lib,
    [ACCESS_PATH_PLAIN] = steps_plain,
};
