/* SPDX-License-Identifier: MIT */
#include "http/forwarded.h"

#include "proto/authority.h"

#include <stdio.h>

/* The last members of a list that may be spread over several fields. */
struct hops {
    struct slice last[FORWARDED_HOPS_MAX]; /* a ring */
    size_t count;                          /* of all that were seen */
};

static void gather(const struct http_head *request, struct slice name, struct hops *hops)
{
    hops->count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        struct slice rest = request->headers[i].value, hop;
        if (!slice_equal_nocase(request->headers[i].name, name))
            continue;
        while (http_list_next(&rest, &hop))
            hops->last[hops->count++ % FORWARDED_HOPS_MAX] = hop;
    }
}

/* The member that stands `distance` before the end; 0 is the last one. SLICE_NONE: there is none,
 * or it was not kept. */
static struct slice hop_at(const struct hops *hops, size_t distance)
{
    size_t kept = hops->count < FORWARDED_HOPS_MAX ? hops->count : FORWARDED_HOPS_MAX;
    return distance < kept ? hops->last[(hops->count - 1 - distance) % FORWARDED_HOPS_MAX]
                           : SLICE_NONE;
}

/* ---- which of the two ways ---- */

static bool tells_by_x(const struct http_head *request)
{
    static const char *const names[] = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
                                        "x-forwarded-port", "x-forwarded-prefix"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (http_head_count(request, slice_of(names[i])))
            return true;
    return false;
}

/* ---- Forwarded: NAME=VALUE *( ";" NAME=VALUE ), VALUE a token or a quoted string ---- */

static size_t pair_length(struct slice s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        quoted ^= s.ptr[i] == '"';
        if (!quoted && s.ptr[i] == ';')
            return i;
    }
    return s.len;
}

/* A quoted pair is in no address, scheme or host. */
static struct slice unquote(struct slice value)
{
    if (value.len < 2 || value.ptr[0] != '"' || value.ptr[value.len - 1] != '"')
        return value;
    return slice_make(value.ptr + 1, value.len - 2);
}

static struct slice parameter(struct slice hop, struct slice name)
{
    while (hop.len > 0) {
        size_t len = pair_length(hop);
        struct slice pair = slice_trim(slice_first(hop, len));
        size_t equals = slice_find(pair, '=');
        if (equals < pair.len && slice_equal_nocase(slice_first(pair, equals), name))
            return unquote(slice_skip(pair, equals + 1));
        hop = slice_skip(hop, len < hop.len ? len + 1 : len);
    }
    return SLICE_NONE;
}

/* ---- addresses ---- */

/* The address of `ADDR`, `ADDR:PORT`, `[ADDR]` or `[ADDR]:PORT`; empty if a bracket is open. */
static struct slice host_of(struct slice hop)
{
    size_t colon = slice_find(hop, ':'), bracket = slice_find(hop, ']');
    if (slice_starts_with(hop, SLICE_LITERAL("[")))
        return bracket < hop.len ? slice_first(slice_skip(hop, 1), bracket - 1) : SLICE_NONE;
    if (colon < hop.len && slice_find(slice_skip(hop, colon + 1), ':') == hop.len - colon - 1)
        return slice_first(hop, colon);
    return hop; /* without a port, or IPv6 */
}

static bool read_hop(struct slice hop, struct net_address *ret)
{
    char text[64];
    const char *why;
    struct slice host = host_of(hop);
    if (host.len == 0)
        return false;
    bool v6 = slice_find(host, ':') < host.len;
    int len = snprintf(text, sizeof(text), v6 ? "[%.*s]:0" : "%.*s:0", SLICE_ARG(host));
    /* Neither a name, nor a zone, which is a matter of another machine. */
    return len < (int)sizeof(text) && strspn(text, "0123456789abcdefABCDEF:.[]") == (size_t)len &&
           net_address_parse(slice_make(text, (size_t)len), ret, &why) == 0;
}

static bool trusts(const struct http_limits *limits, const struct net_address *address)
{
    return limits->trusts && limits->trusts(limits->proxies, address);
}

/* Goes back through the entries from `distance` on, while *address is a trusted proxy's. Returns
 * where it stopped. */
static size_t follow(const struct http_limits *limits, const struct hops *hops, bool by_x,
                     size_t distance, struct net_address *address)
{
    struct net_address next;
    while (trusts(limits, address)) {
        struct slice hop = hop_at(hops, distance);
        if (!read_hop(by_x ? hop : parameter(hop, SLICE_LITERAL("for")), &next))
            break;
        *address = next;
        distance++;
    }
    return distance;
}

