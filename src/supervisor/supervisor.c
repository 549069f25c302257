/* SPDX-License-Identifier: MIT */
#include "supervisor/supervisor.h"

#include "base/log.h"
#include "supervisor/activation.h"
#include "supervisor/answer.h"
#include "supervisor/handover.h"
#include "supervisor/leftovers.h"
#include "supervisor/notify.h"
#include "supervisor/start.h"
#include "supervisor/terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_DELAY_MS = 100, /* before the second start in a row; the first one is at once */
    LAST_DELAY_MS = 10000,
    CALM_MS = 60000,    /* after so long a crash is the first of its row again */
    TRIES_AT_START = 5, /* of a server that was never ready */
    STUCK_MS = 15000    /* a serving process that was told to end at once */
};

enum state {
    WAITING,
    STARTING,
    SERVING
};

struct supervisor {
    const struct supervisor_spec *spec;
    struct start_spec start;
    struct terminal terminal;
    struct listeners listeners;
    int signals;
    enum state state;
    pid_t pid;   /* of the serving process; 0: none */
    int channel; /* -1: closed by the other end */
    uint64_t started_ms, start_at_ms;
    struct leftovers leftovers;
    unsigned crashes; /* in a row */
    bool was_ready, has_crashed;
    bool told_end; /* the serving process has said that it ends by itself */
    /* Orders that the serving process has not been sent yet. */
    unsigned drains;
    bool reload, upgrade;
    bool taken_over; /* the serving process has, and is not ready yet */
    bool upgrading;  /* somebody has asked for it: only then does this process follow */
    bool ending;
    uint64_t stuck_at_ms; /* 0: not told to end at once */
    bool over;
    int status;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- orders ---- */

static bool send_order(struct supervisor *s, enum ipc_kind kind)
{
    struct ipc_message m = {.kind = kind};
    return ipc_send(s->channel, &m) != -EAGAIN;
}

/* One that starts reads the settings anyway. */
static void send_orders(struct supervisor *s)
{
    if (!s->pid || s->channel < 0)
        return;
    while (s->drains > 0 && send_order(s, IPC_DRAIN))
        s->drains--;
    if (s->reload && s->state == SERVING && send_order(s, IPC_RELOAD))
        s->reload = false;
    if (s->upgrade && s->state == SERVING && send_order(s, IPC_UPGRADE)) {
        s->upgrade = false;
        s->upgrading = true;
    }
}

static void end(struct supervisor *s)
{
    notify_say("STOPPING=1");
    listeners_close(&s->listeners);
    if (!s->pid) {
        s->over = true;
        s->status = s->has_crashed ? 1 : s->status;
        return;
    }
    if (s->state == STARTING && !s->taken_over) /* else it has pages, which are drained */
        kill(s->pid, SIGTERM); /* it may wait for a file, and does not read orders yet */
    if (s->ending && !s->stuck_at_ms)
        s->stuck_at_ms = now_ms() + STUCK_MS;
    s->ending = true;
    s->drains++;
    send_orders(s);
}

static void hang_up(struct supervisor *s, const struct signalfd_siginfo *info)
{
    bool ends = !s->spec->hangup_reloads && terminal_hung_up(&s->terminal, info);
    if (ends && s->terminal.ignored)
        return;
    if (ends) {
        log_info("server.hangup", log_text("note", "the terminal is gone: the server ends"));
        end(s);
        return;
    }
    s->reload = true;
    send_orders(s);
}

/* ---- another program file in our place ---- */

enum {
    PID = 1,
    CHANNEL,
    STARTED_MS,
    CRASHES,
    WAS_READY,
    HAS_CRASHED,
    DRAINS,
    RELOAD,
    UPGRADE,
    ENDING,
    STUCK_MS_AT,
    LISTENERS,
    SIGNAL_MASK,
    DESCRIPTORS_NOW,
    DESCRIPTORS_MAX,
    FIRST_TICKS,
    LAST_TICKS,
    KILL_MS,
    LEFT_DUE_MS,
    TERMINAL_HAD,
    TERMINAL_IGNORED,
    TERMINAL_LEADER,
};

static void pack(const struct supervisor *s, struct pack *p)
{
    pack_number(p, PID, (uint64_t)s->pid);
    pack_fd(p, CHANNEL, s->channel);
    pack_number(p, STARTED_MS, s->started_ms);
    pack_number(p, CRASHES, s->crashes);
    pack_number(p, WAS_READY, s->was_ready);
    pack_number(p, HAS_CRASHED, s->has_crashed);
    pack_number(p, DRAINS, s->drains);
    pack_number(p, RELOAD, s->reload);
    pack_number(p, UPGRADE, s->upgrade);
    pack_number(p, ENDING, s->ending);
    pack_number(p, STUCK_MS_AT, s->stuck_at_ms);
    size_t listeners = pack_begin(p, LISTENERS);
    listeners_pack(&s->listeners, p);
    pack_end(p, listeners);
    pack_slice(p, SIGNAL_MASK, slice_make((const char *)&s->start.mask, sizeof(s->start.mask)));
    pack_number(p, DESCRIPTORS_NOW, s->start.descriptors.rlim_cur);
    pack_number(p, DESCRIPTORS_MAX, s->start.descriptors.rlim_max);
    pack_number(p, FIRST_TICKS, s->leftovers.first_ticks);
    pack_number(p, LAST_TICKS, s->leftovers.last_ticks);
    pack_number(p, KILL_MS, s->leftovers.kill_ms);
    pack_number(p, LEFT_DUE_MS, s->leftovers.due_ms);
    pack_number(p, TERMINAL_HAD, s->terminal.had);
    pack_number(p, TERMINAL_IGNORED, s->terminal.ignored);
    pack_number(p, TERMINAL_LEADER, (uint64_t)s->terminal.leader);
}

static void unpack(struct supervisor *s, struct slice in)
{
    struct slice mask = packed_slice(in, SIGNAL_MASK);
    s->pid = (pid_t)packed_number(in, PID);
    s->channel = packed_fd(in, CHANNEL);
    s->started_ms = packed_number(in, STARTED_MS);
    s->crashes = (unsigned)packed_number(in, CRASHES);
    s->was_ready = packed_number(in, WAS_READY);
    s->has_crashed = packed_number(in, HAS_CRASHED);
    s->drains = (unsigned)packed_number(in, DRAINS);
    s->reload = packed_number(in, RELOAD);
    s->upgrade = packed_number(in, UPGRADE);
    s->ending = packed_number(in, ENDING);
    s->stuck_at_ms = packed_number(in, STUCK_MS_AT);
    if (mask.len == sizeof(s->start.mask))
        memcpy(&s->start.mask, mask.ptr, mask.len);
    s->start.descriptors.rlim_cur = packed_number(in, DESCRIPTORS_NOW);
    s->start.descriptors.rlim_max = packed_number(in, DESCRIPTORS_MAX);
    s->leftovers = (struct leftovers){
        .first_ticks = packed_number(in, FIRST_TICKS),
        .last_ticks = packed_number(in, LAST_TICKS),
        .serving = s->pid,
        .kill_ms = packed_number(in, KILL_MS),
        .due_ms = packed_number(in, LEFT_DUE_MS),
    };
    s->terminal =
        (struct terminal){packed_number(in, TERMINAL_HAD), packed_number(in, TERMINAL_IGNORED),
                          (pid_t)packed_number(in, TERMINAL_LEADER)};
    s->state = STARTING; /* the serving process says when it is ready again */
    s->taken_over = true;
}

/* As the serving process does at this moment. If it fails, this one goes on: both speak alike. */
static void replace_self(struct supervisor *s, int inputs)
{
    struct pack p = {0};
    s->state = STARTING;
    s->taken_over = true;
    s->upgrading = false;
    pack(s, &p);
    log_stop();
    notify_give_back();
    int error = handover_execute(handover_file(), s->spec->argv, HANDOVER_SUPERVISES, inputs, &p);
    notify_take_back();
    log_start();
    log_error("takeover.supervisor_failed", log_errno("error", error),
              log_text("note", "the supervisor stays as it was"));
    pack_done(&p);
}

/* Is this process in the place of another one? Then it goes on with what that had. Negative errno.
 */
static int take_over(struct supervisor *s)
{
    struct handover h;
    struct text why = {0};
    int error = handover_take(HANDOVER_SUPERVISES, &h, &why);
    if (!error) {
        unpack(s, h.body);
        error = listeners_unpack(&s->listeners, packed_slice(h.body, LISTENERS)) ? 0 : -ENOMEM;
        handover_done(&h);
    } else if (error != -ENOENT) {
        log_error("takeover.failed", log_slice("why", text_slice(&why)));
    }
    text_done(&why);
    return error == -ENOENT ? 0 : error;
}

/* ---- starts ---- */

static uint64_t delay_ms(const struct supervisor *s)
{
    if (s->crashes < 2)
        return 0;
    unsigned doublings = s->crashes - 2;
    return doublings < 7 ? (uint64_t)FIRST_DELAY_MS << doublings : LAST_DELAY_MS;
}

static void give_up(struct supervisor *s)
{
    log_error("server.gave_up", log_int("crashes", s->crashes),
              log_text("why", "it has never become ready"));
    s->over = true;
    s->status = 1;
}

static void start_later(struct supervisor *s)
{
    bool calm = s->state == SERVING && now_ms() - s->started_ms >= CALM_MS;
    s->state = WAITING;
    s->crashes = calm ? 1 : s->crashes + 1;
    if (!s->was_ready && s->crashes >= TRIES_AT_START) {
        give_up(s);
        return;
    }
    s->start_at_ms = now_ms() + delay_ms(s);
    log_warn("server.restarting", log_int("in_ms", (int64_t)delay_ms(s)),
             log_int("crashes", s->crashes));
}

static void start(struct supervisor *s)
{
    int error = start_serving(&s->start, &s->pid, &s->channel);
    if (error) {
        log_error("server.start_failed", log_errno("error", error));
        start_later(s);
        return;
    }
    s->state = STARTING;
    s->told_end = s->taken_over = false;
    s->started_ms = now_ms();
    leftovers_begin(&s->leftovers, s->pid);
}

/* ---- what the serving process asks ---- */

static void answer(struct supervisor *s, uint32_t ticket)
{
    const struct listening_wish *wishes, *failed = NULL;
    size_t count;
    int error = -EINVAL;
    if (s->ending)
        error = -ECANCELED;
    else if (s->spec->wishes(s->spec->arg, &wishes, &count))
        error = listeners_offer(&s->listeners, wishes, count, s->state == STARTING, &failed);
    if (error && s->taken_over && !s->ending) { /* the pages must not end for that */
        log_error("listen.failed", log_text("address", failed ? failed->name : "?"),
                  log_errno("error", error), log_text("note", "the sockets stay as they were"));
        error = 0;
    }
    answer_send(s->channel, ticket, &s->listeners, error, failed ? failed->name : NULL);
}

static void become_ready(struct supervisor *s, bool secure)
{
    s->state = SERVING;
    notify_say("READY=1");
    if (!s->was_ready)
        s->spec->ready(s->spec->arg, &s->listeners, secure);
    else if (!s->taken_over)
        log_info("server.restarted", log_int("pid", s->pid));
    s->was_ready = true;
    s->taken_over = false;
    send_orders(s);
}

static void take_message(struct supervisor *s, const struct ipc_message *m)
{
    switch (m->kind) {
    case IPC_ASK:
        if (s->state == SERVING)
            notify_reloading();
        answer(s, m->ticket);
        return;
    case IPC_TAKEN:
        listeners_keep(&s->listeners);
        break;
    case IPC_REFUSED:
        listeners_undo(&s->listeners);
        break;
    case IPC_READY:
        become_ready(s, m->number);
        return;
    case IPC_BEAT:
        notify_say("WATCHDOG=1");
        return;
    case IPC_ENDS:
        s->told_end = true;
        return;
    case IPC_HANDOVER:
        if (s->upgrading && !s->ending) {
            notify_reloading();
            replace_self(s, m->fd_count > 0 ? m->fds[0] : -1);
        }
        return;
    case IPC_UPGRADE:
    case IPC_DRAIN:
    case IPC_RELOAD:
    case IPC_LISTENERS:
    case IPC_ANSWERED:
        return;
    }
    if (s->state == SERVING)
        notify_say("READY=1");
}

/* Its process is about to end: SIGCHLD tells how. */
static void close_channel(struct supervisor *s)
{
    if (s->channel >= 0)
        close(s->channel);
    s->channel = -1;
}

static void read_channel(struct supervisor *s)
{
    struct ipc_message m;
    int error = -EAGAIN;
    while (s->channel >= 0 && (error = ipc_receive(s->channel, &m)) == 0) {
        take_message(s, &m);
        for (int i = 0; i < m.fd_count; i++)
            close(m.fds[i]);
    }
    if (error != -EAGAIN)
        close_channel(s);
}

/* ---- its end ---- */

static void say_crashed(const struct supervisor *s, int status)
{
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
    if (WIFSIGNALED(status))
        log_error("server.crashed", log_int("pid", s->pid), log_int("signal", WTERMSIG(status)),
                  log_text("name", name ? name : "?"));
    else
        log_error("server.crashed", log_int("pid", s->pid), log_int("status", WEXITSTATUS(status)));
}

/* By itself, with a status: at the end of a drain, or because it can't start. */
static void ended_by_itself(struct supervisor *s, int status)
{
    if (!s->ending && s->was_ready) {
        log_error("server.failed", log_int("status", status));
        start_later(s);
        return;
    }
    s->over = true;
    s->status = s->has_crashed ? 1 : status;
}

/* It has served nobody yet. */
static bool is_ended_at_start(const struct supervisor *s, int status)
{
    return s->ending && s->state == STARTING && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
}

static void crashed(struct supervisor *s, int status)
{
    say_crashed(s, status);
    s->has_crashed = true;
    if (s->ending) {
        s->over = true;
        s->status = 1;
    } else {
        start_later(s);
    }
}

static void serving_ended(struct supervisor *s, int status)
{
    read_channel(s);
    close_channel(s);
    listeners_undo(&s->listeners);
    leftovers_end(&s->leftovers, now_ms());
    if (s->told_end && WIFEXITED(status))
        ended_by_itself(s, WEXITSTATUS(status));
    else if (is_ended_at_start(s, status))
        ended_by_itself(s, 0);
    else
        crashed(s, status);
    s->pid = 0;
}

static void reap(struct supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == s->pid)
            serving_ended(s, status);
}

