/* SPDX-License-Identifier: MIT */
#include "serve/cluster_server.h"

#include "base/base64url.h"
#include "base/log.h"
#include "base/pack.h"
#include "cluster/servers.h"
#include "net/tls.h"
#include "serve/broker_settings.h"
#include "serve/cluster_settings.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    WHY_SIZE = 256
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool draw(struct cluster_server *s)
{
    s->since_ms = now_ms();
    if (gethostname(s->host, sizeof(s->host) - 1) < 0)
        strcpy(s->host, "?");
    return servers_draw_tag(&s->tag) == 0 && base64url_draw(s->instance, CLUSTER_INSTANCE_LEN) == 0;
}

static bool open_brokers(struct cluster_server *s, const struct config *c, struct text *why)
{
    char reason[WHY_SIZE];
    s->brokers = broker_settings_ref(c->brokers);
    if (broker_settings_use_tls(s->brokers)) {
        s->broker_tls = broker_settings_tls(c, reason, sizeof(reason));
        if (!s->broker_tls)
            text_printf(why, "broker: %s", reason);
    }
    s->configs = log_needed(calloc(s->brokers->count, sizeof(*s->configs)));
    for (size_t i = 0; s->configs && i < s->brokers->count; i++)
        s->configs[i] = (struct broker_config){
            .url = s->brokers->urls[i],
            .tls = s->broker_tls,
            .timeout_ms = c->broker_timeout,
            .scripts = broker_scripts,
        };
    return s->configs && !why->len;
}

static bool open_ways(struct cluster_server *s, const struct config *c, struct text *why)
{
    char reason[WHY_SIZE];
    struct seal_keys *keys = cluster_way_keys(c, why);
    if (!keys)
        return !*c->cluster_key;
    s->ways = tls_context_new_keyed(keys, reason, sizeof(reason));
    seal_keys_unref(keys);
    if (!s->ways)
        text_printf(why, "cluster-key: %s", reason);
    return s->ways;
}

bool cluster_server_open(const struct config *c, struct cluster_server **ret, struct text *why)
{
    *ret = NULL;
    if (!c->brokers)
        return true;
    struct cluster_server *s = log_needed(calloc(1, sizeof(*s)));
    bool good = s && draw(s) && (s->name = strdup(c->cluster_name)) && open_brokers(s, c, why) &&
                open_ways(s, c, why);
    if (good) {
        *ret = s;
        return true;
    }
    if (!why->len)
        text_printf(why, "cluster: no randomness, or no memory");
    cluster_server_free(s);
    return false;
}

void cluster_server_free(struct cluster_server *s)
{
    if (!s)
        return;
    tls_context_unref(s->ways);
    tls_context_unref(s->broker_tls);
    broker_settings_unref(s->brokers);
    free(s->configs);
    free(s->name);
    free(s);
}

bool cluster_server_reload(struct cluster_server *s, const struct config *c, struct text *why)
{
    char reason[WHY_SIZE];
    if (!s || !s->ways || !*c->cluster_key)
        return true;
    struct seal_keys *keys = cluster_way_keys(c, why);
    bool good = keys && tls_context_use_keys(s->ways, keys, reason, sizeof(reason)) == 0;
    if (keys && !good)
        text_printf(why, "cluster-key: %s", reason);
    seal_keys_unref(keys);
    return good;
}

/* ---- a take-over ---- */

enum {
    TAG = 1,
    INSTANCE,
    SINCE_MS,
};

void cluster_server_pack(const struct cluster_server *s, struct pack *p)
{
    pack_number(p, TAG, s->tag);
    pack_slice(p, INSTANCE, slice_make(s->instance, CLUSTER_INSTANCE_LEN));
    pack_number(p, SINCE_MS, s->since_ms);
}

void cluster_server_unpack(struct cluster_server *s, struct slice in)
{
    struct slice instance = packed_slice(in, INSTANCE);
    uint32_t tag = (uint32_t)packed_number(in, TAG);
    if (!tag || instance.len != CLUSTER_INSTANCE_LEN)
        return; /* it was alone */
    s->tag = tag;
    memcpy(s->instance, instance.ptr, CLUSTER_INSTANCE_LEN);
    s->since_ms = packed_number(in, SINCE_MS);
}
