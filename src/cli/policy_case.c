/* SPDX-License-Identifier: MIT */
#include "cli/policy_case.h"

#include "access/recorded.h"
#include "access/server_origins.h"

#include <stdio.h>
#include <stdlib.h>

/* A `prior=`: an earlier 401 of the program. */
struct prior {
    bool given, other_origin;
    struct slice path, policy_path;
    uint32_t age_s, at_s;
};

struct run {
    struct access_config config;
    struct prior prior;
    bool script_refuses, rate_over, own_given, production_table;
    struct recorded recorded;
    struct access access;
    struct access_check check;
    struct access_result result;
    bool done;
    char *why; /* what went wrong with the row itself; CASE_WHY_SIZE */
};

static bool fail(struct run *r, const char *what, struct slice text)
{
    snprintf(r->why, CASE_WHY_SIZE, "%s: %.*s", what, SLICE_ARG(text));
    return false;
}

/* ---- the config column ---- */

/* The suffix list of the cases: `co.test` stands for `co.uk`. */
static bool is_suffix(const void *ctx, struct slice name)
{
    const struct public_suffixes *real = ctx;
    return slice_equal(name, SLICE_LITERAL("co.test")) || !real || real->is_suffix(real->ctx, name);
}

/* The next word; spaces inside [...] belong to it. */
static struct slice take_word(struct slice *rest)
{
    size_t len = 0;
    bool bracket = false;
    *rest = slice_trim(*rest);
    while (len < rest->len && (bracket || rest->ptr[len] != ' ')) {
        bracket = (bracket || rest->ptr[len] == '[') && rest->ptr[len] != ']';
        len++;
    }
    struct slice word = slice_first(*rest, len);
    *rest = slice_skip(*rest, len);
    return word;
}

static bool set_prior_part(struct prior *p, struct slice name, struct slice value)
{
    uint64_t n = 0;
    bool number = slice_to_uint(value, 10000000, &n);
    if (slice_equal(name, SLICE_LITERAL("path")))
        p->path = value;
    else if (slice_equal(name, SLICE_LITERAL("pp")))
        p->policy_path = value;
    else if (slice_equal(name, SLICE_LITERAL("origin")))
        p->other_origin = slice_equal(value, SLICE_LITERAL("other"));
    else if (slice_equal(name, SLICE_LITERAL("age")) && number)
        p->age_s = (uint32_t)n;
    else if (slice_equal(name, SLICE_LITERAL("at")) && number)
        p->at_s = (uint32_t)n;
    else
        return false;
    return true;
}

static bool set_prior(struct prior *p, struct slice value)
{
    *p = (struct prior){.given = true, .age_s = BAN_SECONDS};
    while (value.len) {
        struct slice part = slice_first(value, slice_find(value, ','));
        value = slice_skip(value, part.len);
        value = slice_skip(value, value.len > 0);
        size_t colon = slice_find(part, ':');
        if (colon == part.len ||
            !set_prior_part(p, slice_first(part, colon), slice_skip(part, colon + 1)))
            return false;
    }
    return true;
}

/* Rules are taken as they are: one that can't be read must deny, not stop the test. */
static bool set_rules(struct run *r, struct slice value)
{
    if (value.len < 2 || value.ptr[0] != '[' || value.ptr[value.len - 1] != ']')
        return false;
    free(r->config.rules);
    r->config.rules = slice_to_string(slice_make(value.ptr + 1, value.len - 2));
    return r->config.rules != NULL;
}

static bool set_word(struct run *r, struct slice word)
{
    const char *why;
    size_t equals = slice_find(word, '=');
    if (equals == word.len)
        return false;
    struct slice name = slice_first(word, equals), value = slice_skip(word, equals + 1);
    if (slice_equal(name, SLICE_LITERAL("self"))) {
        r->own_given = true;
        return access_config_set(&r->config, SLICE_LITERAL("origin"), value, &why) == 0;
    }
    if (slice_equal(name, SLICE_LITERAL("public")))
        return r->production_table = slice_equal(value, SLICE_LITERAL("none"));
    if (slice_equal(name, SLICE_LITERAL("script")))
        return r->script_refuses = slice_equal(value, SLICE_LITERAL("401"));
    if (slice_equal(name, SLICE_LITERAL("rate")))
        return r->rate_over = slice_equal(value, SLICE_LITERAL("over"));
    if (slice_equal(name, SLICE_LITERAL("prior")))
        return set_prior(&r->prior, value);
    if (slice_equal(name, SLICE_LITERAL("rules")))
        return set_rules(r, value);
    return access_config_set(&r->config, name, value, &why) == 0;
}

static void set_default(struct run *r, const char *name, const char *value)
{
    const char *why;
    if (access_config_set(&r->config, slice_of(name), slice_of(value), &why) != 0)
        abort();
}

/* The defaults of the cases (their README). */
static bool set_config(struct run *r, struct slice column, bool web)
{
    if (!slice_equal(column, SLICE_LITERAL("-")))
        for (struct slice word; (word = take_word(&column)).len;)
            if (!set_word(r, word))
                return fail(r, "config", word);
    if (!r->own_given)
        set_default(r, "origin", web ? "https://b.test" : "https://a.example");
    if (!r->production_table) {
        set_default(r, "private", "203.0.113.0/24");
        set_default(r, "private", "2001:db8::/32");
    }
    set_default(r, "address", "203.0.113.1");
    set_default(r, "address", "2001:db8::1");
    if (r->rate_over)
        r->config.rate_client = (struct rate){.per_minute = 1, .burst = 1};
    return true;
}

