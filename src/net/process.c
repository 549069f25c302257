/* SPDX-License-Identifier: MIT */
#include "net/process.h"

#include "base/log.h"
#include "base/pack.h"
#include "net/process_tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
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

/* By system calls: the functions of the C library change all threads of ours. */
static int set_identity(const struct process_identity *id)
{
    if (!id)
        return 0;
    if (syscall(SYS_setgroups, (size_t)id->group_count, id->groups) < 0 ||
        syscall(SYS_setresgid, id->gid, id->gid, id->gid) < 0 ||
        syscall(SYS_setresuid, id->uid, id->uid, id->uid) < 0)
        return -errno;
    return 0;
}

static int set_limits(const struct process_rights *rights)
{
    for (int i = 0; i < rights->limit_count; i++)
        if (setrlimit((__rlimit_resource_t)rights->limits[i].resource, &rights->limits[i].value))
            return -errno;
    return 0;
}

static bool outlives_threads;

void process_outlive_threads(void)
{
    outlives_threads = true;
}

bool process_children_outlive_threads(void)
{
    return outlives_threads;
}

/* By its parent's end it is killed. A change of the user would take that back, so this comes last;
 * and the parent may have ended before. */
static int die_with(pid_t parent)
{
    if (!outlives_threads && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
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
        error = set_identity(rights->identity);
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

/* It may open its own standard descriptors by name: `echo x >/dev/stderr`. */
static void give_descriptors(const struct process_spec *spec)
{
    struct stat info;
    if (!spec->rights || !spec->rights->identity)
        return;
    for (int i = 0; i < spec->fd_count; i++) {
        if (fstat(spec->fds[i], &info) < 0)
            continue;
        bool pipe = S_ISFIFO(info.st_mode), terminal = isatty(spec->fds[i]);
        if ((pipe || terminal) &&
            fchown(spec->fds[i], spec->rights->identity->uid, (gid_t)-1) < 0 && pipe &&
            fchmod(spec->fds[i], 0666) < 0)
            return;
    }
}

struct birth {
    const struct process_spec *spec;
    const struct moved_fds *fds;
    pid_t parent;
    volatile int error; /* set by the child; read after it has ended or exec'd */
};

static _Noreturn void live(void *arg)
{
    struct birth *b = arg;
    b->error = become(b->spec, b->fds, b->parent);
    _exit(127);
}

/* As vfork(2), but the child begins in the cgroup of this descriptor: to move it there afterwards
 * would hold us up for milliseconds. The child lives below our frame of the stack, which stands
 * still until it has exec'd or ended. */
static long clone_vfork(struct clone_args *args, void (*run)(void *), void *arg)
{
#if defined(__x86_64__)
    long ret;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "leaq -256(%%rsp), %%rsp\n\t"
                     "andq $-16, %%rsp\n\t"
                     "movq %[arg], %%rdi\n\t"
                     "callq *%[run]\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(ret)
                     : "a"(SYS_clone3), "D"(args),
                       "S"(sizeof(*args)), [run] "r"(run), [arg] "r"(arg)
                     : "rcx", "r11", "memory");
    return ret;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = SYS_clone3;
    register long x0 __asm__("x0") = (long)args;
    register long x1 __asm__("x1") = sizeof(*args);
    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "sub sp, sp, #256\n\t"
                     "mov x0, %[arg]\n\t"
                     "blr %[run]\n\t"
                     "brk #1\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), [run] "r"(run), [arg] "r"(arg)
                     : "x30", "memory");
    return x0;
#else
    (void)args, (void)run, (void)arg;
    return -ENOSYS;
#endif
}

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc says it */
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>

/* The child's frames, which it never leaves, stay marked; the sanitizer knows of vfork() only. */
static void forget_frames_of_child(void)
{
    enum {
        DEEP = 32768
    };
    __asan_unpoison_memory_region((char *)__builtin_frame_address(0) - DEEP, DEEP);
}
#else
static void forget_frames_of_child(void)
{
}
#endif

static pid_t fork_into(int cgroup, struct birth *b)
{
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)cgroup,
    };
    long pid = clone_vfork(&args, live, b);
    forget_frames_of_child();
    return pid < 0 ? -1 : (pid_t)pid;
}

static pid_t fork_here(struct birth *b)
{
    pid_t pid = vfork();
    if (pid == 0)
        live(b);
    return pid;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* posix_spawn() would do all this, but asks for the limit of descriptors with each action and maps
 * a stack: twelve system calls more. Signals are blocked meanwhile: our handlers must not run in
 * the child. `cgroup` -1: none; else *ret_in says whether the child is in there. */
static int spawn(const struct process_spec *spec, const struct moved_fds *m, int cgroup, pid_t *ret,
                 bool *ret_in)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct birth birth = {.spec = spec, .fds = m, .parent = getpid()};
    pid_t pid = cgroup >= 0 ? fork_into(cgroup, &birth) : -1;
    *ret_in = pid > 0;
    if (pid < 0)
        pid = fork_here(&birth);
    int error = pid < 0 ? -errno : birth.error;
    if (pid > 0 && error)
        reap(pid);
    else if (pid > 0)
        *ret = pid;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Without a cgroup it works as well as without any. */
static int spawn_in_cgroup(struct process *p, const struct process_spec *spec,
                           const struct moved_fds *m)
{
    bool in;
    int cgroup = spec->cgroup && spec->mark ? cgroup_make(spec->cgroup, spec->mark->number) : -1;
    int error = spawn(spec, m, cgroup, &p->pid, &in);
    if (cgroup < 0)
        return error;
    close(cgroup);
    if (!error && in)
        p->cgroup = spec->cgroup;
    else
        cgroup_remove(spec->cgroup, spec->mark->number);
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
    process_tree_forget(p->pid);
    p->reaped = true;
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

static void kill_unwatched(struct process *p)
{
    process_signal(p, SIGKILL);
    reap(p->pid);
    p->reaped = true;
    process_done(p);
}

bool process_may_change_user(void)
{
    const unsigned needed = 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_KILL;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &head, data) < 0)
        return false;
    return (data[0].effective & needed) == needed;
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
    if (spec->mark)
        p->mark = *spec->mark;
    give_descriptors(spec);
    error = spawn_in_cgroup(p, spec, &moved);
    close_copies(&moved);
    if (error)
        return error;

    error = watch_child(loop, p);
    if (error)
        kill_unwatched(p);
    return error;
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
    if (signal == SIGKILL && p->cgroup)
        cgroup_kill(p->cgroup, p->mark.number);
}

static bool others_alive(struct process *p)
{
    struct process_tree tree = tree_of(p);
    return (p->cgroup && cgroup_populated(p->cgroup, p->mark.number)) ||
           process_tree_signal(&tree, 0) > 0;
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
        cgroup_remove(p->cgroup, p->mark.number);
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
        .on_exit = on_exit,
    };
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