/* ---- signals ---- */

/* Ctrl-Z stops both; the serving process has no terminal. */
static void stop_both(struct supervisor *s)
{
    if (s->pid)
        kill(s->pid, SIGSTOP);
    raise(SIGSTOP);
    if (s->pid)
        kill(s->pid, SIGCONT);
}

/* One that is starting is asked later. */
static void upgrade(struct supervisor *s)
{
    s->upgrade = !s->ending;
    send_orders(s);
}

static void read_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(s);
        else if (info.ssi_signo == SIGHUP)
            hang_up(s, &info);
        else if (info.ssi_signo == SIGTSTP)
            stop_both(s);
        else if (info.ssi_signo == SIGUSR2)
            upgrade(s);
        else
            end(s);
    }
}

static int take_signals(struct supervisor *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTSTP);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGCHLD);
    signal(SIGCHLD, SIG_DFL); /* whatever we were started with: an ignored one is not reported */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a log at its limit of size loses lines */
    signal(SIGTTOU, SIG_IGN); /* a terminal that stops who writes in the background */
    sigset_t found;
    sigprocmask(SIG_BLOCK, &set, &found);
    if (!s->taken_over) /* else all of them are blocked already */
        s->start.mask = found;
    s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return s->signals < 0 ? -errno : 0;
}

