/* SPDX-License-Identifier: MIT */
#include "net/process_birth.h"

#include "net/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pthread.h>
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

static sigset_t ignored_here;

static void find_ignored(void)
{
    struct sigaction now;
    sigemptyset(&ignored_here);
    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
            sigaddset(&ignored_here, number);
}

void process_signals_changed(void)
{
    find_ignored();
}

/* `handled`: not only those that are ignored, but also those that we have handlers for. */
static void reset_signals(bool handled)
{
    for (int number = 1; number < NSIG; number++)
        if (handled || sigismember(&ignored_here, number))
            sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

/* Returns only with the error of the step that failed. */
static int become(const struct process_spec *spec, const struct moved_fds *m, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
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
    bool no_handlers;   /* the kernel has reset them */
    volatile int error; /* set by the child; read after it has ended or exec'd */
};

static _Noreturn void live(void *arg)
{
    struct birth *b = arg;
    reset_signals(!b->no_handlers);
    b->error = become(b->spec, b->fds, b->parent);
    _exit(127);
}

/* As vfork(2), with what clone3(2) can do beside. The child lives below our frame of the stack,
 * which stands still until it has exec'd or ended. */
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

/* Where handlers are not reset by the kernel (Linux before 5.5), the child does that. */
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

/* `cgroup`: the child begins in there; to move it there afterwards would hold us up for
 * milliseconds. -1: none. */
static pid_t fork_by_clone(int cgroup, struct birth *b, int *ret_pidfd)
{
    int pidfd = -1;
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    if (cgroup >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup;
    }
    b->no_handlers = true;
    long pid = clone_vfork(&args, live, b);
    forget_frames_of_child();
    if (pid < 0) {
        errno = (int)-pid;
        return -1;
    }
    *ret_pidfd = pidfd;
    return (pid_t)pid;
}

/* close-on-exec by itself */
static pid_t fork_by_vfork(struct birth *b, int *ret_pidfd)
{
    b->no_handlers = false;
    pid_t pid = vfork();
    if (pid == 0)
        live(b);
    if (pid > 0)
        *ret_pidfd = pidfd_open(pid, 0); /* it is not reaped yet, so its number is its own */
    if (pid > 0 && *ret_pidfd < 0)
        *ret_pidfd = -errno;
    return pid;
}

/* An old kernel, or a sandbox, may know less: no cgroup, or no clone3(2) at all. */
static bool may_try_less(void)
{
    return errno != EAGAIN && errno != ENOMEM && errno != EMFILE && errno != ENFILE;
}

static pid_t fork_child(int cgroup, struct birth *b, int *ret_pidfd, bool *ret_in)
{
    pid_t pid = cgroup >= 0 ? fork_by_clone(cgroup, b, ret_pidfd) : -1;
    *ret_in = pid > 0;
    if (pid < 0 && (cgroup < 0 || may_try_less()))
        pid = fork_by_clone(-1, b, ret_pidfd);
    if (pid < 0 && may_try_less())
        pid = fork_by_vfork(b, ret_pidfd);
    return pid;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* posix_spawn() would do all this, but asks for the limit of descriptors with each action and maps
 * a stack: twelve system calls more. Signals are blocked meanwhile: our handlers must not run in
 * the child. `cgroup` -1: none. */
static int spawn(const struct process_spec *spec, const struct moved_fds *m, int cgroup,
                 struct process_born *ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t all, before;
    pthread_once(&once, find_ignored);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct birth birth = {.spec = spec, .fds = m, .parent = getpid()};
    struct process_born born = {.pidfd = -1};
    born.pid = fork_child(cgroup, &birth, &born.pidfd, &born.in_cgroup);
    int error = born.pid < 0 ? -errno : birth.error;
    if (born.pid > 0 && error) {
        reap(born.pid);
        if (born.pidfd >= 0)
            close(born.pidfd);
    } else if (born.pid > 0) {
        *ret = born;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int process_birth(const struct process_spec *spec, int cgroup, struct process_born *ret)
{
    assert(spec->fd_count <= FDS_MAX);
    struct moved_fds moved = {.copies = 0};
    int error = move_fds(&moved, spec->fds, spec->fd_count);
    if (error)
        return error;
    give_descriptors(spec);
    error = spawn(spec, &moved, cgroup, ret);
    close_copies(&moved);
    return error;
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
