/* SPDX-License-Identifier: MIT */
#include "serve/cluster_settings.h"

#include "serve/key_file.h"

#include <netdb.h>
#include <stdlib.h>

/* ---- keys ---- */

static struct seal_keys *derive(const struct config *c, const char *purpose, struct text *why)
{
    struct seal_keys *all =
        *c->cluster_key
            ? key_file_read(c->cluster_key, "who has the key can pass for a server of this cluster",
                            why)
            : NULL;
    struct seal_keys *keys = all ? seal_keys_derive(all, purpose) : NULL;
    if (all && !keys)
        text_printf(why, "%s: out of memory", c->cluster_key);
    seal_keys_unref(all);
    return keys;
}

struct seal_keys *cluster_way_keys(const struct config *c, struct text *why)
{
    return derive(c, "httpsocket cluster ways", why);
}

struct seal_keys *cluster_state_keys(const struct config *c, struct text *why)
{
    return derive(c, "httpsocket cluster states", why);
}

/* ---- addresses ---- */

/* `HOST:PORT`, `[ADDRESS]:PORT`, or without the port. */
static bool divide(struct slice text, char host[256], struct slice *port)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':' && text.ptr[colon - 1] != ']')
        colon--;
    bool has_port = colon > 0 && text.ptr[colon - 1] == ':';
    struct slice name = has_port ? slice_first(text, colon - 1) : text;
    *port = has_port ? slice_skip(text, colon) : SLICE_NONE;
    if (name.len > 1 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = slice_make(name.ptr + 1, name.len - 2);
    if (name.len == 0 || name.len > 255)
        return false;
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    return true;
}

static void use_port(struct net_address *a, uint16_t port)
{
    if (a->any.sa_family == AF_INET)
        a->v4.sin_port = htons(port);
    else
        a->v6.sin6_port = htons(port);
}

static bool look_up(const char *host, struct net_address *ret)
{
    struct addrinfo *found, wish = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    if (getaddrinfo(host, NULL, &wish, &found) != 0)
        return false;
    bool good = found->ai_addrlen <= sizeof(ret->v6);
    if (good) {
        *ret = (struct net_address){.len = found->ai_addrlen};
        memcpy(&ret->any, found->ai_addr, found->ai_addrlen);
    }
    freeaddrinfo(found);
    return good;
}

bool cluster_settings_address(const struct config *c, const struct net_address *bound,
                              struct net_address *ret, struct text *why)
{
    char host[256];
    struct slice port;
    uint64_t number = net_address_port(bound);
    struct net_address address = *bound;
    if (!*c->cluster_address) {
        *ret = address;
        return true;
    }
    if (!divide(slice_of(c->cluster_address), host, &port) ||
        (port.ptr && !slice_to_uint(port, 65535, &number)) || !look_up(host, &address)) {
        text_printf(why, "cluster-address: `%s`: there is no such address", c->cluster_address);
        return false;
    }
    use_port(&address, (uint16_t)number);
    *ret = address;
    return true;
}

static bool is_any(const struct net_address *a)
{
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == INADDR_ANY;
    return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}

/* ---- checked ---- */

static const char *find_lack(const struct config *c)
{
    if (*c->cluster_address && !*c->cluster_listen)
        return "cluster-address needs cluster-listen";
    if (!*c->cluster_listen)
        return NULL;
    if (!c->broker.count)
        return "cluster-listen needs broker: that is where servers find each other";
    if (!*c->cluster_key)
        return "cluster-listen needs cluster-key: by that servers know each other";
    return NULL;
}

bool cluster_settings_check(struct config *c, struct text *why)
{
    const char *lack = find_lack(c), *reason;
    if (lack) {
        text_printf(why, "%s", lack);
        return false;
    }
    if (!*c->cluster_listen)
        return true;
    struct net_address *address = &c->cluster_listen_address;
    if (net_address_parse(slice_of(c->cluster_listen), address, &reason) < 0) {
        text_printf(why, "cluster-listen: `%s`: %s", c->cluster_listen, reason);
        return false;
    }
    if (address->any.sa_family == AF_UNIX) {
        text_printf(why, "cluster-listen: `%s`: other machines can't reach it", c->cluster_listen);
        return false;
    }
    if (is_any(address) && !*c->cluster_address) {
        text_printf(why,
                    "cluster-listen: `%s` says not where others reach this server: set "
                    "cluster-address too",
                    c->cluster_listen);
        return false;
    }
    return true;
}
