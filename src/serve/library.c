/* SPDX-License-Identifier: MIT */
/* library.c - a server of the library: its options, its beginning and end, its threads. */
#include "serve/library.h"

#include "base/log.h"
#include "serve/state_key.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define THREADS_MAX      256
#define PEERS_PER_CLIENT 1024
#define END_ROUNDS_MAX   64

/* ---- where this code runs ---- */

static _Thread_local struct library_thread *current;

struct library_thread *library_here(const struct httpsocket_server *s)
{
    if (current && current->server == s)
        return current;
    bool ours = s->options.threads == 0 && s->begun && pthread_equal(s->home, pthread_self());
    return ours ? &s->threads[0] : NULL;
}

static void on_work(struct timer *timer)
{
    (void)timer; /* the turn itself is what was wanted */
}

void library_wake(struct library_thread *t)
{
    struct loop *loop = library_loop(t);
    if (t->running || t->server->options.threads)
        return;
    loop_refresh(loop);
    if (!timer_active(&t->work))
        timer_start(loop, &t->work, 0);
    embedded_set(&t->server->embedded);
}

static struct library_thread *enter(struct library_thread *t)
{
    struct library_thread *outer = current;
    assert(!t->running); /* not from a callback */
    t->running = true;
    current = t;
    return outer;
}

static void leave(struct library_thread *t, struct library_thread *outer)
{
    t->running = false;
    current = outer;
}

/* ---- options ---- */

/* Settings that are httpsocketd's alone: of page programs, processes, the admin listener; of the
 * whole process, whose other loops they would change; and what the options say. */
static const char *const not_here[] = {
    "listen",
    "threads",
    "root",
    "serve",
    "folder-index-max",
    "sdk",
    "user",
    "group",
    "no-supervisor",
    "admin",
    "admin-host",
    "access-log",
    "access-log-format",
    "dev",
    "core-dumps",
    "stdio",
    "stdio-files",
    "stdio-subprotocol",
    "stdio-output",
    "shared",
    "shared-per-client",
    "shared-idle",
    "shared-page-max",
    "shared-max",
    "programs-max",
    "programs-per-client",
    "run-as",
    "program-limits",
    "program-setuid",
    "cgroups",
    "restart-rate",
    "restart-changed",
    "eof-grace",
    "term-grace",
    "takeover-timeout",
    "drain-timeout",
    "publish-token",
    "publish-max",
    "rate-publish",
    "rate-programs",
    "io",
};

static bool is_elsewhere(const char *name)
{
    for (size_t i = 0; i < sizeof(not_here) / sizeof(*not_here); i++)
        if (strcmp(not_here[i], name) == 0)
            return true;
    return false;
}

/* "NAME=VALUE". The first value of a list replaces the default. */
static bool read_setting(struct config *c, const char *const *all, size_t i, struct text *why)
{
    char name[64];
    size_t len = strcspn(all[i], "=");
    if (!all[i][len] || len >= sizeof(name)) {
        text_printf(why, "settings: expected NAME=VALUE, not `%s`", all[i]);
        return false;
    }
    memcpy(name, all[i], len);
    name[len] = '\0';
    if (config_known(name) && is_elsewhere(name)) {
        text_printf(why, "settings: `%s` is httpsocketd's alone", name);
        return false;
    }
    bool fresh = true;
    for (size_t k = 0; k < i; k++)
        fresh &= strncmp(all[k], all[i], len + 1) != 0;
    return config_set(c, name, all[i] + len + 1, fresh, why);
}

static bool has_setting(const struct httpsocket_server_options *o, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; o->settings && o->settings[i]; i++)
        if (strncmp(o->settings[i], name, len) == 0 && o->settings[i][len] == '=')
            return true;
    return false;
}

static bool read_listen(struct config *c, const char *listen, struct text *why)
{
    bool fresh = true;
    for (const char *at = listen; at && *at;) {
        size_t len = strcspn(at, " ");
        char *word = len ? strndup(at, len) : NULL;
        if (len && !word)
            return false;
        bool good = !word || config_set(c, "listen", word, fresh, why);
        fresh &= !word;
        free(word);
        if (!good)
            return false;
        at += len + (at[len] == ' ');
    }
    return true;
}

/* Nothing of this is in a library: no folder, no helpers of programs. */
static bool leave_out(struct config *c)
{
    free(c->root);
    c->root = strdup("");
    return c->root;
}

static struct config *read_options(const struct httpsocket_server_options *o, struct text *why)
{
    struct config *c = config_new();
    bool good = c && leave_out(c) && read_listen(c, o->listen, why);
    if (good)
        c->threads = o->threads ? o->threads : 1;
    for (size_t i = 0; good && o->settings && o->settings[i]; i++)
        good = read_setting(c, o->settings, i, why);
    if (good && config_check(c, why))
        return c;
    config_free(c);
    if (!why->len)
        text_printf(why, "out of memory");
    return NULL;
}

static void set_up_log(const struct httpsocket_server_options *o, const struct config *c)
{
    enum log_level level = LOG_NOTHING;
    if (!has_setting(o, "log-level")) {
        log_silence();
        return;
    }
    log_level_parse(slice_of(c->log_level), &level);
    log_setup(level, strcmp(c->log_format, "json") ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
}

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

static void init_thread(struct httpsocket_server *s, uint16_t i)
{
    struct library_thread *t = &s->threads[i];
    *t = (struct library_thread){.server = s, .worker = &s->server.workers[i]};
    list_init(&t->requests);
    list_init(&t->peers);
    list_init(&t->timers);
    timer_init(&t->work, on_work);
}

static bool open_workers(struct httpsocket_server *s, struct text *why)
{
    int error = 0;
    s->threads = log_needed(calloc(s->server.worker_count, sizeof(*s->threads)));
    if (!s->threads)
        return false;
    for (uint16_t i = 0; i < s->server.worker_count; i++)
        init_thread(s, i);
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
            struct library_thread *outer = enter(t);
            more |= t->worker->loop && loop_deliver(t->worker->loop);
            leave(t, outer);
        }
    }
    s->over = true;
}

