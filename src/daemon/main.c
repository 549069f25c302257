/* SPDX-License-Identifier: MIT */
/* main.c - httpsocketd: reads its settings, then supervises a process of the same file that reads
 * them again and serves; with --no-supervisor it serves. */
#include "base/heap.h"
#include "base/input_file.h"
#include "base/pack_kinds.h"
#include "daemon/arguments.h"
#include "daemon/daemon.h"
#include "daemon/keeper.h"
#include "daemon/reload.h"
#include "daemon/sockets.h"
#include "daemon/takeover.h"
#include "serve/descriptors.h"
#include "serve/rights.h"
#include "serve/state_key.h"
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static int print_help(void)
{
    struct text text = {0};
    arguments_help(&text);
    printf("%.*s", SLICE_ARG(text_slice(&text)));
    text_done(&text);
    return 0;
}

static bool complain(const char *why)
{
    fprintf(stderr, "httpsocketd: %s\n", why);
    return false;
}

static bool check_root(const struct config *c)
{
    struct site *site = site_new(c->root);
    if (!site)
        fprintf(stderr, "httpsocketd: root: `%s`: %s\n", c->root, strerror(errno));
    site_free(site);
    return site;
}

static bool check_certificate(const struct config *c)
{
    char why[256];
    if (!*c->tls_cert)
        return true;
    struct tls_context *tls = tls_context_new(c->tls_cert, c->tls_key, why, sizeof(why));
    tls_context_unref(tls);
    return tls || complain(why);
}

static bool check_trust(const struct config *c)
{
    char why[256];
    struct tls_context *trust = server_read_trust(c, why, sizeof(why));
    tls_context_unref(trust);
    return trust || complain(why);
}

static bool check_broker_tls(const struct config *c)
{
    char why[256];
    if (!c->brokers || !broker_settings_use_tls(c->brokers))
        return true;
    struct tls_context *tls = broker_settings_tls(c, why, sizeof(why));
    tls_context_unref(tls);
    return tls || complain(why);
}

static bool check_script_access(const struct config *c)
{
    struct text fault = {0};
    bool good = script_access_try(c, &fault);
    if (!good)
        fprintf(stderr, "httpsocketd: %.*s\n", SLICE_ARG(text_slice(&fault)));
    text_done(&fault);
    return good;
}

static bool check_state_key(const struct config *c)
{
    struct text fault = {0};
    bool good = state_key_check(c, &fault);
    if (!good)
        fprintf(stderr, "httpsocketd: state-key: %.*s\n", SLICE_ARG(text_slice(&fault)));
    text_done(&fault);
    return good;
}

/* Checks folders and files, which config_check() does not see. Prints all that is wrong with them.
 */
static bool check_files(const struct config *c)
{
    bool root = check_root(c), certificate = check_certificate(c), trust = check_trust(c);
    bool state_key = check_state_key(c), brokers = check_broker_tls(c);
    return check_script_access(c) && brokers && root && certificate && trust && state_key;
}

static int check(struct config *c)
{
    bool good = check_files(c);
    config_free(c);
    if (good)
        printf("the configuration is good\n");
    return good ? 0 : 2;
}

static bool check_access_log(const struct config *c)
{
    struct access_log *log;
    bool good = reload_open_access_log(c, &log);
    access_log_close(log);
    return good;
}

/* Tried for real: this process ends in a moment. */
static bool check_rights(const struct config *c)
{
    struct text why = {0};
    bool good = rights_drop(c, false, &why);
    if (!good)
        fprintf(stderr, "httpsocketd: %.*s\n", SLICE_ARG(text_slice(&why)));
    text_done(&why);
    return good;
}

static bool check_copies(void)
{
    return input_copies_whole() || complain("the files can't be copied: no memory");
}

/* Settings and files are good; prints what this version reads of others. */
static int check_takeover(struct config *c)
{
    struct text kinds = {0};
    bool good = check_files(c) && check_rights(c) && check_access_log(c) && check_copies();
    config_free(c);
    pack_kinds_print(&kinds);
    if (good && !kinds.failed)
        printf("%.*s", SLICE_ARG(text_slice(&kinds)));
    good = good && !kinds.failed;
    text_done(&kinds);
    return good ? 0 : 2;
}

/* The check of a take-over writes down what it reads; who takes over reads that. */
static void find_inputs(int argc, char **argv)
{
    bool checks = argc > 1 && !strcmp(argv[1], "--check-takeover");
    if (!checks)
        input_copies_use(handover_inputs());
    else if (fcntl(TAKEOVER_CHECK_INPUTS, F_GET_SEALS) >= 0) /* not by hand */
        input_copies_write(TAKEOVER_CHECK_INPUTS);
}

