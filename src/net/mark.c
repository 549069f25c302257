/* SPDX-License-Identifier: MIT */
#include "net/mark.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define VALUE_MAX 64 /* with its NUL */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t server;
static _Atomic uint64_t last;

static void make_server(void)
{
    if (getrandom(&server, sizeof(server), 0) != sizeof(server))
        server = (uint64_t)getpid();
}

void mark_begin(void)
{
    pthread_once(&once, make_server);
}

static void keep_server(void)
{
}

uint64_t mark_server(void)
{
    mark_begin();
    return server;
}

void mark_begin_as(uint64_t other)
{
    server = other;
    pthread_once(&once, keep_server);
}

uint64_t mark_last(void)
{
    return last;
}

void mark_go_on(uint64_t number)
{
    last = number;
}

static int write_server(char text[64])
{
    mark_begin();
    return snprintf(text, 64, MARK_NAME "=%016" PRIx64 ".", server);
}

void mark_make(struct mark *ret)
{
    int len = write_server(ret->text);
    ret->number = ++last;
    snprintf(ret->text + len, sizeof(ret->text) - (size_t)len, "%" PRIu64, ret->number);
}

/* The variable, with the NUL before it. */
static const char *find(const char *text, size_t have)
{
    return memmem(text, have, "\0" MARK_NAME "=", sizeof(MARK_NAME) + 1);
}

/* Copies the variable. The environment is read piece by piece; what could be the beginning of the
 * variable is kept for the next piece. */
static bool read_variable(pid_t pid, char ret[VALUE_MAX])
{
    char path[32], text[8192] = "";
    size_t have = 1; /* the first variable has a NUL before it, too */
    const char *found = NULL;
    snprintf(path, sizeof(path), "/proc/%d/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    for (ssize_t n; (n = read(fd, text + have, sizeof(text) - 1 - have)) > 0;) {
        have += (size_t)n;
        found = find(text, have);
        size_t from = found ? (size_t)(found - text) : have < VALUE_MAX ? 0 : have - VALUE_MAX;
        have -= from;
        memmove(text, text + from, have);
        if (found && have > VALUE_MAX)
            break;
    }
    close(fd);
    if (!found)
        return false;
    text[have] = '\0';
    snprintf(ret, VALUE_MAX, "%.*s", VALUE_MAX - 1, text + 1);
    return true;
}

enum mark_found mark_look(pid_t pid, const struct mark *mark)
{
    char text[VALUE_MAX];
    if (!read_variable(pid, text))
        return MARK_NONE;
    return strcmp(text, mark->text) ? MARK_OTHER : MARK_SAME;
}

bool mark_is_ours(pid_t pid)
{
    char text[VALUE_MAX], ours[64];
    int len = write_server(ours);
    return read_variable(pid, text) && strncmp(text, ours, (size_t)len) == 0;
}
