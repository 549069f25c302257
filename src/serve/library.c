/* SPDX-License-Identifier: MIT */
/* library.c - a server of the library: its beginning and its end. */
#include "serve/library.h"

#include "base/log.h"
#include "serve/descriptors.h"
#include "serve/state_key.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define THREADS_MAX      256
#define PEERS_PER_CLIENT 1024
#define END_ROUNDS_MAX   64

/* ---- made ---- */

static bool open_sockets(struct httpsocket_server *s, struct text *why)
{
    const struct config *c = s->server.config;
    const struct listening_wish *failed = NULL;
    struct listening_wish *wishes = log_needed(calloc(c->listen.count, sizeof(*wishes)));
    if (!wishes)
        return false;
    for (size_t i = 0; i < c->listen.count; i++)
        wishes[i] = (struct listening_wish){.role = LISTENING_PAGES,
                                            .name = c->listen.items[i],
                                            .address = c->addresses[i],
                                            .fd_count = s->server.worker_count,
                                            .uid = (uid_t)-1,
                                            .gid = (gid_t)-1};
    int error = listeners_offer(&s->listeners, wishes, c->listen.count, true, &failed);
    if (error)
        text_printf(why, "listen: `%s`: %s", failed ? failed->name : "", strerrordesc_np(-error));
    free(wishes);
    if (!error)
        error = listening_copy(&s->offered, &s->listeners);
    if (!error)
        error = listening_spread(&s->offered, s->server.worker_count);
    if (error && !why->len)
        text_printf(why, "listen: %s", strerrordesc_np(-error));
    return !error;
}

static bool name_addresses(struct httpsocket_server *s)
{
    s->addresses = log_needed(calloc(s->listeners.count + 1, sizeof(*s->addresses)));
    for (size_t i = 0; s->addresses && i < s->listeners.count; i++) {
        char text[NET_ADDRESS_TEXT_MAX];
        size_t len = net_address_print(&s->listeners.items[i]->address, text);
        s->addresses[i] = log_needed(strndup(text, len));
        if (!s->addresses[i])
            return false;
    }
    return s->addresses;
}

static bool open_workers(struct httpsocket_server *s, struct text *why)
{
    int error = 0;
    s->threads = log_needed(calloc(s->server.worker_count, sizeof(*s->threads)));
    if (!s->threads)
        return false;
    for (uint16_t i = 0; i < s->server.worker_count; i++)
        library_thread_init(s, i);
    for (uint16_t i = 0; !error && i < s->server.worker_count; i++) {
        struct worker *w = &s->server.workers[i];
        error = worker_open(w, &s->server, i);
        w->own = &s->threads[i];
        if (!error)
            error = worker_use_listeners(w, &s->offered);
    }
    listening_done(&s->offered);
    if (error)
        text_printf(why, "no loop: %s", strerrordesc_np(-error));
    return !error;
}

/* States of pages are sealed for as long as this server lives, or by the keys of the setting. */
static bool open_keys(struct server *s, struct text *why)
{
    unsigned char key[SEAL_KEY_SIZE];
    if (*s->config->state_key) {
        s->state_keys = state_key_open(s->config, why);
        return s->state_keys;
    }
    s->state_keys = seal_keys_new();
    return s->state_keys && getrandom(key, sizeof(key), 0) == sizeof(key) &&
           seal_keys_add(s->state_keys, key);
}

static bool set_up(struct httpsocket_server *s, struct text *why)
{
    char tls[256] = "";
    if (!server_open_tls(&s->server, tls, sizeof(tls))) {
        text_printf(why, "%s", tls);
        return false;
    }
    if (!open_keys(&s->server, why) || !open_sockets(s, why) || !name_addresses(s) ||
        !open_workers(s, why))
        return false;
    listeners_keep(&s->listeners);
    if (s->options.threads)
        return true;
    int error = embedded_start(&s->embedded, s->server.workers[0].loop);
    if (error)
        text_printf(why, "no clock: %s", strerrordesc_np(-error));
    return !error;
}

static void release(struct httpsocket_server *s)
{
    for (size_t i = 0; s->addresses && s->addresses[i]; i++)
        free(s->addresses[i]);
    free(s->addresses);
    listening_done(&s->offered);
    listeners_done(&s->listeners);
    server_done(&s->server);
    library_routes_done(s);
    free(s->threads);
    free(s);
}

/* What was posted, and what that posts: not for ever. The last round finds the server over. */
static void deliver_rest(struct httpsocket_server *s)
{
    bool more = true;
    for (int round = 0; more && round < END_ROUNDS_MAX; round++) {
        more = false;
        if (round == END_ROUNDS_MAX - 1)
            s->over = true;
        for (uint16_t i = 0; i < s->server.worker_count; i++) {
            struct library_thread *t = &s->threads[i];
            struct library_thread *outer = library_enter(t);
            more |= t->worker->loop && loop_deliver(t->worker->loop);
            library_leave(t, outer);
        }
    }
    s->over = true;
}

