/* SPDX-License-Identifier: MIT */
#include "proto/access_pattern.h"

enum {
    LABEL_MAX = 63,
    NAME_BYTES_MAX = 253
};

static bool fail(struct access_fault *fault, size_t at, const char *expected)
{
    if (fault)
        *fault = (struct access_fault){.at = at, .expected = expected};
    return false;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits and inner hyphens (RFC 1123, 2.1). */
static bool check_label(struct slice label, size_t at, struct access_fault *fault)
{
    if (label.len == 0 || label.len > LABEL_MAX)
        return fail(fault, at, "a label of 1 to 63 bytes");
    for (size_t i = 0; i < label.len; i++) {
        bool inner = i > 0 && i + 1 < label.len;
        if (!is_letter_or_digit(label.ptr[i]) && !(inner && label.ptr[i] == '-'))
            return fail(fault, at + i,
                        "a letter, a digit or an inner hyphen (other names as A-labels, xn--)");
    }
    return true;
}

static bool check_name(struct slice name, size_t at, struct access_fault *fault)
{
    if (name.len > NAME_BYTES_MAX)
        return fail(fault, at, "a name of at most 253 bytes");
    for (;;) {
        struct slice label = slice_first(name, slice_find(name, '.'));
        if (!check_label(label, at, fault))
            return false;
        if (label.len == name.len)
            return is_number_label(label) ? fail(fault, at, "a name, not an address") : true;
        name = slice_skip(name, label.len + 1);
        at += label.len + 1;
    }
}

static void take_scheme(struct slice *text, struct access_pattern *p)
{
    static const struct slice https = {"https://", 8}, http = {"http://", 7};
    if (slice_equal_nocase(slice_first(*text, https.len), https)) {
        p->scheme = ORIGIN_HTTPS;
        *text = slice_skip(*text, https.len);
    } else if (slice_equal_nocase(slice_first(*text, http.len), http)) {
        p->scheme = ORIGIN_HTTP;
        *text = slice_skip(*text, http.len);
    }
}

bool access_pattern_parse(struct slice text, struct access_pattern *ret, struct access_fault *fault)
{
    struct access_pattern p = {0};
    struct slice rest = text;
    if (slice_equal(text, SLICE_LITERAL("*"))) {
        *ret = (struct access_pattern){.everything = true};
        return true;
    }
    take_scheme(&rest, &p);
    if (slice_starts_with(rest, SLICE_LITERAL("*."))) {
        p.wildcard = true;
        rest = slice_skip(rest, 2);
    }
    p.name = slice_first(rest, slice_find(rest, ':'));
    if (!check_name(p.name, (size_t)(p.name.ptr - text.ptr), fault))
        return false;

    rest = slice_skip(rest, p.name.len);
    if (rest.len) {
        struct slice port = slice_skip(rest, 1);
        p.any_port = slice_equal(port, SLICE_LITERAL("*"));
        if (!p.any_port && !port_parse(port, &p.port))
            return fail(fault, (size_t)(port.ptr - text.ptr), "a port from 1 to 65535, or *");
    }
    *ret = p;
    return true;
}

/* The bytes up to the next space; *rest goes on after the spaces that follow. */
static struct slice take_word(struct slice *rest)
{
    struct slice word = slice_first(*rest, slice_find(*rest, ' '));
    *rest = slice_skip(*rest, word.len);
    while (rest->len && rest->ptr[0] == ' ')
        *rest = slice_skip(*rest, 1);
    return word;
}

bool access_pattern_next(struct slice *rest, struct access_pattern *ret)
{
    return rest->len && access_pattern_parse(take_word(rest), ret, NULL);
}

bool access_patterns_check(struct slice list, struct access_fault *fault)
{
    struct slice rest = list;
    for (size_t count = 0; count == 0 || rest.len; count++) {
        size_t at = (size_t)(rest.ptr - list.ptr);
        struct access_pattern p;
        if (count == ACCESS_PATTERNS_MAX)
            return fail(fault, at, "at most 32 patterns");
        struct slice word = take_word(&rest);
        if (word.len == 0)
            return fail(fault, at, "a pattern: *, a.example, *.a.example, https://a.example:8443");
        if (!access_pattern_parse(word, &p, fault)) {
            if (fault)
                fault->at += at;
            return false;
        }
    }
    if (slice_ends_with(list, SLICE_LITERAL(" ")))
        return fail(fault, list.len, "a pattern after the space");
    return true;
}

static bool is_below(struct slice host, struct slice name)
{
    if (host.len <= name.len + 1 || host.ptr[host.len - name.len - 1] != '.')
        return false;
    return slice_equal_nocase(slice_skip(host, host.len - name.len), name);
}

static bool is_public_suffix(const struct public_suffixes *suffixes, struct slice name)
{
    char lower[NAME_BYTES_MAX];
    if (!suffixes || name.len > sizeof(lower))
        return true;
    for (size_t i = 0; i < name.len; i++)
        lower[i] =
            (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] | 0x20 : name.ptr[i]);
    return suffixes->is_suffix(suffixes->ctx, slice_make(lower, name.len));
}

