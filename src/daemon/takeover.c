/* SPDX-License-Identifier: MIT */
#include "daemon/takeover.h"

#include "base/log.h"
#include "base/pack.h"
#include "base/pack_kinds.h"
#include "net/process_tree.h"
#include "serve/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHECK_MS = 20000,
    SAID_MAX = 16384,
    AGAIN_MS = 50,
    TURNS_MAX = 10000 /* of mail between threads that stand still: it comes to an end */
};

/* ---- how it ends ---- */

static void let_go_of_check(struct takeover *t)
{
    timer_stop(&t->timer);
    if (t->check_runs)
        process_signal(&t->check, SIGKILL); /* its end is still waited for */
    if (t->said_open)
        io_close(&t->said);
}

static void be_idle(struct takeover *t)
{
    if (t->inputs >= 0)
        close(t->inputs);
    t->inputs = -1;
    t->state = TAKEOVER_IDLE;
    text_done(&t->text);
    if (t->wanted)
        timer_start(t->daemon->server.loop, &t->timer, AGAIN_MS);
}

static void refuse(struct takeover *t, struct slice why)
{
    log_error("takeover.refused", log_text("file", handover_file()), log_slice("why", why),
              log_text("note", "this version goes on"));
    let_go_of_check(t);
    be_idle(t);
}

static void rest(struct takeover *t, bool rests)
{
    if (t->admin->listening)
        http_server_rest(&t->admin->admin.server, rests);
}

/* By mail: their threads run. */
static void stop_resting(struct takeover *t)
{
    rest(t, false);
    for (uint16_t i = 0; i < t->daemon->server.worker_count; i++)
        worker_post_rest_end(&t->daemon->server.workers[i]);
}

void takeover_cancel(struct takeover *t)
{
    t->wanted = false;
    if (t->state == TAKEOVER_IDLE)
        return;
    if (t->state == TAKEOVER_RESTING)
        stop_resting(t);
    refuse(t, SLICE_LITERAL("the server ends"));
}

/* ---- the threads stand still ---- */

/* What they have sent to each other is delivered: nothing is on its way then. */
static void settle_mail(struct daemon *d)
{
    bool any = true;
    for (int turn = 0; any && turn < TURNS_MAX; turn++) {
        any = loop_deliver(d->server.loop);
        for (uint16_t i = 0; i < d->server.worker_count; i++)
            any |= loop_deliver(d->server.workers[i].loop);
    }
}

static char **arguments(const struct daemon *d, const char *added)
{
    char **argv = log_needed(calloc((size_t)d->argc + 2, sizeof(*argv)));
    int count = 0;
    if (!argv)
        return NULL;
    argv[count++] = d->argv[0];
    if (added)
        argv[count++] = (char *)added;
    for (int i = 1; i < d->argc; i++)
        argv[count++] = d->argv[i];
    return argv;
}

static int execute(struct takeover *t)
{
    struct daemon *d = t->daemon;
    struct pack p = {0};
    takeover_pack(t, &p);
    int error = p.failed ? -ENOMEM : 0;
    if (!error && d->serving)
        error = serving_name(d->serving);
    if (!error) {
        if (d->serving)
            serving_hand_over(d->serving, t->inputs);
        log_info("takeover.begins", log_text("file", handover_file()), log_int("bytes", p.out.len),
                 log_int("descriptors", p.fd_count));
        log_stop();
        rights_carry(true);
        error = handover_execute(handover_file(), d->argv, HANDOVER_SERVES, t->inputs, &p);
        rights_carry(false);
        log_start();
    }
    serving_unname();
    pack_done(&p);
    return error;
}

/* Nothing has changed by what was done so far, if it fails. */
static void replace(struct takeover *t)
{
    struct daemon *d = t->daemon;
    if (d->workers_running < d->server.worker_count) { /* one would not come to stand */
        stop_resting(t);
        refuse(t, SLICE_LITERAL("a worker has failed"));
        return;
    }
    loop_refresh(d->server.loop);
    t->stood_ms = loop_now_ms(d->server.loop);
    for (uint16_t i = 0; i < d->server.worker_count; i++)
        worker_post_halt(&d->server.workers[i], &t->halt);
    halt_wait(&t->halt, d->server.worker_count);
    if (t->admin->listening)
        http_server_part(&t->admin->admin.server);
    settle_mail(d);
    int error = d->draining ? -ECANCELED : execute(t);
    log_error("takeover.failed", log_text("file", handover_file()), log_errno("error", error),
              log_text("note", "this version goes on"));
    halt_release(&t->halt);
    if (d->serving)
        serving_say(d->serving, IPC_READY, d->server.tls != NULL);
    stop_resting(t);
    be_idle(t);
}

static void on_worker_rests(struct server *server)
{
    struct daemon *d = daemon_of(server);
    struct takeover *t = daemon_takeover(d);
    if (t->state == TAKEOVER_RESTING && --t->waits == 0)
        timer_start(d->server.loop, &t->timer,
                    0); /* not from inside of mail: all of that is settled */
}

static void begin_resting(struct takeover *t)
{
    struct daemon *d = t->daemon;
    t->state = TAKEOVER_RESTING;
    t->waits = d->server.worker_count;
    log_info("takeover.rests", log_text("file", handover_file()));
    rest(t, true);
    for (uint16_t i = 0; i < d->server.worker_count; i++)
        worker_post_rest(&d->server.workers[i], (uint32_t)d->server.config->takeover_timeout,
                         on_worker_rests);
}

/* ---- the check ---- */

