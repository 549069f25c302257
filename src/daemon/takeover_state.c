/* SPDX-License-Identifier: MIT */
/* takeover_state.c - what the server has beside its workers, and the order in which all is taken
 * over: first what other things are known by (the key of hashes, the marks of programs), last what
 * hears of the end of something. */
#include "daemon/takeover.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/pack_kinds.h"
#include "daemon/metrics.h"
#include "net/mark.h"
#include "page/pack.h"
#include "serve/cluster_server.h"
#include "serve/process_limits.h"

#include <stdlib.h>
#include <string.h>

enum {
    WORKERS = 1,
    BEGAN_MS,
    HASH_KEY,
    MARK_SERVER,
    MARK_LAST,
    CGROUP,
    KEEPER_PIPE,
    DESCRIPTORS_NOW,
    DESCRIPTORS_MAX,
    SERVING,
    LISTENERS,
    BANS,
    RATES,
    METRICS,
    STATE_KEY,
    STOOD_MS,
    WORKER,
    CLUSTER,
    SHARED_HASH_KEY,
};

static void pack_process(const struct takeover *t, struct pack *p)
{
    uint64_t key[2];
    hash_process_key(key);
    pack_slice(p, HASH_KEY, slice_make((const char *)key, sizeof(key)));
    if (hash_shared_key(key))
        pack_slice(p, SHARED_HASH_KEY, slice_make((const char *)key, sizeof(key)));
    pack_number(p, MARK_SERVER, mark_server());
    pack_number(p, MARK_LAST, mark_last());
    if (t->daemon->server.cgroup)
        pack_slice(p, CGROUP, slice_of(cgroup_path(t->daemon->server.cgroup)));
    pack_fd(p, KEEPER_PIPE, t->keeper->pipe);
    pack_number(p, DESCRIPTORS_NOW, process_limits_found_descriptors()->rlim_cur);
    pack_number(p, DESCRIPTORS_MAX, process_limits_found_descriptors()->rlim_max);
}

static void pack_server(const struct daemon *d, struct pack *p)
{
    size_t field = pack_begin(p, d->serving ? SERVING : LISTENERS);
    if (d->serving)
        serving_pack(d->serving, p);
    else
        listeners_pack(&d->listeners, p);
    pack_end(p, field);
    bans_pack(d->server.tables.bans, BANS, p);
    rates_pack(d->server.tables.rates, RATES, p);
    seal_keys_pack(d->server.state_keys, STATE_KEY, p);
    if (!d->server.cluster)
        return;
    size_t cluster = pack_begin(p, CLUSTER);
    cluster_server_pack(d->server.cluster, p);
    pack_end(p, cluster);
}

static void pack_metrics(const struct takeover *t, struct pack *p)
{
    struct text text = {0};
    metrics_write(t->daemon, t->admin, &text);
    p->failed |= text.failed;
    pack_slice(p, METRICS, text_slice(&text));
    text_done(&text);
}

void takeover_pack(struct takeover *t, struct pack *p)
{
    struct daemon *d = t->daemon;
    pack_number(p, WORKERS, d->server.worker_count);
    pack_number(p, BEGAN_MS, t->began_ms);
    pack_number(p, STOOD_MS, t->stood_ms);
    pack_process(t, p);
    pack_server(d, p);
    pack_metrics(t, p);
    for (uint16_t i = 0; i < d->server.worker_count; i++) {
        size_t worker = pack_begin(p, WORKER);
        worker_pack(&d->server.workers[i], p);
        pack_end(p, worker);
    }
}

/* ---- read ---- */

void takeover_unpack_process(struct slice in, struct cgroup **ret_cgroup, int *ret_keeper_pipe)
{
    uint64_t key[2];
    char path[4096];
    struct slice packed_key = packed_slice(in, HASH_KEY), cgroup = packed_slice(in, CGROUP);
    struct slice shared_key = packed_slice(in, SHARED_HASH_KEY);
    if (packed_key.len == sizeof(key)) {
        memcpy(key, packed_key.ptr, sizeof(key));
        hash_begin_with(key);
    }
    if (shared_key.len == sizeof(key)) {
        memcpy(key, shared_key.ptr, sizeof(key));
        hash_share(key);
    }
    mark_begin_as(packed_number(in, MARK_SERVER));
    mark_go_on(packed_number(in, MARK_LAST));
    process_limits_found(packed_number(in, DESCRIPTORS_NOW), packed_number(in, DESCRIPTORS_MAX));
    *ret_keeper_pipe = packed_fd(in, KEEPER_PIPE);
    *ret_cgroup = NULL;
    if (!cgroup.len || cgroup.len >= sizeof(path))
        return;
    memcpy(path, cgroup.ptr, cgroup.len);
    path[cgroup.len] = '\0';
    *ret_cgroup = cgroup_of(path);
    if (!*ret_cgroup)
        return;
    cgroup_reopen(*ret_cgroup);
    cgroup_tidy(*ret_cgroup);
}

uint16_t takeover_workers(struct slice in)
{
    return (uint16_t)packed_number(in, WORKERS);
}

bool takeover_unpack_listeners(struct slice in, struct daemon *d)
{
    if (d->serving) {
        serving_unpack(d->serving, packed_slice(in, SERVING));
        return true;
    }
    return listeners_unpack(&d->listeners, packed_slice(in, LISTENERS));
}

/* Without the setting the file is looked for by who we are, which has changed since the start. */
struct seal_keys *takeover_state_keys(struct slice in, const struct config *c)
{
    bool in_file = *c->state_key || *c->cluster_key;
    struct seal_keys *keys = in_file ? NULL : seal_keys_new();
    if (keys && seal_keys_unpack(keys, STATE_KEY, in) && seal_keys_count(keys) > 0)
        return keys;
    seal_keys_unref(keys);
    return NULL;
}

void takeover_unpack_cluster(struct slice in, struct cluster_server *s)
{
    cluster_server_unpack(s, packed_slice(in, CLUSTER));
}

static void each_worker(struct slice in, struct daemon *d,
                        void (*unpack)(struct worker *w, struct slice in))
{
    uint16_t i = 0;
    for (struct packed field; i < d->server.worker_count && packed_next(&in, &field);)
        if (field.tag == WORKER)
            unpack(&d->server.workers[i++], field.value);
}

void takeover_unpack_server(struct slice in, struct daemon *d)
{
    bans_unpack(d->server.tables.bans, packed_slice(in, BANS));
    rates_unpack(d->server.tables.rates, packed_slice(in, RATES));
    d->metrics_before = slice_to_string(packed_slice(in, METRICS));
    each_worker(in, d, worker_unpack_topics);
    each_worker(in, d, worker_unpack);
    for (uint16_t i = 0; i < d->server.worker_count; i++)
        worker_go_on(&d->server.workers[i]);
}

void takeover_say_done(struct slice in, const struct handover *h, const struct daemon *d)
{
    size_t pages = 0;
    loop_refresh(d->server.loop);
    for (uint16_t i = 0; i < d->server.worker_count; i++)
        pages += page_host_count(d->server.workers[i].pages);
    log_info("takeover.done", log_slice("from", h->version), log_text("to", pack_version()),
             log_int("pages", pages), log_int("bytes", h->whole.len),
             log_int("ms", loop_now_ms(d->server.loop) - packed_number(in, BEGAN_MS)),
             log_int("pause_ms", loop_now_ms(d->server.loop) - packed_number(in, STOOD_MS)));
}