static bool allows_host(const struct access_pattern *p, struct slice host,
                        const struct public_suffixes *suffixes)
{
    if (!p->wildcard)
        return slice_equal_nocase(host, p->name);
    bool one_label = slice_find(p->name, '.') == p->name.len;
    return is_below(host, p->name) && !one_label && !is_public_suffix(suffixes, p->name);
}

bool access_pattern_allows(const struct access_pattern *p, const struct origin *o,
                           const struct public_suffixes *suffixes)
{
    if (o->scheme == ORIGIN_OPAQUE)
        return false;
    if (p->everything)
        return true;
    enum origin_scheme scheme = p->scheme == ORIGIN_OPAQUE ? ORIGIN_HTTPS : p->scheme;
    uint16_t port = p->port ? p->port : origin_default_port(scheme);
    return o->scheme == scheme && (p->any_port || o->authority.port == port) &&
           allows_host(p, authority_host(&o->authority), suffixes);
}

bool access_pattern_denies(const struct access_pattern *p, const struct origin *o)
{
    if (o->scheme == ORIGIN_OPAQUE)
        return false;
    if (p->everything)
        return true;
    if ((p->scheme != ORIGIN_OPAQUE && p->scheme != o->scheme) ||
        (p->port && p->port != o->authority.port))
        return false;
    struct slice host = authority_host(&o->authority);
    if (slice_ends_with(host, SLICE_LITERAL(".")))
        host.len--;
    return slice_equal_nocase(host, p->name) || (p->wildcard && is_below(host, p->name));
}

bool access_pattern_names(const struct access_pattern *p, struct slice host, uint16_t port,
                          const struct public_suffixes *suffixes)
{
    if (p->everything)
        return true;
    return p->scheme == ORIGIN_OPAQUE && (p->port == 0 || p->port == port) &&
           allows_host(p, host, suffixes);
}

bool access_patterns_allow(struct slice list, const struct origin *o,
                           const struct public_suffixes *suffixes)
{
    struct access_pattern p;
    while (access_pattern_next(&list, &p))
        if (access_pattern_allows(&p, o, suffixes))
            return true;
    return false;
}

bool access_patterns_deny(struct slice list, const struct origin *o)
{
    struct access_pattern p;
    while (access_pattern_next(&list, &p))
        if (access_pattern_denies(&p, o))
            return true;
    return false;
}

bool access_patterns_name(struct slice list, struct slice host, uint16_t port,
                          const struct public_suffixes *suffixes)
{
    struct access_pattern p;
    while (access_pattern_next(&list, &p))
        if (access_pattern_names(&p, host, port, suffixes))
            return true;
    return false;
}
