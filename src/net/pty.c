/* SPDX-License-Identifier: MIT */
#include "net/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static int make_raw(int slave)
{
    struct termios settings;
    if (tcgetattr(slave, &settings) < 0)
        return -errno;
    cfmakeraw(&settings);
    return tcsetattr(slave, TCSANOW, &settings) < 0 ? -errno : 0;
}

/* By the master, not by its name: /dev/pts may be another one here. */
static int open_slave(int master)
{
    if (unlockpt(master) < 0)
        return -errno;
    int slave = ioctl(master, TIOCGPTPEER, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return slave < 0 ? -errno : slave;
}

int pty_open(int *master, int *slave)
{
    int ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (ours < 0)
        return -errno;
    int theirs = open_slave(ours);
    int error = theirs < 0 ? theirs : make_raw(theirs);
    if (error) {
        if (theirs >= 0)
            close(theirs);
        close(ours);
        return error;
    }
    *master = ours;
    *slave = theirs;
    return 0;
}
