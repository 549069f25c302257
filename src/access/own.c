/* SPDX-License-Identifier: MIT */
#include "access/own.h"

static bool is_configured(const struct own_origins *own, const struct authority *host,
                          struct origin *ret)
{
    for (size_t i = 0; i < own->count; i++) {
        const struct origin *o = &own->list[i];
        uint16_t port = host->port ? host->port : origin_default_port(o->scheme);
        if (port == o->authority.port && authority_host_equal(host, &o->authority)) {
            *ret = *o;
            return true;
        }
    }
    return false;
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

bool own_origin(const struct own_origins *own, enum origin_scheme scheme, struct slice host,
                const struct net_address *local, struct origin *ret)
{
    struct authority authority;
    if (!authority_parse(host, &authority))
        return false;
    if (own->count)
        return is_configured(own, &authority, ret);
    if (!authority_is_loopback(&authority) && !is_local_literal(&authority, local))
        return false;
    *ret = origin_of(scheme, &authority);
    return true;
}