/* ---- the loop ---- */

static void sooner(uint64_t due_ms, uint64_t *next_ms)
{
    if (due_ms && due_ms < *next_ms)
        *next_ms = due_ms;
}

static int wait_ms(const struct supervisor *s)
{
    uint64_t next = UINT64_MAX, now = now_ms();
    sooner(s->state == WAITING ? s->start_at_ms : 0, &next);
    sooner(s->leftovers.due_ms, &next);
    sooner(s->stuck_at_ms, &next);
    return next == UINT64_MAX ? -1 : next <= now ? 0 : (int)(next - now);
}

static void do_what_is_due(struct supervisor *s)
{
    uint64_t now = now_ms();
    if (s->leftovers.due_ms && now >= s->leftovers.due_ms)
        leftovers_look(&s->leftovers, now);
    if (s->stuck_at_ms && now >= s->stuck_at_ms && s->pid) {
        log_error("server.stuck", log_int("pid", s->pid), log_text("note", "it is killed"));
        kill(s->pid, SIGKILL);
        s->stuck_at_ms = 0;
    }
    if (s->state == WAITING && !s->over && now >= s->start_at_ms)
        start(s);
}

static void turn(struct supervisor *s)
{
    bool owes = s->drains > 0 || ((s->reload || s->upgrade) && s->state == SERVING);
    struct pollfd waits[] = {
        {.fd = s->signals, .events = POLLIN},
        {.fd = s->pid ? s->channel : -1, .events = (short)(POLLIN | (owes ? POLLOUT : 0))},
    };
    if (poll(waits, 2, wait_ms(s)) < 0)
        return;
    if (waits[1].revents & ~POLLOUT)
        read_channel(s);
    send_orders(s);
    if (waits[0].revents)
        read_signals(s);
}

static void prepare(struct supervisor *s)
{
    notify_init();
    if (!s->taken_over)
        terminal_init(&s->terminal);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    s->start.argv = s->spec->argv;
    s->start.beat_ms = notify_watchdog_ms() / 3;
    if (!s->taken_over)
        getrlimit(RLIMIT_NOFILE, &s->start.descriptors);
    struct rlimit all = s->start.descriptors;
    all.rlim_cur = all.rlim_max;
    setrlimit(RLIMIT_NOFILE, &all);
}

int supervisor_run(const struct supervisor_spec *spec)
{
    static struct supervisor supervisor;
    struct supervisor *s = &supervisor;
    *s = (struct supervisor){.spec = spec, .start_at_ms = 1};
    log_start();
    int error = take_over(s);
    prepare(s);
    if (!error)
        error = take_signals(s);
    if (!error && !s->taken_over)
        error = activation_take(&s->listeners);
    if (error) {
        log_error("server.failed", log_errno("error", error));
        log_stop();
        return 1;
    }
    for (do_what_is_due(s); !s->over; do_what_is_due(s))
        turn(s);
    leftovers_kill(&s->leftovers);
    listeners_done(&s->listeners);
    log_stop();
    return s->status;
}
