/* SPDX-License-Identifier: MIT */
/* upgrade.c - has a server of this machine replace its program file (SIGUSR2). What comes of it
 * stands in the server's log. */
#include "cli/command.h"

#include "base/slice.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVER_NAME "httpsocketd"

static const char usage[] =
    "usage: httpsocket upgrade [PID]\n\n"
    "Asks the server (PID, or the only one that runs) to replace its program file and settings:\n"
    "sessions, programs and connections go on. Its log says takeover.done, or why not.\n";

/* Of /proc/PID/status: the parent; 0: it can't be read, or has another name. */
static pid_t parent_if_server(pid_t pid)
{
    char path[64], line[256], name[32] = "";
    int parent = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    if (!status)
        return 0;
    while (fgets(line, sizeof(line), status)) {
        if (sscanf(line, "Name: %31s", name) == 1 && strcmp(name, SERVER_NAME) != 0)
            break;
        if (sscanf(line, "PPid: %d", &parent) == 1)
            break;
    }
    fclose(status);
    return strcmp(name, SERVER_NAME) == 0 ? parent : 0;
}

/* How many there are that this user may signal. The serving process has another name. */
static size_t find(pid_t *ret)
{
    size_t count = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid <= 0 || !parent_if_server(pid) || kill(pid, 0) < 0)
            continue;
        *ret = pid;
        count++;
    }
    closedir(proc);
    return count;
}

static int ask(pid_t pid)
{
    if (!parent_if_server(pid)) {
        fprintf(stderr, "httpsocket: %d is no " SERVER_NAME "\n", (int)pid);
        return CLI_FAILURE;
    }
    if (kill(pid, SIGUSR2) < 0) {
        fprintf(stderr, "httpsocket: %d: %s\n", (int)pid, strerror(errno));
        return CLI_FAILURE;
    }
    printf("asked %d\n", (int)pid);
    return CLI_OK;
}

int upgrade_command(int argc, char **argv)
{
    uint64_t number;
    pid_t pid = 0;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return CLI_OK;
    }
    if (argc > 2 || (argc == 2 && !slice_to_uint(slice_of(argv[1]), INT32_MAX, &number))) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    if (argc == 2)
        return ask((pid_t)number);
    size_t count = find(&pid);
    if (count == 1)
        return ask(pid);
    fprintf(stderr, "httpsocket: %s\n",
            count ? "several servers run here: say the process id of one"
                  : "no server runs here that you may signal");
    return CLI_FAILURE;
}
