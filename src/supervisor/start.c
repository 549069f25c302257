/* SPDX-License-Identifier: MIT */
#include "supervisor/start.h"

#include "supervisor/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    STATUS_NOT_FOUND = 127
};

/* The file that we run, also if another one has its name by now. */
static void exec_self(char *const *argv)
{
    execv("/proc/self/exe", argv);
    execv((const char *)getauxval(AT_EXECFN), argv); /* without /proc */
}

_Noreturn static void become_serving(const struct start_spec *spec, int channel, pid_t supervisor)
{
    char value[64];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor)
        _exit(STATUS_NOT_FOUND);
    setsid();
    setrlimit(RLIMIT_NOFILE, &spec->descriptors);
    snprintf(value, sizeof(value), "%d:%d:%llu", (int)getpid(), channel,
             (unsigned long long)spec->beat_ms);
    if (setenv(START_VARIABLE, value, 1) == 0 && fcntl(channel, F_SETFD, 0) == 0) {
        sigprocmask(SIG_SETMASK, &spec->mask, NULL);
        exec_self(spec->argv);
    }
    _exit(STATUS_NOT_FOUND);
}

int start_serving(const struct start_spec *spec, pid_t *ret_pid, int *ret_channel)
{
    int ends[2];
    int error = ipc_open(ends);
    if (error)
        return error;
    pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become_serving(spec, ends[1], supervisor);
    if (pid < 0)
        error = -errno;
    close(ends[1]);
    if (error) {
        close(ends[0]);
        return error;
    }
    *ret_pid = pid;
    *ret_channel = ends[0];
    return 0;
}
