/* SPDX-License-Identifier: MIT */
#include "proto/access_rules.h"

enum item_kind {
    ITEM_ALLOW,
    ITEM_EXCLUDE,
    ITEM_DENY
};

struct rules_cursor {
    struct slice all, rest;
    struct access_fault fault;
};

static bool fail(struct rules_cursor *c, const char *expected)
{
    c->fault =
        (struct access_fault){.at = (size_t)(c->rest.ptr - c->all.ptr), .expected = expected};
    return false;
}

static void skip_space(struct rules_cursor *c)
{
    while (c->rest.len && memchr(" \t\r\n", c->rest.ptr[0], 4))
        c->rest = slice_skip(c->rest, 1);
}

/* `word`, if it comes next and a space or an item follows it. */
static bool take_word(struct rules_cursor *c, struct slice word)
{
    if (!slice_equal_nocase(slice_first(c->rest, word.len), word) || c->rest.len == word.len ||
        !memchr(" \t\r\n<", c->rest.ptr[word.len], 5))
        return false;
    c->rest = slice_skip(c->rest, word.len);
    skip_space(c);
    return true;
}

static bool take_item(struct rules_cursor *c, struct access_pattern *ret)
{
    struct slice inner = slice_skip(c->rest, 1);
    size_t end = slice_find(inner, '>');
    size_t at = (size_t)(inner.ptr - c->all.ptr);
    if (end == inner.len)
        return fail(c, "a pattern between < and >");
    if (!access_pattern_parse(slice_first(inner, end), ret, &c->fault)) {
        c->fault.at += at;
        return false;
    }
    c->rest = slice_skip(inner, end + 1);
    skip_space(c);
    return true;
}

struct rules_state {
    const struct origin *origin; /* NULL: only check the form */
    const struct public_suffixes *suffixes;
    bool any_allow, allowed, denied;
};

/* A run of items; *ret_hit says whether one of them is about the origin. */
static bool take_items(struct rules_cursor *c, enum item_kind kind, const struct rules_state *s,
                       bool *ret_hit)
{
    *ret_hit = false;
    if (!c->rest.len || c->rest.ptr[0] != '<')
        return fail(c, "a pattern between < and >");
    while (c->rest.len && c->rest.ptr[0] == '<') {
        struct access_pattern p;
        if (!take_item(c, &p))
            return false;
        if (s->origin)
            *ret_hit |= kind == ITEM_ALLOW ? access_pattern_allows(&p, s->origin, s->suffixes)
                                           : access_pattern_denies(&p, s->origin);
    }
    return true;
}

static bool take_rule(struct rules_cursor *c, struct rules_state *s)
{
    bool hit, excluded = false;
    if (take_word(c, SLICE_LITERAL("deny"))) {
        if (!take_items(c, ITEM_DENY, s, &hit))
            return false;
        s->denied |= hit;
        return true;
    }
    if (!take_word(c, SLICE_LITERAL("allow")))
        return fail(c, "allow <…> or deny <…>");
    if (!take_items(c, ITEM_ALLOW, s, &hit))
        return false;
    if (take_word(c, SLICE_LITERAL("exclude")) && !take_items(c, ITEM_EXCLUDE, s, &excluded))
        return false;
    s->any_allow = true;
    s->allowed |= hit && !excluded;
    return true;
}

static bool take_rules(struct rules_cursor *c, struct rules_state *s)
{
    skip_space(c);
    if (c->rest.len == 0)
        return true;
    for (;;) {
        if (!take_rule(c, s))
            return false;
        if (c->rest.len == 0)
            return true;
        if (c->rest.ptr[0] != ',')
            return fail(c, "a comma, exclude, or the end");
        c->rest = slice_skip(c->rest, 1);
        skip_space(c);
    }
}

bool access_rules_check(struct slice text, struct access_fault *fault)
{
    struct rules_cursor c = {.all = text, .rest = text};
    struct rules_state s = {0};
    if (take_rules(&c, &s))
        return true;
    *fault = c.fault;
    return false;
}

enum access_rules_match access_rules_match(struct slice text, const struct origin *origin,
                                           const struct public_suffixes *suffixes)
{
    struct rules_cursor c = {.all = text, .rest = text};
    struct rules_state s = {.origin = origin, .suffixes = suffixes};
    if (!take_rules(&c, &s) || s.denied)
        return ACCESS_RULES_DENY;
    if (s.any_allow)
        return s.allowed ? ACCESS_RULES_ALLOW : ACCESS_RULES_DENY;
    return ACCESS_RULES_SILENT;
}
