/* SPDX-License-Identifier: MIT */
#include "daemon/keeper.h"

#include "base/log.h"
#include "net/process_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME     "httpsocketd-end"
#define VARIABLE "HTTPSOCKET_KEEPER" /* SERVER:CGROUP: of the marks, and its folder or nothing */

/* Who is killed ends a moment later, and may have forked before. */
#define ROUNDS   250
#define ROUND_US 20000

enum {
    FIRST_DELAY_MS = 100, /* before the second start in a row; the first one is at once */
    LAST_DELAY_MS = 10000,
    CALM_MS = 60000, /* after so long a loss is the first of its row again */
    STATUS_NOT_FOUND = 127
};

/* Its descriptors; the first three are /dev/null. */
enum {
    FD_SERVER = 3,
    FD_PIPE,
    FDS_END
};

/* ---- in the keeper ---- */

/* System calls only. */
static void take_descriptors(int server, int pipe)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int moved = fcntl(server, F_DUPFD_CLOEXEC, FDS_END);
    int moved_pipe = fcntl(pipe, F_DUPFD_CLOEXEC, FDS_END);
    for (int fd = 0; fd < FD_SERVER; fd++)
        dup2(null, fd);
    if (dup2(moved, FD_SERVER) < 0 || dup2(moved_pipe, FD_PIPE) < 0)
        _exit(STATUS_NOT_FOUND);
    close_range(FDS_END, UINT_MAX, 0);
}

/* The cgroup is opened anew: its descriptor may have been in the way. */
static _Noreturn void keep(struct cgroup *cgroup)
{
    prctl(PR_SET_NAME, NAME);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    struct pollfd wait = {.fd = FD_SERVER, .events = POLLIN};
    if (chdir("/") < 0)
        _exit(STATUS_NOT_FOUND);
    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        ;
    if (cgroup)
        cgroup_reopen(cgroup);
    for (int round = 0; round < ROUNDS; round++) {
        if (cgroup)
            cgroup_kill_all(cgroup);
        if (process_tree_kill_all() == 0)
            break;
        usleep(ROUND_US);
    }
    cgroup_close(cgroup);
    _exit(0);
}

/* Programs of the same user could stop one that they may trace. */
void keeper_live(char *const *argv)
{
    uint64_t server;
    int at = 0;
    const char *value = getenv(VARIABLE);
    if (!value || !argv[0] || strcmp(argv[0], NAME) != 0 ||
        sscanf(value, "%" SCNx64 ":%n", &server, &at) != 1 || at == 0)
        return;
    prctl(PR_SET_DUMPABLE, 0);
    mark_begin_as(server);
    keep(value[at] ? cgroup_of(value + at) : NULL);
}

/* ---- the first one ---- */

struct ends {
    int server;  /* our own pidfd */
    int pipe[2]; /* ours, the keeper's */
};

static int open_ends(struct ends *e)
{
    e->server = pidfd_open(getpid(), 0);
    if (e->server < 0)
        return -errno;
    if (pipe2(e->pipe, O_CLOEXEC | O_NONBLOCK) == 0)
        return 0;
    int error = -errno;
    close(e->server);
    return error;
}

/* The keeper has its own by now, or there is none. */
static void close_ends(struct ends *e, struct keeper *k, int error)
{
    close(e->server);
    close(e->pipe[1]);
    if (error)
        close(e->pipe[0]);
    else
        k->pipe = e->pipe[0];
}

static int fork_first(const struct ends *e, struct cgroup *cgroup)
{
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        take_descriptors(e->server, e->pipe[1]);
        keep(cgroup);
    }
    return pid < 0 || waitpid(pid, NULL, 0) < 0 ? -errno : 0;
}

/* ---- a later one ---- */

/* Between fork and exec nothing is allocated: another thread may hold the allocator's lock. */
static _Noreturn void execute(const struct ends *e, char *const *envp)
{
    char *const argv[] = {(char[]){NAME}, NULL};
    setsid();
    take_descriptors(e->server, e->pipe[1]);
    execve("/proc/self/exe", argv, envp);
    execve((const char *)getauxval(AT_EXECFN), argv, envp); /* without /proc */
    _exit(STATUS_NOT_FOUND);
}

