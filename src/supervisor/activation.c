/* SPDX-License-Identifier: MIT */
#include "supervisor/activation.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FIRST_FD = 3,
    FDS_MAX = 1024
};

static long number_of(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t number;
    return text && slice_to_uint(slice_of(text), INT32_MAX, &number) ? (long)number : -1;
}

static bool listens(int fd)
{
    int type = 0, accepts = 0;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof(type)}) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &(socklen_t){sizeof(accepts)}) ==
               0 &&
           type == SOCK_STREAM && accepts;
}

static int take(struct listeners *l, int fd, struct slice name)
{
    char text[IPC_NAME_MAX];
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(name));
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || !listens(fd)) {
        log_error("activation.refused", log_int("fd", fd), log_text("name", text),
                  log_text("why", "expected a listening stream socket"));
        return -EINVAL;
    }
    bool admin = slice_equal(name, SLICE_LITERAL("admin"));
    int error = listeners_pass(l, admin ? LISTENING_ADMIN : LISTENING_PAGES, text, fd);
    if (error)
        log_error("activation.refused", log_int("fd", fd), log_errno("error", error));
    return error;
}

/* The names are separated by colons; the last ones may be missing. */
static struct slice next_name(struct slice *rest)
{
    size_t end = slice_find(*rest, ':');
    struct slice name = slice_first(*rest, end);
    *rest = slice_skip(*rest, end < rest->len ? end + 1 : end);
    return name.len ? name : SLICE_LITERAL("passed");
}

int activation_take(struct listeners *l)
{
    long count = number_of("LISTEN_PID") == getpid() ? number_of("LISTEN_FDS") : 0;
    const char *names = getenv("LISTEN_FDNAMES");
    struct slice rest = names ? slice_of(names) : SLICE_NONE;
    int error = 0;
    for (int i = 0; i < count && i < FDS_MAX && !error; i++)
        error = take(l, FIRST_FD + i, next_name(&rest));
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return error;
}
