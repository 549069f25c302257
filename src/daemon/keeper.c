/* SPDX-License-Identifier: MIT */
#include "daemon/keeper.h"

#include "net/process_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Who is killed ends a moment later, and may have forked before. */
#define ROUNDS   250
#define ROUND_US 20000

/* Beside the two descriptors that it needs it has /dev/null as its first three. */
static void let_go(int server)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    dup2(server, 3);
    close_range(4, UINT_MAX, 0);
    if (chdir("/") < 0)
        return;
}

/* The cgroup is opened anew: its descriptor may have been in the way. */
static _Noreturn void keep(int server, struct cgroup *cgroup)
{
    prctl(PR_SET_NAME, "httpsocketd-end");
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    let_go(server);
    struct pollfd wait = {.fd = 3, .events = POLLIN};
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

int keeper_start(struct cgroup *cgroup)
{
    if (getpid() == 1)
        return 0;
    mark_begin(); /* the keeper looks for the marks that we shall make */
    int server = pidfd_open(getpid(), 0);
    if (server < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        keep(server, cgroup);
    }
    int error = pid < 0 ? -errno : 0;
    close(server);
    if (!error && waitpid(pid, NULL, 0) < 0)
        error = -errno;
    return error;
}
