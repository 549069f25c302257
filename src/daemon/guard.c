/* SPDX-License-Identifier: MIT */
#include "daemon/guard.h"

#include "daemon/access_settings.h"

#include <stdlib.h>

static void free_guard(struct reap *reap)
{
    struct guard *g = container_of(reap, struct guard, reap);
    access_loop_stop(&g->loop);
    access_config_done(&g->config);
    free(g);
}

static bool read_settings(struct guard *g, const struct config *config, struct text *why)
{
    if (!access_settings_read(config, &g->config, why))
        return false;
    if (access_config_add_interfaces(&g->config) == 0)
        return true;
    text_printf(why, "the addresses of this machine can't be read");
    access_config_done(&g->config);
    return false;
}

static bool start(struct guard *g, struct loop *loop, const struct config *config,
                  const struct guard_tables *tables, struct text *why)
{
    const char *fault = NULL;
    struct dns_options dns = access_settings_dns(config);
    int error =
        access_loop_start(&g->loop, loop, &g->config, &dns, tables->bans, tables->rates, &fault);
    if (error == 0)
        return true;
    text_printf(why, "dns: %s (%s)", fault ? fault : "the resolver can't be made",
                strerror(-error));
    access_config_done(&g->config);
    return false;
}

struct guard *guard_new(struct loop *loop, const struct config *config,
                        const struct guard_tables *tables, struct access_counts *counts,
                        struct text *why)
{
    struct guard *g = calloc(1, sizeof(*g));
    if (!g) {
        text_printf(why, "out of memory");
        return NULL;
    }
    if (!read_settings(g, config, why) || !start(g, loop, config, tables, why)) {
        free(g);
        return NULL;
    }
    access_set_counts(&g->loop.access, counts);
    g->references = 1;
    return g;
}

struct guard *guard_ref(struct guard *guard)
{
    guard->references++;
    return guard;
}

void guard_unref(struct guard *guard)
{
    if (guard && --guard->references == 0)
        loop_reap(guard->loop.loop, &guard->reap, free_guard);
}

bool guard_try(const struct config *config, struct text *why)
{
    struct access_config access;
    struct dns_options options = access_settings_dns(config);
    struct dns *dns;
    const char *fault;
    if (!access_settings_read(config, &access, why))
        return false;
    access_config_done(&access);
    if (dns_new(&options, &dns, &fault) < 0) {
        text_printf(why, "dns: %s", fault);
        return false;
    }
    dns_free(dns);
    return true;
}
