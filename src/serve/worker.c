/* SPDX-License-Identifier: MIT */
#include "serve/worker.h"

#include "base/log.h"
#include "dev/dev.h"
#include "serve/access_settings.h"
#include "serve/client_grant.h"
#include "serve/cluster_wiring.h"
#include "serve/halt.h"
#include "serve/handshake.h"
#include "serve/server.h"
#include "serve/shared_policy.h"
#include "serve/wiring.h"
#include "serve/worker_settings.h"

#include <errno.h>
#include <stdlib.h>

#define DRAIN_LOOK_MS       50 /* how often a draining worker looks whether it is empty */
#define DRAIN_RETRY_S       5  /* what its pages are told to wait; */
#define DRAIN_RETRY_NEAR_S  1  /* if another server has room for them, and */
#define DRAIN_BACK_A_SECOND 50 /* how many of a worker come there in a second */
#define ROOT_LOOK_MS        1000
#define KILLED_WAIT_MS      2000

/* ---- listeners ---- */

struct worker_listener {
    struct listener listener;
    struct list node;
    enum listening_role role;
    uint32_t id;  /* of its address */
    size_t index; /* among the descriptors of that address */
};

static void on_stream(struct listener *listener, struct stream *stream)
{
    struct worker *w = listener->owner;
    http_accept(&w->http, stream, listener->peer);
}

static void on_way(struct listener *listener, struct stream *stream)
{
    struct worker *w = listener->owner;
    cluster_node_take(w->cluster, stream);
}

static void on_starved(struct acceptor *acceptor)
{
    struct worker *w = container_of(acceptor, struct listener, acceptor)->owner;
    http_make_room(&w->http);
}

static void stop_listener(struct worker_listener *l)
{
    list_remove(&l->node);
    listener_stop(&l->listener);
    free(l);
}

static int start_listener(struct worker *w, struct listening_place *place, size_t index)
{
    struct worker_listener *l = log_needed(malloc(sizeof(*l)));
    if (!l)
        return -ENOMEM;
    l->id = place->id;
    l->index = index;
    l->role = place->role;
    bool pages = place->role == LISTENING_PAGES;
    int error = listener_start(w->loop, &l->listener, listening_take(place, index),
                               pages ? w->server->tls : w->server->cluster->ways,
                               pages ? on_stream : on_way, w);
    if (error) {
        free(l);
        return error;
    }
    l->listener.acceptor.on_starved = on_starved;
    acceptor_pause(&l->listener.acceptor, w->resting);
    list_append(&w->listeners, &l->node);
    return 0;
}

static bool listens_already(const struct worker *w, uint32_t id, size_t index)
{
    for (const struct list *node = w->listeners.next; node != &w->listeners; node = node->next) {
        const struct worker_listener *l = container_of(node, struct worker_listener, node);
        if (l->id == id && l->index == index)
            return true;
    }
    return false;
}

static void stop_others(struct worker *w, const struct listening_set *set)
{
    for (struct list *next, *node = w->listeners.next; node != &w->listeners; node = next) {
        struct worker_listener *l = container_of(node, struct worker_listener, node);
        bool stays = false;
        next = node->next;
        for (size_t i = 0; i < set->count; i++)
            stays |= set->items[i].id == l->id;
        if (!stays)
            stop_listener(l);
    }
}

void worker_pause_listener(struct list *node, bool paused)
{
    struct worker_listener *l = container_of(node, struct worker_listener, node);
    acceptor_pause(&l->listener.acceptor, paused);
}

/* Ways need what only a server with brokers and keys has: it has to begin anew to have them. */
static bool takes(const struct worker *w, const struct listening_place *place)
{
    return place->role == LISTENING_PAGES ||
           (place->role == LISTENING_WAYS && w->cluster && w->server->cluster->ways);
}

static void tell_where(struct worker *w, const struct listening_set *set)
{
    struct net_address address = {0};
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].role == LISTENING_WAYS)
            address = set->items[i].address;
    cluster_node_listens(w->cluster, &address);
}

int worker_use_listeners(struct worker *w, struct listening_set *set)
{
    int error = 0;
    stop_others(w, set);
    tell_where(w, set);
    for (size_t i = 0; i < set->count; i++) {
        struct listening_place *place = &set->items[i];
        if (!takes(w, place))
            continue;
        for (size_t n = w->index; n < place->fd_count; n += w->server->worker_count) {
            int failed = listens_already(w, place->id, n) ? 0 : start_listener(w, place, n);
            error = error ? error : failed;
        }
    }
    return error;
}