/* Of our environment it has nothing: programs may read it for a moment. */
static int fork_later(const struct ends *e, const struct cgroup *cgroup, pid_t *ret)
{
    char variable[sizeof(VARIABLE) + 24 + PATH_MAX];
    char *const envp[] = {variable, NULL};
    snprintf(variable, sizeof(variable), VARIABLE "=%" PRIx64 ":%s", mark_server(),
             cgroup ? cgroup_path(cgroup) : "");
    *ret = fork();
    if (*ret == 0)
        execute(e, envp);
    return *ret < 0 ? -errno : 0;
}

static uint64_t delay_ms(const struct keeper *k)
{
    if (k->losses < 2)
        return 0;
    unsigned doublings = k->losses - 2;
    return doublings < 7 ? (uint64_t)FIRST_DELAY_MS << doublings : LAST_DELAY_MS;
}

static void begin_later(struct keeper *k)
{
    bool calm = loop_now_ms(k->loop) - k->started_ms >= CALM_MS;
    k->losses = calm ? 1 : k->losses + 1;
    timer_start(k->loop, &k->timer, delay_ms(k));
}

static void close_pipe(struct keeper *k)
{
    watch_stop(&k->watch);
    if (k->pipe >= 0)
        close(k->pipe);
    k->pipe = -1;
}

/* The pipe has nothing to read but its end. A dead child of ours is reaped as orphans are. */
static void on_pipe(struct watch *watch, unsigned events)
{
    struct keeper *k = container_of(watch, struct keeper, watch);
    (void)events;
    close_pipe(k);
    begin_later(k);
    log_warn("server.keeper_lost", log_int("in_ms", delay_ms(k)),
             log_text("note", "it was killed; until the next one is started what programs have "
                              "started may outlive a server that is killed"));
}

static int watch_pipe(struct keeper *k)
{
    int error = watch_start(k->loop, &k->watch, k->pipe, WATCH_READ);
    if (error < 0)
        close_pipe(k);
    k->started_ms = loop_now_ms(k->loop);
    return error;
}

static void begin(struct keeper *k)
{
    struct ends ends;
    pid_t pid = 0;
    int error = open_ends(&ends);
    if (!error) {
        error = fork_later(&ends, k->cgroup, &pid);
        close_ends(&ends, k, error);
    }
    if (!error)
        error = watch_pipe(k);
    if (error < 0) {
        log_warn("server.no_keeper", log_errno("error", error));
        begin_later(k);
    } else {
        log_info("server.keeper_started", log_int("pid", pid));
    }
}

static void on_timer(struct timer *timer)
{
    begin(container_of(timer, struct keeper, timer));
}

/* ---- from outside ---- */

int keeper_start(struct keeper *k, struct cgroup *cgroup)
{
    struct ends ends;
    *k = (struct keeper){.cgroup = cgroup, .pipe = -1};
    watch_init(&k->watch, on_pipe);
    timer_init(&k->timer, on_timer);
    if (getpid() == 1)
        return 0;
    mark_begin(); /* the keeper looks for the marks that we shall make */
    int error = open_ends(&ends);
    if (error)
        return error;
    error = fork_first(&ends, cgroup);
    close_ends(&ends, k, error);
    return error;
}

/* It waits for the end of this process id, which is ours now. */
void keeper_take_over(struct keeper *k, struct cgroup *cgroup, int pipe)
{
    *k = (struct keeper){.cgroup = cgroup, .pipe = pipe};
    watch_init(&k->watch, on_pipe);
    timer_init(&k->timer, on_timer);
}

void keeper_watch(struct keeper *k, struct loop *loop)
{
    k->loop = loop;
    if (k->pipe >= 0 && watch_pipe(k) < 0)
        begin_later(k);
}

void keeper_stop(struct keeper *k)
{
    close_pipe(k);
    timer_stop(&k->timer);
}
