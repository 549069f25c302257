/* SPDX-License-Identifier: MIT */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define PATIENCE_MS 5000

static int spawn(const char *command, const int to[2], const int from[2], pid_t *pid)
{
    char *argv[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &pipe);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawn(pid, "/bin/sh", &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

int child_start(const char *command, struct child *ret)
{
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) < 0)
        return errno;
    if (pipe2(from, O_CLOEXEC) < 0) {
        int error = errno;
        close(to[0]);
        close(to[1]);
        return error;
    }
    int error = spawn(command, to, from, &ret->pid);
    close(to[0]);
    close(from[1]);
    if (error) {
        close(to[1]);
        close(from[0]);
        return error;
    }
    ret->in = to[1];
    ret->out = from[0];
    return 0;
}

static void wait_or_kill(int pidfd, pid_t pid)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        if (poll(&p, 1, PATIENCE_MS) > 0)
            return;
        kill(pid, signals[i]);
    }
}

int child_wait(const struct child *child)
{
    int status = 0;
    int pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    if (pidfd >= 0) {
        wait_or_kill(pidfd, child->pid);
        close(pidfd);
    }
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}