static bool gather_clients(const struct http_head *request, struct hops *hops)
{
    bool by_x = tells_by_x(request);
    gather(request, by_x ? SLICE_LITERAL("x-forwarded-for") : SLICE_LITERAL("forwarded"), hops);
    return by_x;
}

void forwarded_client(const struct http_limits *limits, const struct http_head *request,
                      struct net_address *address)
{
    struct hops hops;
    if (!trusts(limits, address))
        return;
    bool by_x = gather_clients(request, &hops);
    follow(limits, &hops, by_x, 0, address);
}

bool forwarded_client_told(const struct http_limits *limits, const struct http_head *request,
                           struct net_address *ret)
{
    struct hops hops;
    gather(request, SLICE_LITERAL("x-forwarded-for"), &hops);
    if (!read_hop(hop_at(&hops, 0), ret))
        return false;
    follow(limits, &hops, true, 1, ret);
    return true;
}

/* ---- the place ---- */

/* What the outermost of `proxies` trusted ones has said. A list with fewer members was replaced by
 * one of them: its first counts. */
static struct slice outermost(const struct http_head *request, const char *name, size_t proxies)
{
    struct hops hops;
    gather(request, slice_of(name), &hops);
    size_t distance = proxies < hops.count ? proxies - 1 : hops.count - 1;
    return hops.count ? hop_at(&hops, distance) : SLICE_NONE;
}

struct told {
    struct slice scheme, host, port, base;
};

static struct told told_by_x(const struct http_head *request, size_t proxies)
{
    return (struct told){
        .scheme = outermost(request, "x-forwarded-proto", proxies),
        .host = outermost(request, "x-forwarded-host", proxies),
        .port = outermost(request, "x-forwarded-port", proxies),
        .base = outermost(request, "x-forwarded-prefix", proxies),
    };
}

/* Of the trusted proxies the outermost that says it. */
static struct slice outermost_parameter(const struct hops *hops, size_t proxies, struct slice name)
{
    struct slice found = SLICE_NONE;
    for (size_t distance = proxies; distance-- > 0 && !found.ptr;)
        found = parameter(hop_at(hops, distance), name);
    return found;
}

static struct told told_by_forwarded(const struct hops *hops, size_t proxies)
{
    return (struct told){
        .scheme = outermost_parameter(hops, proxies, SLICE_LITERAL("proto")),
        .host = outermost_parameter(hops, proxies, SLICE_LITERAL("host")),
    };
}

static bool is_either(struct slice text, const char *one, const char *other)
{
    return slice_equal_nocase(text, slice_of(one)) || slice_equal_nocase(text, slice_of(other));
}

bool forwarded_place(const struct http_limits *limits, const struct http_head *request,
                     const struct net_address *peer, struct forwarded_place *ret)
{
    struct hops hops;
    struct net_address address = *peer;
    struct authority unused;
    if (!trusts(limits, peer))
        return false;
    bool by_x = gather_clients(request, &hops);
    size_t followed = follow(limits, &hops, by_x, 0, &address);
    /* The last one followed is the client, unless it is a proxy without a word of its own. */
    size_t proxies = followed == 0 || trusts(limits, &address) ? followed + 1 : followed;
    struct told told = by_x ? told_by_x(request, proxies) : told_by_forwarded(&hops, proxies);
    *ret = (struct forwarded_place){.base = http_base_of(told.base)};
    if (is_either(told.scheme, "https", "wss"))
        ret->scheme = FORWARDED_HTTPS;
    else if (is_either(told.scheme, "http", "ws"))
        ret->scheme = FORWARDED_HTTP;
    if (told.host.ptr && authority_parse(told.host, &unused))
        ret->host = told.host;
    port_parse(told.port, &ret->port);
    return true;
}

/* ---- the base ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~/", c) != NULL);
}

struct slice http_base_of(struct slice text)
{
    while (text.len > 0 && text.ptr[text.len - 1] == '/')
        text.len--;
    if (text.len == 0 || text.ptr[0] != '/')
        return SLICE_NONE;
    for (size_t i = 0; i < text.len; i++) {
        /* the last byte is no slash */
        bool odd = text.ptr[i] == '/' && (text.ptr[i + 1] == '/' || text.ptr[i + 1] == '.');
        if (odd || !is_plain(text.ptr[i]))
            return SLICE_NONE;
    }
    return text;
}
