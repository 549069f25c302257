/* SPDX-License-Identifier: MIT */
#include "access/config.h"

#include "access/suffixes.h"
#include "base/log.h"
#include "proto/access_rules.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>

void access_config_init(struct access_config *c)
{
    *c = (struct access_config){
        .suffixes = public_suffixes(),
        .rate_client = {.per_minute = 1200, .burst = 300},
        .rate_origin = {.per_minute = 12000, .burst = 3000},
        .rate_lookups = {.per_minute = 120, .burst = 60},
        .rate_programs = {.per_minute = 600, .burst = 300},
        .pending_max = 256,
        .pending_client_max = 8,
        .pending_origin_max = 32,
        .deadline_ms = 3000,
        .cache_max = 4096,
    };
}

void access_config_done(struct access_config *c)
{
    free(c->origins);
    free(c->self_ports);
    free(c->lifted);
    free(c->addresses);
    free(c->vouched);
    free(c->blocked);
    free(c->rules);
    *c = (struct access_config){0};
}

/* Appends one element of `size` bytes to a heap array. */
static int append(void *array, size_t *count, const void *element, size_t size)
{
    char **base = array;
    char *grown = log_needed(realloc(*base, (*count + 1) * size));
    if (!grown)
        return -ENOMEM;
    memcpy(grown + *count * size, element, size);
    *base = grown;
    (*count)++;
    return 0;
}

static int set_origin(struct access_config *c, struct slice value)
{
    struct origin o;
    if (!origin_parse(value, &o) || o.scheme == ORIGIN_OPAQUE)
        return -EINVAL;
    return append(&c->origins, &c->origin_count, &o, sizeof(o));
}

static int set_self_ports(struct access_config *c, struct slice value)
{
    size_t dash = slice_find(value, '-');
    struct port_range r;
    if (!port_parse(slice_first(value, dash), &r.first))
        return -EINVAL;
    r.last = r.first;
    if (dash < value.len && (!port_parse(slice_skip(value, dash + 1), &r.last) || r.last < r.first))
        return -EINVAL;
    return append(&c->self_ports, &c->self_ports_count, &r, sizeof(r));
}

static int set_private(struct access_config *c, struct slice value)
{
    struct ip_range range;
    if (!ip_range_parse(value, &range))
        return -EINVAL;
    return append(&c->lifted, &c->lifted_count, &range, sizeof(range));
}

static int set_address(struct access_config *c, struct slice value)
{
    struct ip ip;
    if (!ip_parse(value, &ip))
        return -EINVAL;
    return append(&c->addresses, &c->addresses_count, &ip, sizeof(ip));
}

static int set_vouch(struct access_config *c, struct slice value)
{
    struct target t;
    enum access_reason why;
    if (!target_parse(value, &t, &why))
        return -EINVAL;
    return append(&c->vouched, &c->vouched_count, &t, sizeof(t));
}

/* `value` at the end of *text, after `separator`. */
static int extend(char **text, struct slice value, const char *separator)
{
    size_t old = *text ? strlen(*text) + strlen(separator) : 0;
    char *grown = log_needed(malloc(old + value.len + 1));
    if (!grown)
        return -ENOMEM;
    char *end = *text ? stpcpy(stpcpy(grown, *text), separator) : grown;
    *(char *)mempcpy(end, value.ptr, value.len) = '\0';
    free(*text);
    *text = grown;
    return 0;
}

static int set_block(struct access_config *c, struct slice value)
{
    struct access_pattern p;
    if (!access_pattern_parse(value, &p, NULL) || p.scheme != ORIGIN_OPAQUE)
        return -EINVAL;
    return extend(&c->blocked, value, " ");
}

static int set_rules(struct access_config *c, struct slice value)
{
    struct access_fault fault;
    if (!access_rules_check(value, &fault))
        return -EINVAL;
    return slice_trim(value).len ? extend(&c->rules, value, ", ") : 0;
}

/* The index of `value` among `names`, or -EINVAL. */
static int one_of(struct slice value, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (slice_equal(value, slice_of(names[i])))
            return i;
    return -EINVAL;
}

static int set_policy(struct access_config *c, struct slice value)
{
    static const char *const names[] = {"dns", "config"};
    int mode = one_of(value, names, 2);
    if (mode < 0)
        return mode;
    c->rules_only = mode == 1;
    return 0;
}

static int set_unblock(struct access_config *c, struct slice value)
{
    if (!slice_equal(value, SLICE_LITERAL("25")))
        return -EINVAL;
    c->unblock_25 = true;
    return 0;
}