static void stop_listeners(struct worker *w)
{
    while (!list_empty(&w->listeners))
        stop_listener(container_of(w->listeners.next, struct worker_listener, node));
}

/* Other servers still pass on connections of our sessions: so their clients hear how these end. */
static void stop_listening_for_pages(struct worker *w)
{
    for (struct list *next, *node = w->listeners.next; node != &w->listeners; node = next) {
        struct worker_listener *l = container_of(node, struct worker_listener, node);
        next = node->next;
        if (l->role == LISTENING_PAGES)
            stop_listener(l);
    }
}

/* ---- the thread ---- */

static void *run_thread(void *arg)
{
    struct worker *w = arg;
    if (w->server->worker_begins)
        w->server->worker_begins(w);
    int error = loop_run(w->loop);
    while (error == 0 && w->halt) { /* not the end */
        struct halt *halt = w->halt;
        w->halt = NULL;
        halt_stand(halt);
        error = loop_run(w->loop);
    }
    if (error < 0)
        log_error("worker.failed", log_int("worker", w->index), log_errno("error", error));
    w->ended = true;
    if (w->server->worker_ended)
        w->server->worker_ended(w);
    return NULL;
}

static void free_parts(struct worker *w)
{
    script_access_unref(w->script_access);
    session_table_free(w->sessions);
    site_free(w->site);
    loop_free(w->loop);
}

static bool make_script_access(struct worker *w)
{
    struct text why = {0};
    w->script_access =
        script_access_new(w->loop, w->config, &w->server->tables, &w->access_counts, &why);
    if (!w->script_access)
        log_error("access.failed", log_slice("why", text_slice(&why)));
    text_done(&why);
    return w->script_access;
}

static struct access *get_access(struct access_source *source)
{
    struct worker *w = container_of(source, struct worker, access);
    return script_access_get(script_access_ref(w->script_access));
}

static void put_access(struct access_source *source, struct access *access)
{
    (void)source;
    script_access_unref(container_of(access, struct script_access, loop.access));
}

static bool make_parts(struct worker *w)
{
    w->loop = loop_new();
    bool has_root = *w->config->root;
    w->site = w->loop && has_root ? site_new(w->config->root) : NULL;
    w->sessions = session_table_new(w->index, worker_share(w, w->config->sessions_max));
    return w->loop && (w->site || !has_root) && w->sessions;
}

static struct program_host *make_programs(struct worker *w)
{
    struct server *server = w->server;
    return program_host_new(&(struct program_host_spec){
        .loop = w->loop,
        .config = &w->program_config,
        .limits = server->limits,
        .memory = &w->memory,
        .worker_map = server->worker_map,
        .worker = w->index,
        .workers = server->worker_count,
        .server_name = SLICE_LITERAL("httpsocket/" HTTPSOCKET_VERSION),
        .root = w->site ? slice_of(site_root(w->site)) : SLICE_NONE,
        .cgroup = server->cgroup,
        .lines = server->lines ? slice_of(server->lines) : SLICE_NONE,
        .sdk = server->sdk ? slice_of(server->sdk) : SLICE_NONE,
        .watcher = w->dev ? dev_program_watcher(w->dev) : NULL,
    });
}

static struct page_host *make_pages(struct worker *w)
{
    const struct server *server = w->server;
    return page_host_new(&(struct page_host_spec){
        .loop = w->loop,
        .config = &w->page_config,
        .session_config = &w->session_config,
        .ws_config = &w->ws_config,
        .tcp_session_config = &w->tcp_session_config,
        .tcp_ws_config = &w->tcp_ws_config,
        .programs = w->programs,
        .sessions = w->sessions,
        .hub = &w->hub,
        .memory = &w->memory,
        .spool = server->spool,
        .quota = server->quota,
        .rates = server->tables.rates,
        .watcher = w->dev ? dev_page_watcher(w->dev) : NULL,
        .seats = server->seats,
        .worker = w->index,
        .owner = w,
        .on_denied = handshake_denied,
        .on_tcp = server->no_gateway ? NULL : wiring_tcp,
        .hand_over = handshake_hand_over,
    });
}

/* Negative errno. */
static int make_hosts(struct worker *w)
{
    bool wants_dev = w->config->dev;
    errno = ENOMEM;
    if (wants_dev)
        w->dev = dev_new(w->loop, &w->hub);
    w->programs = make_programs(w);
    w->pages = w->programs ? make_pages(w) : NULL;
    if (!w->pages || (wants_dev && !w->dev))
        return -errno;
    if (w->dev)
        dev_own(w->dev, w->pages, w->programs);
    return 0;
}

