/* SPDX-License-Identifier: MIT */
#include "serve/proxies.h"

#include <stdlib.h>

static bool read_one(const char *item, struct proxies *p)
{
    if (slice_equal(slice_of(item), SLICE_LITERAL("unix"))) {
        p->local = true;
        return true;
    }
    return ip_range_parse(slice_of(item), &p->ranges[p->count]) && ++p->count;
}

bool proxies_read(char *const *items, size_t count, struct proxies *ret, struct text *why)
{
    *ret = (struct proxies){.ranges = calloc(count + 1, sizeof(*ret->ranges))};
    if (!ret->ranges)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (read_one(items[i], ret))
            continue;
        text_printf(why,
                    "trusted-proxy: expected an address, a range such as 10.0.0.0/8, or unix; not "
                    "`%s`",
                    items[i]);
        return false;
    }
    return true;
}

void proxies_done(struct proxies *p)
{
    free(p->ranges);
}

bool proxies_trust(const void *proxies, const struct net_address *address)
{
    const struct proxies *p = proxies;
    struct ip ip;
    if (address->any.sa_family == AF_UNIX)
        return p->local;
    if (!ip_of_sockaddr(&address->any, &ip))
        return false;
    if (ip.length == 16 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
        ip = ip_make(ip.bytes + 12, 4);
    for (size_t i = 0; i < p->count; i++)
        if (ip_range_has(&p->ranges[i], &ip))
            return true;
    return false;
}
