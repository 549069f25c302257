/* SPDX-License-Identifier: MIT */
/* process.h - a child process in a session of its own, and all that descend from it.
 *
 * Started by vfork: its cost does not grow with our memory. Watched by pidfd. Signals and reaping
 * are safe against reused ids: the leader is reaped by its pidfd, the kernel keeps its number from
 * being given out again while the group has members, and once the group was seen empty it is not
 * signalled again; others are signalled by pidfd.
 *
 * All that descend from a child are one with it: its group gets a signal by one call, whoever has
 * left the group is looked for (process_tree.h), and a cgroup, where there is one, kills even who
 * forks for ever meanwhile.
 *
 * The child is a stranger: it has no terminal of ours, gains no rights by setuid files, and
 * keeps none of our capabilities. It is killed when the thread that started it ends, so also when
 * we are killed; unless somebody else sees to that (process_outlive_threads).
 *
 * Lifetime  The caller embeds struct process; it is ours from process_start() until on_exit has
 *           run. No other code of this process may wait for children of this thread, or ignore
 *           SIGCHLD.
 * Threads   Loop thread only. The thread that starts a child outlives it, or kills it by its end,
 *           or see process_outlive_threads().
 */
#ifndef NET_PROCESS_H
#define NET_PROCESS_H

#include "core/loop.h"
#include "net/cgroup.h"
#include "net/mark.h"

#include <sys/resource.h>
#include <sys/types.h>

struct pack;

/* Another user, whose groups these are, `gid` aside. */
struct process_identity {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* owned by whoever made it */
    int group_count;
};

/* What a child may do. Only borrowed while one is started. */
struct process_rights {
    const struct process_limit {
        int resource; /* RLIMIT_... */
        struct rlimit value;
    } * limits;
    int limit_count;
    bool may_gain;                           /* by files that are setuid, such as sudo */
    const struct process_identity *identity; /* NULL: ours */
};

struct process_spec {
    const char *path;      /* executable, absolute */
    char *const *argv;     /* NULL-terminated */
    char *const *envp;     /* NULL-terminated */
    const char *directory; /* working directory */
    /* The descriptors that become 0, 1, ... fd_count - 1 in the child, in any order, also repeated.
     * All others are closed, whether marked close-on-exec or not. */
    const int *fds;
    int fd_count;
    const struct process_rights *rights; /* NULL: our limits, and nothing is gained */
    const struct mark *mark;             /* in `envp`, and no other child's; NULL: none */
    struct cgroup *cgroup;               /* borrowed, outlives the process; NULL: none */
};

struct process {
    pid_t pid; /* also the group's id, and the session's */
    bool group_empty, reaped;
    bool cgroup_empty; /* nobody is in its cgroup any more, and another child may have it */
    /* Its cgroup was killed, or may have been by the process that we have taken over from. Linux
     * kills at its birth who is cloned into such a cgroup from outside, for ever (kill_seq). */
    bool cgroup_killed;
    struct mark mark;
    struct cgroup *cgroup;            /* it has one of its own in there; NULL: it has none */
    struct cgroup_child cgroup_child; /* of `cgroup` */
    struct watch watch;
    /* The leader has ended and is reaped; `status` as of waitpid(2), or PROCESS_STATUS_LOST. Others
     * may still run: process_alive. */
    void (*on_exit)(struct process *p, int status);
};

/* Somebody else has reaped the child: it has ended, and nobody knows how. Reads as exit(255). */
#define PROCESS_STATUS_LOST (255 << 8)

/* Children that are started from now on outlive the thread that has started them: so a process that
 * is executed in our place has them still. What becomes of them when we are killed is then somebody
 * else's business, such as that of daemon/keeper.h. To be called before other threads. */
void process_outlive_threads(void);
bool process_children_outlive_threads(void);

/* Which signals this process ignores, and so has to undo in its children, is looked at when it
 * starts the first one. Whoever lets it ignore more of them later says so, while no child is being
 * started. */
void process_signals_changed(void);

/* Can we start children as other users, and signal them? */
bool process_may_change_user(void);

/* The descriptors of `spec` stay the caller's. Signal mask and dispositions are the defaults in the
 * child (process_signals_changed). Negative errno, and then no child exists: -ENOEXEC, -EACCES,
 * -ENOENT ... as of execve (also for the interpreter of a script and for the directory), -EAGAIN,
 * -EMFILE, -EPERM. */
int process_start(struct loop *loop, struct process *p, const struct process_spec *spec,
                  void (*on_exit)(struct process *p, int status));

/* Sends the signal to the child and all that descend from it. Allowed after on_exit. */
void process_signal(struct process *p, int signal);
/* Before on_exit: has it ended by now, so that on_exit is about to run? */
bool process_ended(const struct process *p);
/* After on_exit: does any of the others live? A zombie of its group counts until it is reaped. */
bool process_alive(struct process *p);
/* SIGKILL for all of them; true: nobody was left. To be called again until then: who forks
 * meanwhile may be missed, unless there is a cgroup. After on_exit. */
bool process_kill_rest(struct process *p);
/* They are done with: gives up the cgroup. Once, after on_exit. */
void process_done(struct process *p);

/* For the process that takes over. `cgroup`: in which it has one of its own, if it had. Negative
 * errno: it can't be watched. */
void process_pack(const struct process *p, struct pack *pack);
int process_unpack(struct loop *loop, struct process *p, struct slice in, struct cgroup *cgroup,
                   void (*on_exit)(struct process *p, int status));

#endif