static void end_thread(struct library_thread *t)
{
    struct library_thread *outer = enter(t);
    if (t->worker->loop) {
        library_timers_done(t);
        library_topics_done(t);
        library_requests_done(t);
        timer_stop(&t->work);
        worker_free(t->worker);
    }
    leave(t, outer);
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
    leave(library_thread_of(w), NULL);
}

static void begin_thread(struct worker *w)
{
    struct library_thread *t = library_thread_of(w);
    struct httpsocket_server *s = t->server;
    (void)enter(t);
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
    struct config *config = read_options(&s->options, why);
    if (!config) {
        free(s);
        return NULL;
    }
    set_up_log(&s->options, config);
    s->options.listen = NULL;
    s->options.settings = NULL;
    if (!s->options.peers_per_client)
        s->options.peers_per_client = PEERS_PER_CLIENT;
    s->pid = getpid();
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

/* ---- SIGPIPE: what sendfile(2) may raise in a thread that is not ours ---- */

struct pipe_guard {
    bool on, was_pending;
    sigset_t mask;
};

static void guard_pipe(const struct httpsocket_server *s, struct pipe_guard *g)
{
    sigset_t set, pending;
    *g = (struct pipe_guard){.on = s->has_folders};
    if (!g->on)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigpending(&pending);
    g->was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &g->mask);
}

static void unguard_pipe(const struct pipe_guard *g)
{
    static const struct timespec now;
    sigset_t set;
    if (!g->on)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    while (!g->was_pending && sigtimedwait(&set, NULL, &now) == SIGPIPE)
        continue;
    pthread_sigmask(SIG_SETMASK, &g->mask, NULL);
}

/* ---- running ---- */

static void begin(struct httpsocket_server *s)
{
    s->home = pthread_self();
    if (s->begun)
        return;
    s->begun = true;
    if (s->options.threads == 0 && s->options.on_start)
        s->options.on_start(s, 0);
}

/* Signals are for the program's own threads. */
static int start_threads(struct httpsocket_server *s)
{
    sigset_t all, mask;
    int error = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    for (uint16_t i = 0; !error && i < s->server.worker_count; i++) {
        error = worker_run(&s->server.workers[i]);
        if (!error)
            s->running++;
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return error;
}

int httpsocket_server_start(struct httpsocket_server *s)
{
    if (!s->options.threads)
        return -EINVAL;
    if (s->begun)
        return -EBUSY;
    begin(s);
    int error = start_threads(s);
    if (error)
        httpsocket_server_stop(s, 0);
    return error;
}

static void join(struct httpsocket_server *s)
{
    while (s->running)
        worker_join(&s->server.workers[--s->running]);
}

static int run_here(struct httpsocket_server *s)
{
    struct pipe_guard guard;
    struct library_thread *t = &s->threads[0], *outer;
    if (t->worker->drained)
        return 0;
    guard_pipe(s, &guard);
    outer = enter(t);
    begin(s);
    int error = loop_run(library_loop(t));
    leave(t, outer);
    unguard_pipe(&guard);
    return error;
}

int httpsocket_server_run(struct httpsocket_server *s)
{
    assert(!current || current->server != s); /* not from a callback */
    if (!s->options.threads)
        return run_here(s);
    int error = s->begun ? 0 : httpsocket_server_start(s);
    join(s);
    return error;
}

int httpsocket_server_process(struct httpsocket_server *s, int timeout_ms)
{
    struct pipe_guard guard;
    struct library_thread *t = &s->threads[0], *outer;
    if (s->options.threads)
        return -EINVAL;
    if (t->worker->drained)
        return 1;
    guard_pipe(s, &guard);
    outer = enter(t);
    begin(s);
    int error = embedded_turn(&s->embedded, timeout_ms);
    leave(t, outer);
    unguard_pipe(&guard);
    return error ? error : t->worker->drained;
}

int httpsocket_server_fd(const struct httpsocket_server *s)
{
    return s->options.threads ? -EINVAL : loop_fd(s->server.workers[0].loop);
}

void httpsocket_server_stop(struct httpsocket_server *s, unsigned timeout_ms)
{
    unsigned before = atomic_fetch_add(&s->stops, 1);
    if (before > 1)
        return;
    if (before == 0)
        s->server.config->drain_timeout = timeout_ms;
    for (uint16_t i = 0; i < s->server.worker_count; i++)
        worker_post_drain(&s->server.workers[i], before == 1 || timeout_ms == 0);
}

/* Whoever waits for an answer hears that it has gone. */
static void end_here(struct library_thread *t)
{
    struct library_thread *outer = enter(t);
    loop_refresh(library_loop(t));
    worker_drain(t->worker, true);
    while (!t->worker->drained && loop_run(library_loop(t)) == 0)
        continue;
    leave(t, outer);
}

void httpsocket_server_free(struct httpsocket_server *s)
{
    if (!s || s->pid != getpid())
        return;
    assert(!current || current->server != s); /* not from a callback */
    assert(!atomic_load(&s->calls));          /* not while another thread calls */
    atomic_fetch_add(&s->stops, 1);
    for (uint16_t i = 0; i < s->running; i++)
        worker_post_drain(&s->server.workers[i], true);
    join(s);
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
    return index < s->listeners.count ? s->addresses[index] : NULL;
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
