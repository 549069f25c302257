/* SPDX-License-Identifier: MIT */
#include "serve/script_access.h"

#include "base/log.h"
#include "serve/access_settings.h"

#include <errno.h>
#include <stdlib.h>

static void free_script_access(struct reap *reap)
{
    struct script_access *s = container_of(reap, struct script_access, reap);
    access_loop_stop(&s->loop);
    shared_dns_free(s->shared);
    access_config_done(&s->config);
    free(s);
}

static void tell_refusal(void *owner, const struct verdict_question *q)
{
    policy_tell_refusal(owner, q);
}

/* Its questions for the DNS go by way of the policy from now on. False without memory. */
static bool share(struct script_access *s, struct policy *policy, const struct dns_options *dns)
{
    struct text settings = {0};
    struct access *access = &s->loop.access;
    text_printf(&settings, "%s\n%s", dns->server ? dns->server : "",
                dns->anchor ? dns->anchor : "");
    s->shared = settings.failed ? NULL
                                : shared_dns_new(policy, s->loop.loop, access->questions.below,
                                                 text_slice(&settings));
    text_done(&settings);
    if (!s->shared)
        return false;
    access->questions.below = shared_dns_resolver(s->shared);
    access_set_refuses(access, tell_refusal, policy);
    return true;
}

static bool read_settings(struct script_access *s, const struct config *config, struct text *why)
{
    if (!access_settings_read(config, &s->config, why))
        return false;
    if (access_config_add_interfaces(&s->config) == 0)
        return true;
    text_printf(why, "the addresses of this machine can't be read");
    access_config_done(&s->config);
    return false;
}

static bool start(struct script_access *s, struct loop *loop, const struct config *config,
                  const struct script_access_tables *tables, struct text *why)
{
    const char *fault = NULL;
    struct dns_options dns = access_settings_dns(config);
    int error =
        access_loop_start(&s->loop, loop, &s->config, &dns, tables->bans, tables->rates, &fault);
    if (error == 0 && (!tables->policy || share(s, tables->policy, &dns)))
        return true;
    if (error == 0) {
        access_loop_stop(&s->loop);
        error = -ENOMEM;
    }
    text_printf(why, "dns: %s (%s)", fault ? fault : "the resolver can't be made",
                strerror(-error));
    access_config_done(&s->config);
    return false;
}

struct script_access *script_access_new(struct loop *loop, const struct config *config,
                                        const struct script_access_tables *tables,
                                        struct access_counts *counts, struct text *why)
{
    struct script_access *s = log_needed(calloc(1, sizeof(*s)));
    if (!s) {
        text_printf(why, "out of memory");
        return NULL;
    }
    if (!read_settings(s, config, why) || !start(s, loop, config, tables, why)) {
        free(s);
        return NULL;
    }
    access_set_counts(&s->loop.access, counts);
    s->references = 1;
    return s;
}

struct script_access *script_access_ref(struct script_access *s)
{
    s->references++;
    return s;
}

void script_access_unref(struct script_access *s)
{
    if (s && --s->references == 0)
        loop_reap(s->loop.loop, &s->reap, free_script_access);
}

bool script_access_try(const struct config *config, struct text *why)
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
