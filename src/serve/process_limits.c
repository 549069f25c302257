/* SPDX-License-Identifier: MIT */
#include "serve/process_limits.h"

#include "base/log.h"

#include <sys/prctl.h>

#define SESSION_NEEDS "each connected page takes about 4"

static struct rlimit found;
static bool known;

void process_limits_found(uint64_t now, uint64_t max)
{
    found = (struct rlimit){now, max};
    known = true;
}

const struct rlimit *process_limits_found_descriptors(void)
{
    if (!known && getrlimit(RLIMIT_NOFILE, &found) < 0)
        found = (struct rlimit){1024, 1024};
    known = true;
    return &found;
}

void process_limits_raise_descriptors(void)
{
    rlim_t max = process_limits_found_descriptors()->rlim_max;
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){max, max});
    log_info("server.descriptors", log_int("max", max), log_text("note", SESSION_NEEDS));
}

void process_limits_close_memory(bool open)
{
    prctl(PR_SET_DUMPABLE, open ? 1 : 0, 0, 0, 0);
    if (open)
        log_warn("server.open_memory",
                 log_text("note", "programs of the same user can read the sessions of all"));
}
