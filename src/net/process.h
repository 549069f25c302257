/* process.h - a child process in a process group of its own.
 *
 * Started by posix_spawn (vfork underneath: its cost does not grow with our memory), watched by pidfd. Signals and reaping are safe from reused ids: the
 * leader is reaped by its pidfd, and the group is signalled only while it has members.
 *
 * Lifetime  The caller embeds struct process; it is ours from process_start() until on_exit has run.
 * Threads   Loop thread only.
 */
#ifndef NET_PROCESS_H
#define NET_PROCESS_H

#include "core/loop.h"

struct process_spec {
    const char *path;        /* executable, absolute */
    char *const *argv;       /* NULL-terminated */
    char *const *envp;       /* NULL-terminated */
    const char *directory;   /* working directory */
    const int *fds;          /* what the child gets as descriptors 0, 1, ... fd_count - 1; all others are closed (close-on-exec) */
    int fd_count;
};

struct process {
    pid_t pid; /* also the group's id */
    struct watch watch;
    /* The leader has ended and is reaped; `status` as of waitpid(2). Members of its group may still run: process_group_alive. */
    void (*on_exit)(struct process *p, int status);
};

/* The descriptors of `spec` stay the caller's. Signal mask and dispositions are the defaults in the child. Negative errno: -ENOEXEC, -EACCES, -ENOENT as
 * of execve, -EAGAIN. */
int process_start(struct loop *loop, struct process *p, const struct process_spec *spec, void (*on_exit)(struct process *, int status));

/* To every member of the group; 0, or -ESRCH if none is left. Also after on_exit. */
int process_group_signal(const struct process *p, int signal);
bool process_group_alive(const struct process *p);

#endif