static void end_thread(struct library_thread *t)
{
    struct library_thread *outer = library_enter(t);
    if (t->worker->loop) {
        library_timers_done(t);
        library_topics_done(t);
        library_requests_done(t);
        timer_stop(&t->work);
        worker_free(t->worker);
    }
    library_leave(t, outer);
}

/* The loops have ended, or never ran. */
static void take_down(struct httpsocket_server *s)
{
    if (!s->threads)
        return;
    server_stop_workers(&s->server);
    deliver_rest(s);
    embedded_stop(&s->embedded);
    for (uint16_t i = 0; i < s->server.worker_count; i++)
        end_thread(&s->threads[i]);
}

static void thread_ended(struct worker *w)
{
    library_leave(library_thread_of(w), NULL);
}

static void begin_thread(struct worker *w)
{
    struct library_thread *t = library_thread_of(w);
    struct httpsocket_server *s = t->server;
    (void)library_enter(t);
    if (s->options.on_start)
        s->options.on_start(s, w->index);
}

static struct httpsocket_server *make(const struct httpsocket_server_options *options,
                                      struct text *why)
{
    size_t known = options->size < sizeof(*options) ? options->size : sizeof(*options);
    struct httpsocket_server *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    memcpy(&s->options, options, known);
    struct config *config = library_read_options(&s->options, why);
    if (!config) {
        free(s);
        return NULL;
    }
    library_set_up_log(&s->options, config);
    s->options.listen = NULL;
    s->options.settings = NULL;
    if (!s->options.peers_per_client)
        s->options.peers_per_client = PEERS_PER_CLIENT;
    s->pid = getpid();
    s->peers_max = descriptors_peers(config) / config->threads + 1;
    s->server = (struct server){.router = &library_router,
                                .seats = &library_seats,
                                .no_gateway = !s->options.gateway,
                                .worker_begins = begin_thread,
                                .worker_ended = thread_ended};
    int error = server_init(&s->server, config, (uint16_t)config->threads);
    if (!error && set_up(s, why))
        return s;
    take_down(s);
    release(s);
    return NULL;
}

struct httpsocket_server *httpsocket_server_new(const struct httpsocket_server_options *options,
                                                char *why, size_t why_size)
{
    struct text text = {0};
    struct httpsocket_server *s = NULL;
    if (!options || options->size < offsetof(struct httpsocket_server_options, listen))
        text_printf(&text, "options without size");
    else if (options->threads > THREADS_MAX)
        text_printf(&text, "threads: expected at most %d", THREADS_MAX);
    else
        s = make(options, &text);
    if (!s && !text.len)
        text_printf(&text, "out of memory");
    if (why && why_size)
        snprintf(why, why_size, "%.*s", (int)text.len, text.len ? text.ptr : "");
    text_done(&text);
    return s;
}

/* ---- its end ---- */

/* Whoever waits for an answer hears that it has gone. */
static void end_here(struct library_thread *t)
{
    struct library_thread *outer = library_enter(t);
    loop_refresh(library_loop(t));
    worker_drain(t->worker, true);
    while (!t->worker->drained && loop_run(library_loop(t)) == 0)
        continue;
    library_leave(t, outer);
}

void httpsocket_server_free(struct httpsocket_server *s)
{
    if (!s || s->pid != getpid())
        return;
    assert(!library_calls_back(s));  /* not from a callback */
    assert(!atomic_load(&s->calls)); /* not while another thread calls */
    atomic_fetch_add(&s->stops, 1);
    for (uint16_t i = 0; i < s->running; i++)
        worker_post_drain(&s->server.workers[i], true);
    library_join(s);
    for (uint16_t i = 0; i < s->server.worker_count; i++)
        if (!s->server.workers[i].drained)
            end_here(&s->threads[i]);
    take_down(s);
    release(s);
}

/* ---- what it is ---- */

void *httpsocket_server_user(const struct httpsocket_server *s)
{
    return s->options.user;
}

const char *httpsocket_server_address(const struct httpsocket_server *s, unsigned index)
{
    return s && index < s->listeners.count ? s->addresses[index] : NULL;
}

unsigned httpsocket_server_threads(const struct httpsocket_server *s)
{
    return s->server.worker_count;
}

int httpsocket_server_thread(const struct httpsocket_server *s)
{
    const struct library_thread *here = library_here(s);
    return here ? here->worker->index : -1;
}