static int set_consent(struct access_config *c, struct slice value)
{
    static const char *const names[] = {"strict", "veto", "off"};
    int mode = one_of(value, names, 3);
    if (mode < 0)
        return mode;
    c->consent = (enum access_consent)mode;
    return 0;
}

static int set_dnssec(struct access_config *c, struct slice value)
{
    static const char *const names[] = {"any", "policy", "all"};
    int mode = one_of(value, names, 3);
    if (mode < 0)
        return mode;
    c->dnssec = (enum access_dnssec)mode;
    return 0;
}

static const struct setting {
    const char *name;
    int (*set)(struct access_config *c, struct slice value); /* NULL: a rate, at `rate` */
    const char *expected;
    size_t rate;
} settings[] = {
    {"origin", set_origin, "an origin such as https://a.example"},
    {"self-ports", set_self_ports, "a port or a range such as 7000-7010"},
    {"private", set_private, "a range such as 10.0.0.0/8, with nothing after the prefix"},
    {"address", set_address, "an IP address"},
    {"vouch", set_vouch, "HOST:PORT"},
    {"block", set_block, "a target: NAME, *.NAME or NAME:PORT"},
    {"rules", set_rules, "rules such as: allow <*> exclude <evil.example>, deny <b.example>"},
    {"policy", set_policy, "dns or config"},
    {"unblock", set_unblock, "25"},
    {"consent", set_consent, "strict, veto or off"},
    {"dnssec", set_dnssec, "any, policy or all"},
    {"rate-client", NULL, RATE_EXPECTED, offsetof(struct access_config, rate_client)},
    {"rate-origin", NULL, RATE_EXPECTED, offsetof(struct access_config, rate_origin)},
    {"rate-lookups", NULL, RATE_EXPECTED, offsetof(struct access_config, rate_lookups)},
    {"rate-programs", NULL, RATE_EXPECTED, offsetof(struct access_config, rate_programs)},
};
enum {
    SETTINGS = sizeof(settings) / sizeof(*settings)
};

const char *access_config_name(size_t index)
{
    return index < SETTINGS ? settings[index].name : NULL;
}

int access_config_set(struct access_config *c, struct slice name, struct slice value,
                      const char **why)
{
    *why =
        "the name of a setting: origin, self-ports, private, address, vouch, block, rules, policy, "
        "unblock, consent, dnssec, rate-client, rate-origin, rate-lookups or rate-programs";
    for (size_t i = 0; i < SETTINGS; i++) {
        if (!slice_equal(name, slice_of(settings[i].name)))
            continue;
        *why = settings[i].expected;
        if (settings[i].set)
            return settings[i].set(c, value);
        return rate_parse(value, (struct rate *)((char *)c + settings[i].rate)) ? 0 : -EINVAL;
    }
    return -EINVAL;
}

int access_config_add_interfaces(struct access_config *c)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) < 0)
        return -errno;
    int error = 0;
    for (struct ifaddrs *i = all; i && !error; i = i->ifa_next) {
        struct ip ip;
        if (i->ifa_addr && ip_of_sockaddr(i->ifa_addr, &ip))
            error = append(&c->addresses, &c->addresses_count, &ip, sizeof(ip));
    }
    freeifaddrs(all);
    return error;
}

bool access_config_self_port(const struct access_config *c, uint16_t port)
{
    for (size_t i = 0; i < c->self_ports_count; i++)
        if (port >= c->self_ports[i].first && port <= c->self_ports[i].last)
            return true;
    return false;
}

bool access_config_vouches(const struct access_config *c, const struct target *t)
{
    for (size_t i = 0; i < c->vouched_count; i++)
        if (c->vouched[i].port == t->port && strcmp(c->vouched[i].host, t->host) == 0)
            return true;
    return false;
}

bool access_config_blocks(const struct access_config *c, const struct target *t)
{
    if (!c->blocked)
        return false;
    struct origin as_origin = {.scheme = ORIGIN_HTTPS, .authority = {.port = t->port}};
    as_origin.authority.host_len = (uint8_t)strlen(t->host);
    strcpy(as_origin.authority.host, t->host);
    return access_patterns_deny(slice_of(c->blocked), &as_origin);
}

bool access_config_is_own_address(const struct access_config *c, const struct ip *ip)
{
    for (size_t i = 0; i < c->addresses_count; i++)
        if (ip_equal(&c->addresses[i], ip))
            return true;
    return false;
}

const char *access_config_class(const struct access_config *c, const struct ip *ip)
{
    for (size_t i = 0; i < c->lifted_count; i++)
        if (ip_range_has(&c->lifted[i], ip))
            return NULL;
    return ip_special(ip);
}