int worker_open(struct worker *w, struct server *server, uint16_t index)
{
    *w = (struct worker){.server = server, .index = index};
    list_init(&w->grants);
    list_init(&w->listeners);
    list_init(&w->parcels);
    w->config = server->config;
    if (!make_parts(w) || (index == 0 && !shared_policy_open(server, w->loop)) ||
        !make_script_access(w)) {
        int error = errno ? -errno : -ENOMEM;
        if (index == 0)
            policy_stop(server->tables.policy); /* it is in this loop */
        free_parts(w);
        w->loop = NULL;
        return error;
    }
    w->access = (struct access_source){w->loop, get_access, put_access};
    worker_settings_use(w, server->config);
    memory_desk_init(&w->memory, server->memory, w->loop);
    http_server_init(&w->http, w->loop, &w->http_limits, wiring_request, w);
    w->http.access_log = server->access_log;
    w->http.memory = &w->memory;
    w->hub = (struct hub){
        .route = &hub_threads_route,
        .route_end = server->topics,
        .index = index,
        .loop = w->loop,
        .config = &w->hub_config,
        .memory = &w->memory,
    };
    hub_init(&w->hub);
    hub_threads_add(server->topics, index, &w->hub);
    w->gateway = (struct gateway){
        .loop = w->loop,
        .config = &w->gateway_config,
        .access = &w->access,
        .quota = server->quota,
        .memory = &w->memory,
    };
    gateway_init(&w->gateway);
    gateway_trust(&w->gateway, server->targets_trust);
    int error = sealer_use(&w->sealer, server->state_keys);
    error = error ? error : make_hosts(w);
    if (error || !server->cluster)
        return error;
    w->cluster = cluster_node_new(w);
    return w->cluster ? 0 : -ENOMEM;
}

int worker_run(struct worker *w)
{
    return -pthread_create(&w->thread, NULL, run_thread, w);
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
}

void worker_stop(struct worker *w)
{
    if (w->loop)
        hub_stop(&w->hub);
}

void worker_free(struct worker *w)
{
    if (!w->loop)
        return;
    stop_listeners(w);
    loop_turn(w->loop, 0); /* mail that came too late for the thread */
    page_host_free(w->pages);
    program_host_free(w->programs);
    cluster_node_free(w->cluster);
    dev_free(w->dev);
    hub_threads_forget(w->server->topics, w->index);
    hub_done(&w->hub);
    gateway_done(&w->gateway);
    memory_desk_done(&w->memory);
    sealer_done(&w->sealer);
    free_parts(w);
}

/* ---- the root ---- */

/* Programs that run go on in the folder that they were started in. */
static bool follow_root(struct worker *w)
{
    int error;
    if (!w->site)
        return false;
    char *old = log_needed(strdup(site_root(w->site)));
    w->root_looked_ms = loop_now_ms(w->loop);
    bool moved = site_follow(w->site, &error);
    if (moved) {
        program_host_set_root(w->programs, slice_of(site_root(w->site)));
        log_info("site.root_moved", log_text("from", old ? old : ""),
                 log_text("to", site_root(w->site)), log_int("worker", w->index));
    } else if (error && !w->root_gone) {
        log_warn("site.root_gone", log_text("root", w->config->root), log_errno("error", error),
                 log_text("note", "the folder that it was is served"));
    }
    w->root_gone = error != 0;
    free(old);
    return moved;
}

void worker_find(struct worker *w, struct slice path, struct site_found *ret)
{
    if (loop_now_ms(w->loop) - w->root_looked_ms >= ROOT_LOOK_MS)
        follow_root(w);
    site_find(w->site, path, ret);
    if (ret->kind == SITE_NONE && follow_root(w))
        site_find(w->site, path, ret);
}

/* ---- a reload ---- */

/* Requests that are under way keep the script access that they began with. */
static void replace_script_access(struct worker *w, const struct config *config)
{
    struct text why = {0};
    if (access_settings_equal(w->config, config))
        return;
    struct script_access *script_access =
        script_access_new(w->loop, config, &w->server->tables, &w->access_counts, &why);
    if (script_access) {
        script_access_unref(w->script_access);
        w->script_access = script_access;
        client_grants_review(w);
        gateway_review(&w->gateway);
    } else {
        log_error("access.failed", log_slice("why", text_slice(&why)),
                  log_text("note", "the old settings of script access stay"));
    }
    text_done(&why);
}

