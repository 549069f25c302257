/* SPDX-License-Identifier: MIT */
#include "net/process.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Enough for what a program is given; more is our bug. */
enum {
    FDS_MAX = 16
};

/* Copies, above the numbers that the child's own descriptors take, of those that stand below: so no
 * dup2 overwrites a descriptor that a later one needs, and none has its target as its source. */
struct moved_fds {
    int source[FDS_MAX];
    int copy[FDS_MAX];
    int copies;
};

static void close_copies(struct moved_fds *m)
{
    while (m->copies > 0)
        close(m->copy[--m->copies]);
}

static int move_fds(struct moved_fds *m, const int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        m->source[i] = fds[i];
        if (fds[i] >= count)
            continue;
        int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, count);
        if (copy < 0) {
            int error = -errno;
            close_copies(m);
            return error;
        }
        m->source[i] = m->copy[m->copies++] = copy;
    }
    return 0;
}

/* ---- in the child, whose memory is still ours: system calls only ----
 *
 * Each returns 0 or a negative errno. */

/* A unit of systemd may have given us capabilities that pass on to whatever we execute. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* EINVAL: there are none */
    if (syscall(SYS_capget, &head, data) < 0)
        return -errno;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        data[i].inheritable = 0;
    return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int set_limits(const struct process_rights *rights)
{
    for (int i = 0; i < rights->limit_count; i++)
        if (setrlimit((__rlimit_resource_t)rights->limits[i].resource, &rights->limits[i].value))
            return -errno;
    return 0;
}

/* By its parent's end it is killed. A change of the user would take that back, so this comes last;
 * and the parent may have ended before. */
static int die_with(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}

static int become_stranger(const struct process_rights *rights, pid_t parent)
{
    static const struct process_rights none;
    if (!rights)
        rights = &none;
    setsid();
    int error = set_limits(rights);
    if (!error)
        error = drop_capabilities();
    if (!error && !rights->may_gain && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        error = -errno;
    return error ? error : die_with(parent);
}

/* Returns only with the error of the step that failed. */
static int become(const struct process_spec *spec, const struct moved_fds *m, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    int error = become_stranger(spec->rights, parent);
    if (error)
        return error;
    if (chdir(spec->directory))
        return -errno;
    for (int i = 0; i < spec->fd_count; i++) {
        if (dup2(m->source[i], i) < 0)
            return -errno;
    }
    if (close_range((unsigned)spec->fd_count, UINT_MAX, 0))
        return -errno;
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(spec->path, spec->argv, spec->envp);
    return -errno;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* posix_spawn() would do all this, but asks for the limit of descriptors with each action and maps
 * a stack: twelve system calls more. Signals are blocked meanwhile: our handlers must not run in
 * the child. */
static int spawn(const struct process_spec *spec, const struct moved_fds *m, pid_t *ret)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    volatile int error = 0; /* set by the child; read after it has ended or exec'd */
    pid_t parent = getpid(), pid = vfork();
    if (pid == 0) {
        error = become(spec, m, parent);
        _exit(127);
    }
    if (pid < 0)
        error = -errno;
    else if (error)
        reap(pid);
    else
        *ret = pid;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
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
    p->on_exit(p, status);
}

/* The child is not reaped yet, so its number is still its own. */
static int watch_child(struct loop *loop, struct process *p)
{
    int fd = pidfd_open(p->pid, 0); /* close-on-exec by itself */
    if (fd < 0)
        return -errno;
    int error = watch_start(loop, &p->watch, fd, WATCH_READ);
    if (error)
        close(fd);
    return error;
}

static void kill_unwatched(pid_t pid)
{
    kill(-pid, SIGKILL);
    reap(pid);
}

int process_start(struct loop *loop, struct process *p, const struct process_spec *spec,
                  void (*on_exit)(struct process *p, int status))
{
    assert(spec->fd_count <= FDS_MAX);
    *p = (struct process){.on_exit = on_exit};
    watch_init(&p->watch, ended);

    struct moved_fds moved = {.copies = 0};
    int error = move_fds(&moved, spec->fds, spec->fd_count);
    if (error)
        return error;
    error = spawn(spec, &moved, &p->pid);
    close_copies(&moved);
    if (error)
        return error;

    error = watch_child(loop, p);
    if (error)
        kill_unwatched(p->pid);
    return error;
}

int process_group_signal(struct process *p, int signal)
{
    if (p->group_empty)
        return -ESRCH;
    if (kill(-p->pid, signal) == 0)
        return 0;
    if (errno != ESRCH)
        return -errno;
    p->group_empty = true;
    return -ESRCH;
}

bool process_group_alive(struct process *p)
{
    return process_group_signal(p, 0) != -ESRCH;
}
