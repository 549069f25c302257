/* SPDX-License-Identifier: MIT */
#include "access/server_origins.h"

/* The first of the list, but one of the request's own scheme before others. */
static bool is_configured(const struct server_origins *origins, enum origin_scheme scheme,
                          const struct authority *host, struct origin *ret)
{
    const struct origin *found = NULL;
    for (size_t i = 0; i < origins->count; i++) {
        const struct origin *o = &origins->list[i];
        uint16_t port = host->port ? host->port : origin_default_port(o->scheme);
        bool better = !found || (found->scheme != scheme && o->scheme == scheme);
        if (better && port == o->authority.port && authority_host_equal(host, &o->authority))
            found = o;
    }
    if (found)
        *ret = *found;
    return found;
}

static bool is_local_literal(const struct authority *host, const struct net_address *local)
{
    char text[NET_ADDRESS_TEXT_MAX];
    struct authority literal;
    if (!local || host->kind == HOST_NAME)
        return false;
    size_t len = net_address_print(local, text);
    return authority_parse(slice_make(text, len), &literal) && authority_host_equal(host, &literal);
}

bool server_origin_find(const struct server_origins *origins, enum origin_scheme scheme,
                        struct slice host, const struct net_address *local, struct origin *ret)
{
    struct authority authority;
    if (!authority_parse(host, &authority))
        return false;
    if (origins->count)
        return is_configured(origins, scheme, &authority, ret);
    if (!authority_is_loopback(&authority) && !is_local_literal(&authority, local))
        return false;
    *ret = origin_of(scheme, &authority);
    return true;
}
