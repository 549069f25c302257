/* SPDX-License-Identifier: MIT */
#include "supervisor/start.h"

#include "supervisor/handover.h"
#include "supervisor/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    STATUS_NOT_FOUND = 127
};

/* The environment of the child, made before the fork: between fork and exec nothing is allocated,
 * since another thread (the log's) may hold the allocator's lock at the fork. */
struct start_environment {
    char **list; /* owned; its strings are ours, but for the last two */
    char value[sizeof(START_VARIABLE) + 64];
    char file[sizeof(HANDOVER_FILE) + PATH_MAX];
};

static bool environment_prepare(struct start_environment *e)
{
    size_t count = 0, kept = 0;
    snprintf(e->file, sizeof(e->file), HANDOVER_FILE "=%s", handover_file());
    while (environ[count])
        count++;
    e->list = malloc((count + 3) * sizeof(*e->list));
    if (!e->list)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], START_VARIABLE "=", sizeof(START_VARIABLE)) != 0)
            e->list[kept++] = environ[i];
    e->list[kept++] = e->value;
    e->list[kept++] = e->file;
    e->list[kept] = NULL;
    return true;
}

/* The file that we run, also if another one has its name by now. */
static void exec_self(char *const *argv, char *const *envp)
{
    execve("/proc/self/exe", argv, envp);
    execve((const char *)getauxval(AT_EXECFN), argv, envp); /* without /proc */
}

_Noreturn static void become_serving(const struct start_spec *spec, struct start_environment *e,
                                     int channel, pid_t supervisor)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor)
        _exit(STATUS_NOT_FOUND);
    setsid();
    setrlimit(RLIMIT_NOFILE, &spec->descriptors);
    snprintf(e->value, sizeof(e->value), START_VARIABLE "=%d:%d:%llu", (int)getpid(), channel,
             (unsigned long long)spec->beat_ms);
    if (fcntl(channel, F_SETFD, 0) == 0) {
        sigprocmask(SIG_SETMASK, &spec->mask, NULL);
        exec_self(spec->argv, e->list);
    }
    _exit(STATUS_NOT_FOUND);
}

int start_serving(const struct start_spec *spec, pid_t *ret_pid, int *ret_channel)
{
    int ends[2];
    struct start_environment environment;
    int error = ipc_open(ends);
    if (error)
        return error;
    if (!environment_prepare(&environment)) {
        close(ends[0]);
        close(ends[1]);
        return -ENOMEM;
    }
    pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become_serving(spec, &environment, ends[1], supervisor);
    if (pid < 0)
        error = -errno;
    free(environment.list);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        return error;
    }
    *ret_pid = pid;
    *ret_channel = ends[0];
    return 0;
}
