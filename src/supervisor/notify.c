/* SPDX-License-Identifier: MIT */
#include "supervisor/notify.h"

#include "base/slice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_un manager;
static socklen_t manager_len;
static uint64_t watchdog_ms;

static uint64_t number_of(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t number;
    return text && slice_to_uint(slice_of(text), UINT64_MAX, &number) ? number : 0;
}

static void read_watchdog(void)
{
    uint64_t pid = number_of("WATCHDOG_PID");
    if (!pid || pid == (uint64_t)getpid())
        watchdog_ms = number_of("WATCHDOG_USEC") / 1000;
}

/* A name that begins with @ is in the abstract namespace. */
static void read_address(const char *name)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len >= sizeof(manager.sun_path))
        return;
    manager = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(manager.sun_path, name, len);
    if (name[0] == '@')
        manager.sun_path[0] = 0;
    manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void notify_take_back(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_init(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    if (name) {
        read_address(name);
        read_watchdog();
    }
    notify_take_back();
}

void notify_give_back(void)
{
    char name[sizeof(manager.sun_path) + 1], number[32];
    if (!manager_len)
        return;
    size_t len = manager_len - offsetof(struct sockaddr_un, sun_path);
    snprintf(name, sizeof(name), "%c%.*s", manager.sun_path[0] ? manager.sun_path[0] : '@',
             (int)len - 1, manager.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    snprintf(number, sizeof(number), "%llu", (unsigned long long)watchdog_ms * 1000);
    if (watchdog_ms)
        setenv("WATCHDOG_USEC", number, 1);
}

void notify_say(const char *lines)
{
    if (!manager_len)
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    ssize_t sent =
        sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (struct sockaddr *)&manager, manager_len);
    (void)sent;
    close(fd);
}

void notify_reloading(void)
{
    char lines[96];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify_say(lines);
}

uint64_t notify_watchdog_ms(void)
{
    return watchdog_ms;
}