/* The first line that was printed says what was wrong. */
static struct slice first_line(struct slice text)
{
    while (text.len > 0 && (*text.ptr == '\n' || *text.ptr == '='))
        text = slice_skip(text, 1);
    return slice_first(text, slice_find(text, '\n'));
}

static void judge(struct takeover *t)
{
    struct text why = {0};
    if (t->check_runs || t->said_open || t->state != TAKEOVER_CHECKING)
        return;
    timer_stop(&t->timer);
    if (t->check_status != 0)
        text_printf(
            &why, "it ended with %s %d: %.*s", WIFSIGNALED(t->check_status) ? "signal" : "status",
            WIFSIGNALED(t->check_status) ? WTERMSIG(t->check_status) : WEXITSTATUS(t->check_status),
            SLICE_ARG(slice_first(first_line(text_slice(&t->text)), 200)));
    else
        pack_kinds_fit(text_slice(&t->text), &why);
    if (why.len || why.failed)
        refuse(t, text_slice(&why));
    else
        begin_resting(t);
    text_done(&why);
}

static void on_said(struct io *io, struct bytes data)
{
    struct takeover *t = container_of(io, struct takeover, said);
    if (t->text.len < SAID_MAX)
        text_put(&t->text, slice_first(slice_from_bytes(data), SAID_MAX - t->text.len));
}

static void on_said_end(struct io *io, int error)
{
    (void)error;
    io_close(io);
}

static void on_said_gone(struct io *io)
{
    struct takeover *t = container_of(io, struct takeover, said);
    t->said_open = false;
    judge(t);
}

static const struct io_ops said_ops = {on_said, on_said_end, NULL, on_said_gone};

static void on_check_exit(struct process *p, int status)
{
    struct takeover *t = container_of(p, struct takeover, check);
    t->check_runs = false;
    t->check_status = status;
    judge(t);
}

static int run_check(struct takeover *t, int null, int out)
{
    char **argv = arguments(t->daemon, "--check-takeover");
    if (!argv)
        return -ENOMEM;
    struct process_rights rights = {.may_gain = true};
    struct process_spec spec = {
        .path = handover_file(),
        .argv = argv,
        .envp = environ,
        .directory = ".",
        .fds = (const int[]){null, out, out, t->inputs},
        .fd_count = TAKEOVER_CHECK_INPUTS + 1,
        .rights = &rights,
    };
    int error = process_start(t->daemon->server.loop, &t->check, &spec, on_check_exit);
    free(argv);
    if (error)
        return error;
    t->check_runs = true;
    process_tree_spare(t->check.pid); /* orphans are reaped by this thread, too */
    return 0;
}

static int start_check(struct takeover *t)
{
    int ends[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    t->inputs = memfd_create("httpsocketd-inputs", MFD_CLOEXEC);
    int error = null < 0 || t->inputs < 0 || pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
    if (!error) {
        error = io_open(t->daemon->server.loop, &t->said, ends[0], &said_ops, false);
        t->said_open = !error;
        if (error)
            close(ends[0]);
        else
            error = run_check(t, null, ends[1]);
        close(ends[1]);
    }
    if (null >= 0)
        close(null);
    return error;
}

/* Why it can't be now, or NULL. */
static const char *obstacle(const struct takeover *t)
{
    const struct daemon *d = t->daemon;
    if (d->draining)
        return "the server ends";
    if (d->server.config->dev)
        return "with --dev nothing is taken over: start it anew";
    if (!process_children_outlive_threads())
        return "nobody ends the programs if the server is killed (server.no_keeper)";
    return NULL;
}

void takeover_begin(struct takeover *t)
{
    const char *why = obstacle(t);
    if (t->state != TAKEOVER_IDLE || t->check_runs || t->said_open || t->daemon->config_old) {
        t->wanted = true; /* after that one; or when a reload is over */
        if (t->state == TAKEOVER_IDLE)
            timer_start(t->daemon->server.loop, &t->timer, AGAIN_MS);
        return;
    }
    t->wanted = false;
    t->began_ms = loop_now_ms(t->daemon->server.loop);
    if (why) {
        refuse(t, slice_of(why));
        return;
    }
    t->state = TAKEOVER_CHECKING;
    timer_start(t->daemon->server.loop, &t->timer, CHECK_MS);
    int error = start_check(t);
    if (error)
        refuse(t, slice_of(strerror(-error)));
}

static void on_timer(struct timer *timer)
{
    struct takeover *t = container_of(timer, struct takeover, timer);
    switch (t->state) {
    case TAKEOVER_IDLE:
        takeover_begin(t);
        return;
    case TAKEOVER_CHECKING:
        refuse(t, SLICE_LITERAL("it did not answer in time"));
        return;
    case TAKEOVER_RESTING:
        replace(t);
        return;
    }
}

void takeover_init(struct takeover *t, struct daemon *d, struct admin_server *admin,
                   struct keeper *keeper)
{
    *t = (struct takeover){.daemon = d, .admin = admin, .keeper = keeper, .inputs = -1};
    timer_init(&t->timer, on_timer);
    halt_init(&t->halt);
}

/* ---- in the process that takes over ---- */

bool takeover_take(struct handover *ret, bool *ret_failed)
{
    struct text why = {0};
    *ret_failed = false;
    if (getenv(HANDOVER_SERVES))
        prctl(PR_SET_DUMPABLE, 0); /* before anything else: the state has all secrets */
    int error = handover_take(HANDOVER_SERVES, ret, &why);
    if (error && error != -ENOENT) {
        *ret_failed = true;
        log_error("takeover.failed", log_slice("why", text_slice(&why)));
    }
    text_done(&why);
    return !error;
}
