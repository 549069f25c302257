/* SPDX-License-Identifier: MIT */
#include "serve/server.h"

#include "base/log.h"
#include "http/compressor.h"
#include "serve/cluster_server.h"
#include "serve/descriptors.h"

#include <errno.h>
#include <stdlib.h>

static bool has_all(const struct server *s)
{
    return s->workers && s->limits && s->quota && s->memory && s->compressor && s->spool &&
           s->worker_map && s->tables.bans && s->tables.rates && s->topics;
}

int server_init(struct server *s, struct config *config, uint16_t workers)
{
    struct memory_limits memory = worker_memory_limits(config);
    struct spool_limits spool = worker_spool_limits(config);
    s->config = config;
    s->worker_count = workers;
    s->workers = log_needed(calloc(workers, sizeof(*s->workers)));
    s->limits =
        program_limits_new(descriptors_programs(config), descriptors_programs_of_client(config));
    s->tables =
        (struct script_access_tables){bans_new(config->bans_max), rates_new(config->rates_max)};
    s->quota = quota_new();
    s->memory = memory_new(&memory);
    s->compressor = compressor_new(config->compressed_max, s->memory);
    s->spool = spool_new(&spool);
    s->worker_map = worker_map_new();
    s->topics = hub_threads_new(workers);
    return has_all(s) ? 0 : -ENOMEM;
}

struct tls_context *server_read_trust(const struct config *c, char *why, size_t why_size)
{
    return tls_context_new_client(*c->tcp_ca ? c->tcp_ca : NULL, false, why, why_size);
}

bool server_open_tls(struct server *s, char *why, size_t why_size)
{
    const struct config *c = s->config;
    s->targets_trust = server_read_trust(c, why, why_size);
    if (!s->targets_trust)
        return false;
    if (!*c->tls_cert)
        return true;
    s->tls = tls_context_new(c->tls_cert, c->tls_key, why, why_size);
    return s->tls;
}

void server_stop_workers(struct server *s)
{
    s->stopped = true;
    for (uint16_t i = 0; s->workers && i < s->worker_count; i++)
        worker_stop(&s->workers[i]);
    policy_stop(s->tables.policy);
}

void server_free_workers(struct server *s)
{
    for (uint16_t i = 0; s->workers && i < s->worker_count; i++)
        worker_free(&s->workers[i]);
}

void server_done(struct server *s)
{
    free(s->workers);
    program_limits_free(s->limits);
    quota_free(s->quota);
    compressor_free(s->compressor);
    memory_free(s->memory);
    spool_free(s->spool);
    hub_threads_free(s->topics);
    worker_map_free(s->worker_map);
    access_log_close(s->access_log);
    policy_free(s->tables.policy);
    bans_free(s->tables.bans);
    rates_free(s->tables.rates);
    tls_context_unref(s->tls);
    tls_context_unref(s->targets_trust);
    seal_keys_unref(s->state_keys);
    cluster_server_free(s->cluster);
    free(s->sdk);
    free(s->lines);
    config_free(s->config);
}