/* ---- one row ---- */

static void ask_program(struct access_check *check)
{
    struct run *r = container_of(check, struct run, check);
    access_program_answer(check->access, check, !r->script_refuses, BAN_SECONDS, SLICE_NONE);
}

static void on_verdict(struct access_check *check, const struct access_result *result)
{
    struct run *r = container_of(check, struct run, check);
    r->result = *result;
    r->done = true;
}

/* `\xHH` undone, in `out` of at least text.len bytes. */
static struct slice unescape(struct slice text, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned code;
        char hex[3] = {0};
        if (text.len - i >= 4 && text.ptr[i] == '\\' && text.ptr[i + 1] == 'x') {
            memcpy(hex, text.ptr + i + 2, 2);
            if (sscanf(hex, "%2x", &code) == 1) {
                out[n++] = (char)code;
                i += 3;
                continue;
            }
        }
        out[n++] = text.ptr[i];
    }
    return slice_make(out, n);
}

static bool set_request(struct run *r, const struct case_row *row, char *target)
{
    struct access_request *q = &r->check.request;
    struct slice path = row->field[CASE_PATH], rest;
    struct server_origins origins = {r->config.origins, r->config.origin_count};
    struct net_address nowhere = {0};
    if (!slice_equal(row->field[CASE_ORIGIN], SLICE_LITERAL("-")))
        q->origin = row->field[CASE_ORIGIN];
    if (slice_equal(path, SLICE_LITERAL("web"))) {
        struct origin url;
        q->path = ACCESS_PATH_WEB;
        if (!origin_parse_url(row->field[CASE_TARGET], &url, &rest))
            return fail(r, "target", row->field[CASE_TARGET]);
        char text[ORIGIN_TEXT_SIZE];
        struct slice written = origin_write(&url, text);
        struct slice host = slice_skip(written, url.scheme == ORIGIN_HTTPS ? 8 : 7);
        q->here_known = server_origin_find(&origins, url.scheme, host, &nowhere, &q->here);
        q->url_path = slice_first(rest, slice_find(rest, '?'));
        return true;
    }
    q->path = slice_equal(path, SLICE_LITERAL("lib")) ? ACCESS_PATH_LIB : ACCESS_PATH_TCP;
    q->target = unescape(row->field[CASE_TARGET], target);
    return q->path == ACCESS_PATH_LIB || slice_equal(path, SLICE_LITERAL("tcp")) ||
           fail(r, "path", path);
}

static void add_prior(struct run *r)
{
    struct access_request before = r->check.request;
    before.url_path = r->prior.path;
    if (r->prior.other_origin)
        before.origin = SLICE_LITERAL("https://other.example");
    access_ban(&r->access, &before, r->prior.age_s, r->prior.policy_path, 0);
}

/* Until the verdict; nothing here waits for real time. */
static void drive(struct run *r, uint64_t now_ms)
{
    access_check(&r->access, &r->check, now_ms);
    while (!r->done) {
        bool answered = recorded_run(&r->recorded);
        uint64_t due = access_due_ms(&r->access);
        if (!answered && due > now_ms)
            now_ms = due;
        access_run(&r->access, now_ms);
    }
}

static bool evaluate(struct run *r, const struct case_row *row, char *target)
{
    struct bans *bans = bans_new(64);
    struct rates *rates = rates_new(64);
    if (!bans || !rates)
        abort();
    access_init(&r->access, &r->config, &r->recorded.resolver, bans, rates, NULL);
    bool good = set_request(r, row, target);
    if (good) {
        uint64_t now_ms = r->prior.at_s * 1000ull;
        r->check.ask_program = ask_program;
        r->check.on_verdict = on_verdict;
        if (r->prior.given)
            add_prior(r);
        if (r->rate_over) {
            struct net_client_key *client = &r->check.request.client;
            rates_take(rates, &r->config.rate_client, LIMIT_CHECKS_OF_CLIENT,
                       slice_make(client->bytes, sizeof(client->bytes)), now_ms);
        }
        drive(r, now_ms);
    }
    access_done(&r->access);
    bans_free(bans);
    rates_free(rates);
    for (size_t i = 0; good && i < r->recorded.asked_count; i++)
        if (r->recorded.asked[i].times > 1)
            return fail(r, "asked twice", slice_of(r->recorded.asked[i].name));
    return good;
}

bool case_decide(const struct case_row *row, struct access_result *ret, char why[CASE_WHY_SIZE])
{
    struct run *r = calloc(1, sizeof(*r));
    char *target = malloc(row->field[CASE_TARGET].len + 1);
    const char *fault = NULL;
    if (!r || !target)
        abort();
    r->why = why;
    access_config_init(&r->config);
    struct public_suffixes suffixes = {.is_suffix = is_suffix, .ctx = r->config.suffixes};
    r->config.suffixes = &suffixes;
    bool web = slice_equal(row->field[CASE_PATH], SLICE_LITERAL("web"));
    bool good = set_config(r, row->field[CASE_CONFIG], web);
    if (recorded_init(&r->recorded, row->field[CASE_DNS], &fault) != 0)
        good = fail(r, "dns", slice_of(fault));
    good = good && evaluate(r, row, target);
    *ret = r->result;
    recorded_done(&r->recorded);
    access_config_done(&r->config);
    free(target);
    free(r);
    return good;
}