static int serve(struct config *c, int argc, char **argv, struct serving *serving)
{
    struct handover before;
    bool failed, takes_over = takeover_take(&before, &failed);
    mallopt(M_MMAP_THRESHOLD, HEAP_MAPPED_MIN);
    if (!failed && (takes_over || check_files(c))) /* a moment ago it was good */
        return daemon_run(c, argc, argv, serving, takes_over ? &before : NULL);
    config_free(c);
    return 2;
}

static int serve_supervised(struct config *c, int argc, char **argv, struct serving *serving)
{
    int status = serve(c, argc, argv, serving);
    serving_say(serving, IPC_ENDS, status);
    return status;
}

/* ---- in the supervisor ---- */

struct supervised {
    int argc;
    char **argv;
    struct config *config; /* that was read last */
    struct listening_wish *wishes;
    bool fresh; /* read at the start, and not used yet */
};

static void forget_config(struct supervised *s)
{
    free(s->wishes);
    config_free(s->config);
    s->wishes = NULL;
    s->config = NULL;
}

static bool read_again(struct supervised *s)
{
    struct text why = {0};
    enum command command;
    forget_config(s);
    s->config = arguments_read(s->argc, s->argv, &command, &why);
    if (!s->config)
        log_error("config.refused", log_slice("why", text_slice(&why)));
    text_done(&why);
    return s->config;
}

static bool find_wishes(void *arg, const struct listening_wish **ret, size_t *ret_count)
{
    struct supervised *s = arg;
    if (!s->fresh && !read_again(s))
        return false;
    s->fresh = false;
    s->wishes = sockets_wishes(s->config, ret_count);
    *ret = s->wishes;
    return s->wishes;
}

static void say_ready(void *arg, const struct listeners *l, bool secure)
{
    (void)arg;
    sockets_print(l, secure);
}

static int supervise(struct config *c, int argc, char **argv)
{
    struct supervised s = {.argc = argc, .argv = argv, .config = c, .fresh = true};
    input_copies_done();
    reload_apply_log(c);
    log_never_wait();
    prctl(PR_SET_DUMPABLE, c->core_dumps); /* there are tokens in the settings */
    int status = supervisor_run(&(struct supervisor_spec){
        .argv = argv,
        .wishes = find_wishes,
        .ready = say_ready,
        .arg = &s,
        .hangup_reloads = c->file,
    });
    cgroup_sweep(getpid());
    forget_config(&s);
    return status;
}

/* Who takes over is what the process before was, whatever the settings say now. */
static bool serves_alone(const struct config *c)
{
    bool alone = c->no_supervisor;
    if (handover_is(HANDOVER_SERVES) || handover_is(HANDOVER_SUPERVISES))
        alone = handover_is(HANDOVER_SERVES);
    if (alone != c->no_supervisor)
        log_warn("config.needs_restart", log_text("settings", "no-supervisor"));
    return alone;
}

static int serve_or_supervise(struct config *c, int argc, char **argv, struct serving *serving)
{
    if (serving)
        return serve_supervised(c, argc, argv, serving);
    return serves_alone(c) ? serve(c, argc, argv, NULL) : supervise(c, argc, argv);
}

static int complain_of_usage(struct text *why, struct serving *serving)
{
    fprintf(stderr, "httpsocketd: %.*s\n", SLICE_ARG(text_slice(why)));
    fprintf(stderr, "Try `httpsocketd --help`.\n");
    text_done(why);
    if (serving)
        serving_say(serving, IPC_ENDS, 2);
    return 2;
}

int main(int argc, char **argv)
{
    signal(SIGUSR2, SIG_IGN); /* until somebody reads it: by itself it would end the process */
    keeper_live(argv);
    handover_file_init();
    descriptors_open_first();
    find_inputs(argc, argv);
    struct serving side, *serving = serving_begin(&side) ? &side : NULL;
    struct text why = {0};
    enum command command;
    struct config *c = arguments_read(argc, argv, &command, &why);
    if (!c && command == COMMAND_HELP)
        return print_help();
    if (!c)
        return complain_of_usage(&why, serving);
    switch (command) {
    case COMMAND_SERVE:
        return serve_or_supervise(c, argc, argv, serving);
    case COMMAND_CHECK:
        return check(c);
    case COMMAND_CHECK_TAKEOVER:
        return check_takeover(c);
    case COMMAND_HELP:
        config_free(c);
        return print_help();
    case COMMAND_VERSION:
        config_free(c);
        printf("httpsocketd %s\n", pack_version());
        return 0;
    }
}
