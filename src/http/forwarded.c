/* SPDX-License-Identifier: MIT */
#include "http/forwarded.h"

#include <stdio.h>

struct hops {
    struct slice last[FORWARDED_HOPS_MAX]; /* a ring */
    size_t count;                          /* of all that were seen */
};

static void gather(const struct http_head *request, struct hops *hops)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct slice rest = request->headers[i].value, hop;
        if (!slice_equal_nocase(request->headers[i].name, SLICE_LITERAL("x-forwarded-for")))
            continue;
        while (http_list_next(&rest, &hop))
            hops->last[hops->count++ % FORWARDED_HOPS_MAX] = hop;
    }
}

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
    bool v6 = slice_find(host, ':') < host.len;
    int len = snprintf(text, sizeof(text), v6 ? "[%.*s]:0" : "%.*s:0", SLICE_ARG(host));
    /* Neither a name, nor a zone, which is a matter of another machine. */
    return len < (int)sizeof(text) && strspn(text, "0123456789abcdefABCDEF:.[]") == (size_t)len &&
           net_address_parse(slice_make(text, (size_t)len), ret, &why) == 0;
}

void forwarded_client(const struct http_limits *limits, const struct http_head *request,
                      struct net_address *address)
{
    struct hops hops = {.count = 0};
    struct net_address next;
    if (!limits->trusts || !limits->trusts(limits->proxies, address))
        return;
    gather(request, &hops);
    size_t oldest = hops.count > FORWARDED_HOPS_MAX ? hops.count - FORWARDED_HOPS_MAX : 0;
    for (size_t i = hops.count; i > oldest; i--) {
        if (!read_hop(hops.last[(i - 1) % FORWARDED_HOPS_MAX], &next))
            return;
        *address = next;
        if (!limits->trusts(limits->proxies, address))
            return;
    }
}