static void say_restarts(const struct worker *w, size_t pages)
{
    if (pages > 0)
        log_info("server.restarts", log_int("worker", w->index), log_int("pages", pages),
                 log_text("why", "the file has changed"));
}

void worker_use_config(struct worker *w, const struct config *config)
{
    replace_script_access(w, config);
    worker_settings_use(w, config);
    cluster_node_use_config(w->cluster, config);
    follow_root(w);
    w->http.access_log = w->server->access_log;
    gateway_trust(&w->gateway, w->server->targets_trust);
    if (sealer_use(&w->sealer, w->server->state_keys) < 0)
        log_error("state.key_refused", log_int("worker", w->index),
                  log_text("note", "the old keys stay"));
    if (config->restart_changed)
        say_restarts(w, page_host_restart_changed(w->pages));
}

/* ---- its name ---- */

/* A request of HTTP/1.0 may name no host: health checks of proxies do so, and no browser. It is for
 * our first name. */
static void name_host(struct worker *w, struct exchange *x)
{
    char text[ORIGIN_TEXT_SIZE > NET_ADDRESS_TEXT_MAX ? ORIGIN_TEXT_SIZE : NET_ADDRESS_TEXT_MAX];
    struct net_address local;
    struct slice host = SLICE_LITERAL("localhost");
    if (w->origins.count) {
        host = origin_write(&w->origins.list[0], text);
        host = slice_skip(host, slice_find(host, ':') + 3);
    } else if (exchange_local(x, &local) == 0 && local.any.sa_family != AF_UNIX) {
        host = slice_make(text, net_address_print(&local, text));
    }
    exchange_name_host(x, host);
}

/* Where the connection came in is asked only if that may matter: it is a system call. */
bool worker_is_ours(struct worker *w, struct exchange *x, struct origin *ret)
{
    enum origin_scheme scheme = x->secure ? ORIGIN_HTTPS : ORIGIN_HTTP;
    struct net_address local;
    if (!x->host.ptr)
        name_host(w, x);
    if (server_origin_find(&w->origins, scheme, x->host, NULL, ret))
        return true;
    return exchange_local(x, &local) == 0 &&
           server_origin_find(&w->origins, scheme, x->host, &local, ret);
}

/* ---- draining ---- */

static bool is_empty(const struct worker *w)
{
    return page_host_empty(w->pages) && program_host_empty(w->programs) &&
           session_table_count(w->sessions) == 0 && list_empty(&w->http.connections) &&
           cluster_node_empty(w->cluster) &&
           (!w->server->router->empty || w->server->router->empty(w));
}

static void kill_all(struct worker *w)
{
    w->killed = true;
    w->drain_deadline_ms = loop_now_ms(w->loop) + KILLED_WAIT_MS;
    page_host_stop(w->pages);
    program_host_stop(w->programs);
    http_server_stop(&w->http);
    cluster_node_part(w->cluster);
    if (w->server->router->stop)
        w->server->router->stop(w);
}

static void look_whether_empty(struct timer *timer)
{
    struct worker *w = container_of(timer, struct worker, drain_timer);
    bool late = loop_now_ms(w->loop) >= w->drain_deadline_ms;
    if (is_empty(w) || (late && w->killed)) {
        w->drained = true;
        cluster_node_leave(w->cluster);
        loop_stop(w->loop);
        return;
    }
    if (late)
        kill_all(w);
    timer_start(w->loop, &w->drain_timer, DRAIN_LOOK_MS);
}

/* Another server, if there is one, has room for all; else it is this one, started anew. */
static void send_pages_away(struct worker *w)
{
    if (cluster_node_has_other(w->cluster))
        page_host_drain(w->pages, DRAIN_RETRY_NEAR_S, DRAIN_BACK_A_SECOND);
    else
        page_host_drain(w->pages, DRAIN_RETRY_S, 0);
}

void worker_drain(struct worker *w, bool at_once)
{
    if (!w->draining) {
        w->draining = true;
        worker_rest(w, false);
        stop_listening_for_pages(w);
        cluster_node_drain(w->cluster);
        timer_init(&w->drain_timer, look_whether_empty);
        w->drain_deadline_ms = loop_now_ms(w->loop) + w->config->drain_timeout;
        http_server_drain(&w->http);
        gateway_drain(&w->gateway);
        dev_drain(w->dev);
        send_pages_away(w);
        program_host_drain(w->programs);
        if (w->server->router->drain)
            w->server->router->drain(w);
    }
    if (at_once && !w->killed)
        kill_all(w);
    timer_start(w->loop, &w->drain_timer, 1);
}
