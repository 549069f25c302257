/* SPDX-License-Identifier: MIT */
#include "serve/worker_settings.h"

#include "http/forwarded.h"
#include "proto/channel_frame.h"
#include "serve/descriptors.h"
#include "serve/server.h"

#include <string.h>

/* A session without a program takes no messages, only frames of byte streams: 64 KiB of one. */
#define TCP_MESSAGE_MAX (65536 + CHANNEL_HEAD_SIZE)

void worker_hub_config(const struct config *c, struct hub_config *ret)
{
    *ret = (struct hub_config){
        .topics_max = (uint32_t)c->topics_max,
        .subscriptions_max = (uint32_t)c->subscriptions_max,
        .history_max = (uint32_t)c->topic_history,
        .history_bytes_max = c->topic_history_bytes,
        .linger_ms = (uint32_t)c->topic_linger,
        .message_max = c->topic_message_max,
        .ahead_max = c->topic_backlog,
        .presence_max = (uint32_t)c->presence_max,
        .presence_data_max = c->presence_data_max,
        .presence_grace_ms = (uint32_t)c->presence_grace,
    };
}

struct memory_limits worker_memory_limits(const struct config *c)
{
    return (struct memory_limits){
        .max = c->memory_max ? c->memory_max : memory_of_machine() / 2,
        .per_client = c->memory_per_client,
        .spared_ms = c->message_timeout,
    };
}

/* One body may always be as long as `body-max`. */
struct spool_limits worker_spool_limits(const struct config *c)
{
    uint64_t max = c->spool_max ? c->spool_max : spool_room() / 4;
    uint64_t per_client = c->spool_per_client ? c->spool_per_client : 4 * c->body_max;
    return (struct spool_limits){
        .max = max > c->body_max ? max : c->body_max,
        .per_client = per_client > c->body_max ? per_client : c->body_max,
    };
}

uint32_t worker_share(const struct worker *w, uint64_t all)
{
    return (uint32_t)((all + w->server->worker_count - 1) / w->server->worker_count);
}

static struct http_limits http_limits_of(const struct worker *w, const struct config *c)
{
    return (struct http_limits){
        .head_max = c->head_max,
        .body_max = c->body_max,
        .head_timeout_ms = (uint32_t)c->head_timeout,
        .body_timeout_ms = (uint32_t)c->body_timeout,
        .idle_timeout_ms = (uint32_t)c->idle_timeout,
        .write_timeout_ms = (uint32_t)c->write_timeout,
        .least_rate = c->least_rate,
        .departed_timeout_ms = (uint32_t)c->goodbye_timeout,
        .connections_max = worker_share(w, descriptors_connections(c, w->server->worker_count)),
        .connections_per_client = (uint32_t)c->connections_per_client,
        .quota = w->server->quota,
        .handshakes = c->handshake_rate,
        .rates = w->server->tables.rates,
        .trusts = c->trusted_proxy.count ? proxies_trust : NULL,
        .proxies = &c->proxies,
        .base = http_base_of(slice_of(c->base_path)),
    };
}

static struct program_config program_config_of(const struct config *c)
{
    return (struct program_config){
        .eof_grace_ms = (uint32_t)c->eof_grace,
        .term_grace_ms = (uint32_t)c->term_grace,
        .line_max = (uint32_t)c->message_max,
        .stdio_terminal = !strcmp(c->stdio_output, "terminal"),
        .kinds = c->programs,
        .rights = c->rights,
        .shared_idle_ms = (uint32_t)c->shared_idle,
        .shared_page_max = c->shared_page_max,
        .shared_max = c->shared_max,
    };
}

/* With its seal and its head it is a message too. */
static size_t state_max(const struct config *c)
{
    size_t most = c->message_max - 256;
    return c->state_max < most ? c->state_max : most;
}

static struct page_config page_config_of(const struct worker *w, const struct config *c)
{
    return (struct page_config){
        .answer_timeout_ms = (uint32_t)c->answer_timeout,
        .out_max = (uint32_t)c->window,
        .topic_backlog = c->topic_backlog,
        .rate_programs = w->script_access->config.rate_programs,
        .tcp_sessions_per_client = (uint32_t)c->programs_per_client,
        .shared_per_client = (uint32_t)c->shared_per_client,
        .state_max = state_max(c),
        .restart_every_ms = (uint32_t)(1000 * w->server->worker_count / c->restart_rate),
    };
}

static struct gateway_config gateway_config_of(const struct config *c)
{
    return (struct gateway_config){
        .connect_timeout_ms = (uint32_t)c->tcp_connect_timeout,
        .idle_timeout_ms = (uint32_t)c->tcp_idle_timeout,
        .answer_timeout_ms = (uint32_t)c->answer_timeout,
        .per_client = (uint32_t)c->tcp_per_client,
        .per_origin = (uint32_t)c->tcp_per_origin,
        .per_target = (uint32_t)c->tcp_per_target,
    };
}

static struct session_config session_config_of(struct worker *w, const struct config *c)
{
    return (struct session_config){
        .buffer_max = (uint32_t)c->buffer_max,
        .window = (uint32_t)c->window,
        .message_max = (uint32_t)c->message_max,
        .stream_window = (uint32_t)c->stream_window,
        .streams_max = (uint32_t)c->streams_max,
        .attach_timeout_ms = (uint32_t)c->attach_timeout,
        .detach_timeout_ms = (uint32_t)c->detach_timeout,
        .goodbye_timeout_ms = (uint32_t)c->goodbye_timeout,
        .ping_ms = (uint32_t)c->ping_interval,
        .sealer = &w->sealer,
        .state_age_ms = c->state_age,
    };
}

struct ws_config worker_ws_config(const struct config *c)
{
    return (struct ws_config){
        .message_max = c->message_max,
        .message_window_ms = (uint32_t)c->body_timeout,
        .message_timeout_ms = (uint32_t)c->message_timeout,
        .least_rate = c->least_rate,
        .ping_interval_ms = (uint32_t)c->ping_interval,
        .pong_timeout_ms = (uint32_t)c->ping_interval + 5000,
        .close_timeout_ms = 5000,
        .queue_max = c->buffer_max + c->message_max + 65536,
    };
}

static struct site_config site_config_of(const struct worker *w, const struct config *c)
{
    return (struct site_config){
        .folder_index_max = c->folder_index_max / w->server->worker_count,
        .kept_files_max = c->file_cache_max / w->server->worker_count,
        .served = c->serve.items,
        .served_count = c->serve.count,
        .compressor = w->server->compressor,
    };
}

void worker_settings_use(struct worker *w, const struct config *c)
{
    struct site_config site = site_config_of(w, c);
    if (w->site)
        site_use(w->site, &site);
    w->config = c;
    w->origins = (struct server_origins){c->origins, c->origin.count};
    w->http_limits = http_limits_of(w, c);
    w->program_config = program_config_of(c);
    w->page_config = page_config_of(w, c);
    w->gateway_config = gateway_config_of(c);
    worker_hub_config(c, &w->hub_config);
    w->session_config = session_config_of(w, c);
    w->ws_config = worker_ws_config(c);
    w->tcp_session_config = w->session_config;
    w->tcp_session_config.sealer = NULL; /* there is no program */
    w->tcp_ws_config = w->ws_config;
    if (c->message_max > TCP_MESSAGE_MAX) {
        w->tcp_session_config.message_max = TCP_MESSAGE_MAX;
        w->tcp_ws_config.message_max = TCP_MESSAGE_MAX;
    }
}
