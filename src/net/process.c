/* SPDX-License-Identifier: MIT */
#include "net/process.h"

#include "base/log.h"
#include "base/pack.h"
#include "net/process_birth.h"
#include "net/process_tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Without a cgroup it works as well as without any. */
static int be_born(struct process *p, const struct process_spec *spec, struct process_born *ret)
{
    struct cgroup_child child;
    bool made =
        spec->cgroup && spec->mark && cgroup_make(spec->cgroup, spec->mark->number, &child) == 0;
    int error = process_birth(spec, made ? child.folder : -1, ret);
    if (!made)
        return error;
    if (error || !ret->in_cgroup) {
        cgroup_leave(spec->cgroup, &child, false);
        return error;
    }
    cgroup_entered(spec->cgroup, &child);
    p->cgroup = spec->cgroup;
    p->cgroup_child = child;
    return 0;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int status_of(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        return W_EXITCODE(info->si_status, 0);
    return info->si_status | (info->si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

static void ended(struct watch *watch, unsigned events)
{
    (void)events;
    struct process *p = container_of(watch, struct process, watch);
    siginfo_t info = {0};
    int fd = watch->fd, status = PROCESS_STATUS_LOST;
    int error = waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 ? errno : 0;
    if (error == EINTR || (!error && info.si_pid == 0))
        return;
    if (error) /* it would be told again and again */
        log_warn("process.status_lost", log_int("pid", p->pid), log_errno("error", -error));
    else
        status = status_of(&info);
    watch_stop(watch);
    close(fd);
    process_tree_forget(p->pid);
    p->reaped = true;
    p->on_exit(p, status);
}

/* Takes the descriptor. */
static int watch_child(struct loop *loop, struct process *p, int fd)
{
    if (fd < 0)
        return fd;
    int error = watch_start(loop, &p->watch, fd, WATCH_READ);
    if (error)
        close(fd);
    return error;
}

static void kill_unwatched(struct process *p)
{
    process_signal(p, SIGKILL);
    reap(p->pid);
    p->reaped = true;
    process_done(p);
}

int process_start(struct loop *loop, struct process *p, const struct process_spec *spec,
                  void (*on_exit)(struct process *p, int status))
{
    *p = (struct process){.on_exit = on_exit};
    watch_init(&p->watch, ended);

    if (spec->mark)
        p->mark = *spec->mark;
    struct process_born born;
    int error = be_born(p, spec, &born);
    if (error)
        return error;

    p->pid = born.pid;
    error = watch_child(loop, p, born.pidfd);
    if (error)
        kill_unwatched(p);
    return error;
}

bool process_ended(const struct process *p)
{
    siginfo_t info = {0};
    return p->reaped ||
           (waitid(P_PIDFD, (id_t)p->watch.fd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid != 0);
}

/* ---- all that descend from it ---- */

static struct process_tree tree_of(const struct process *p)
{
    return (struct process_tree){p->pid, p->reaped, &p->mark};
}

static void signal_group(struct process *p, int signal)
{
    if (!p->group_empty && kill(-p->pid, signal) < 0 && errno == ESRCH)
        p->group_empty = true;
}

void process_signal(struct process *p, int signal)
{
    struct process_tree tree = tree_of(p);
    process_tree_signal(&tree, signal);
    signal_group(p, signal);
    if (signal != SIGKILL || !p->cgroup)
        return;
    cgroup_kill(p->cgroup, &p->cgroup_child);
    p->cgroup_killed = true;
}

static bool is_in_cgroup(struct process *p)
{
    enum cgroup_state state = p->cgroup ? cgroup_look(p->cgroup, &p->cgroup_child) : CGROUP_UNFIT;
    p->cgroup_empty = state == CGROUP_EMPTY && !p->cgroup_killed;
    return state == CGROUP_POPULATED;
}

static bool others_alive(struct process *p)
{
    struct process_tree tree = tree_of(p);
    return is_in_cgroup(p) || process_tree_signal(&tree, 0) > 0;
}

bool process_alive(struct process *p)
{
    signal_group(p, 0);
    return !p->group_empty || others_alive(p);
}

bool process_kill_rest(struct process *p)
{
    process_signal(p, SIGKILL);
    return !others_alive(p);
}

void process_done(struct process *p)
{
    if (p->cgroup)
        cgroup_leave(p->cgroup, &p->cgroup_child, p->cgroup_empty && !p->cgroup_killed);
    p->cgroup = NULL;
}

/* ---- for the process that takes over ---- */

enum {
    PID = 1,
    PIDFD,
    GROUP_EMPTY,
    REAPED,
    MARK_NUMBER,
    MARK_TEXT,
    HAS_CGROUP,
    CGROUP_NUMBER,
};

void process_pack(const struct process *p, struct pack *pack)
{
    pack_number(pack, PID, (uint64_t)p->pid);
    pack_fd(pack, PIDFD, p->watch.fd);
    pack_number(pack, GROUP_EMPTY, p->group_empty);
    pack_number(pack, REAPED, p->reaped);
    pack_number(pack, MARK_NUMBER, p->mark.number);
    pack_slice(pack, MARK_TEXT, slice_of(p->mark.text));
    pack_number(pack, HAS_CGROUP, p->cgroup != NULL);
    pack_number(pack, CGROUP_NUMBER, p->cgroup_child.number);
}

int process_unpack(struct loop *loop, struct process *p, struct slice in, struct cgroup *cgroup,
                   void (*on_exit)(struct process *p, int status))
{
    struct slice mark = packed_slice(in, MARK_TEXT);
    int fd = packed_fd(in, PIDFD);
    *p = (struct process){
        .pid = (pid_t)packed_number(in, PID),
        .group_empty = packed_number(in, GROUP_EMPTY),
        .reaped = packed_number(in, REAPED),
        .mark = {.number = packed_number(in, MARK_NUMBER)},
        .cgroup = packed_number(in, HAS_CGROUP) ? cgroup : NULL,
        .cgroup_child = {.number = packed_number(in, CGROUP_NUMBER), .folder = -1, .events = -1},
        .cgroup_killed = true,
        .on_exit = on_exit,
    };
    if (p->cgroup_child.number == 0) /* an older version: each had one of its own number */
        p->cgroup_child.number = p->mark.number;
    watch_init(&p->watch, ended);
    if (mark.len >= sizeof(p->mark.text) || p->pid <= 0)
        return -EINVAL;
    memcpy(p->mark.text, mark.ptr ? mark.ptr : "", mark.len);
    if (p->reaped)
        return 0;
    process_tree_spare(p->pid);
    int error = fd < 0 ? -EBADF : watch_start(loop, &p->watch, fd, WATCH_READ);
    if (error && fd >= 0)
        close(fd);
    return error;
}
