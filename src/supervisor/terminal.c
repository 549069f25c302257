/* SPDX-License-Identifier: MIT */
#include "supervisor/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void terminal_init(struct terminal *t)
{
    struct sigaction hup;
    *t = (struct terminal){.had = has_terminal(), .leader = getsid(0)};
    t->ignored = sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_IGN;
}

bool terminal_hung_up(const struct terminal *t, const struct signalfd_siginfo *hup)
{
    bool by_terminal = hup->ssi_code == SI_KERNEL || (pid_t)hup->ssi_pid == t->leader;
    return t->had && by_terminal && !has_terminal();
}
