/* SPDX-License-Identifier: MIT */
#include "serve/io_choice.h"

#include "base/log.h"
#include "core/loop.h"

#include <errno.h>
#include <string.h>

static const char *why_not(int error)
{
    switch (-error) {
    case ENOSYS:
        return "the kernel is older than Linux 6.1, or was built without io_uring";
    case EPERM:
    case EACCES:
        return "forbidden: by kernel.io_uring_disabled, or by the seccomp filter of the container";
    case ENOMEM:
        return "no memory: RLIMIT_MEMLOCK, or the memory of the machine or the cgroup";
    default:
        return strerror(-error);
    }
}

bool io_choose(const struct config *config, bool pages_depend)
{
    bool demanded = strcmp(config->io, "io_uring") == 0;
    int error = demanded ? loop_use("io_uring") : 0;
    if (error && demanded && !pages_depend) {
        log_error("io.failed", log_text("why", why_not(error)),
                  log_text("note", "io = epoll works everywhere"));
        return false;
    }
    if (error)
        log_error("io.epoll", log_text("why", why_not(error)));
    return true;
}
