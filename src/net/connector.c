/* SPDX-License-Identifier: MIT */
#include "net/connector.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void answer(struct connector *c, int error)
{
    int fd = c->fd;
    c->fd = -1;
    watch_stop(&c->watch);
    timer_stop(&c->timer);
    if (error && fd >= 0)
        close(fd);
    c->on_connected(c, error ? error : fd);
}

static void known_already(struct timer *timer)
{
    struct connector *c = container_of(timer, struct connector, timer);
    answer(c, c->error);
}

static void too_late(struct timer *timer)
{
    answer(container_of(timer, struct connector, timer), -ETIMEDOUT);
}

static void decided(struct watch *watch, unsigned events)
{
    (void)events;
    struct connector *c = container_of(watch, struct connector, watch);
    int error = 0;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}) < 0)
        error = errno;
    answer(c, -error);
}

static int begin(struct loop *loop, struct connector *c, const struct net_address *to)
{
    c->fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -errno;
    if (to->any.sa_family != AF_UNIX &&
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) < 0)
        return -errno;
    if (connect(c->fd, &to->any, to->len) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR)
        return -errno; /* of a Unix socket with a full queue: -EAGAIN */
    int error = watch_start(loop, &c->watch, c->fd, WATCH_WRITE);
    return error ? error : -EINPROGRESS;
}

void connector_start(struct loop *loop, struct connector *c, const struct net_address *to,
                     uint64_t timeout_ms,
                     void (*on_connected)(struct connector *c, int fd_or_error))
{
    *c = (struct connector){.fd = -1, .on_connected = on_connected};
    watch_init(&c->watch, decided);
    c->error = begin(loop, c, to);
    bool pending = c->error == -EINPROGRESS;
    timer_init(&c->timer, pending ? too_late : known_already);
    timer_start(loop, &c->timer, pending ? timeout_ms : 0);
}

void connector_cancel(struct connector *c)
{
    watch_stop(&c->watch);
    timer_stop(&c->timer);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}
