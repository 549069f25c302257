/* SPDX-License-Identifier: MIT */
#include "supervisor/leftovers.h"

#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_FIELD = 22, /* of /proc/PID/stat */
    CHILDREN_BYTES = 65536,
    GRACE_MS = 2000, /* from SIGTERM to SIGKILL, and from that to the end of our patience */
    LOOK_MS = 100,
    KILL_ROUND_MS = 2
};

static size_t read_file(const char *path, char *room, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    if (fd < 0)
        return 0;
    for (ssize_t n; len < size - 1 && (n = read(fd, room + len, size - 1 - len)) > 0;)
        len += (size_t)n;
    close(fd);
    room[len] = 0;
    return len;
}

/* When a process was started, in the kernel's ticks; 0: there is none. */
static uint64_t start_of(pid_t pid)
{
    char path[64], stat[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    read_file(path, stat, sizeof(stat));
    char *at = strrchr(stat, ')'); /* the second field is a name, in parentheses */
    for (int field = 2; at && field < START_FIELD; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

/* Sends the signal (0: none) to each. Returns how many there are. A list that does not fit is cut:
 * after those that it names have gone, the rest is seen. */
static size_t signal_all(const struct leftovers *l, int signal)
{
    static char children[CHILDREN_BYTES];
    size_t found = 0;
    char path[64], *end;
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    read_file(path, children, sizeof(children));
    for (char *at = children;; at = end) {
        pid_t pid = (pid_t)strtol(at, &end, 10);
        if (end == at)
            return found;
        uint64_t start = pid == l->serving ? 0 : start_of(pid);
        if (start == 0 || start <= l->first_ticks || start > l->last_ticks)
            continue;
        found++;
        if (signal) {
            kill(pid, signal);
            kill(pid, SIGCONT); /* a stopped one would not end */
        }
    }
}

void leftovers_begin(struct leftovers *l, pid_t serving)
{
    l->serving = serving;
    l->last_ticks = start_of(serving);
    if (!l->first_ticks)
        l->first_ticks = l->last_ticks;
}

void leftovers_end(struct leftovers *l, uint64_t now_ms)
{
    l->serving = 0;
    l->last_ticks = UINT64_MAX;
    signal_all(l, SIGTERM);
    l->kill_ms = now_ms + GRACE_MS;
    l->due_ms = now_ms + LOOK_MS;
}

void leftovers_look(struct leftovers *l, uint64_t now_ms)
{
    size_t left = signal_all(l, now_ms >= l->kill_ms ? SIGKILL : 0);
    bool going = left > 0 && now_ms < l->kill_ms + GRACE_MS;
    if (left > 0 && !going)
        log_warn("programs.left", log_int("count", left));
    l->due_ms = going ? now_ms + LOOK_MS : 0;
}

void leftovers_kill(struct leftovers *l)
{
    l->last_ticks = UINT64_MAX;
    for (int round = 0; round < GRACE_MS / KILL_ROUND_MS && signal_all(l, SIGKILL) > 0; round++) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        poll(NULL, 0, KILL_ROUND_MS);
    }
}
