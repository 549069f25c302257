/* SPDX-License-Identifier: MIT */
#include "core/io_calls.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The pause for want of descriptors or memory. New connections wait in the socket's queue
 * meanwhile, until other connections have ended. */
#define RETRY_MS    100
#define WAITING_MAX 65536 /* above any backlog: who comes meanwhile is not waited for */

static void start(struct acceptor *acceptor)
{
    if (acceptor->loop->backend->accept_start(acceptor))
        timer_start(acceptor->loop, &acceptor->retry, RETRY_MS);
}

static void resume(struct timer *timer)
{
    start(container_of(timer, struct acceptor, retry));
}

void acceptor_pause(struct acceptor *acceptor, bool paused)
{
    if (paused == acceptor->paused)
        return;
    acceptor->paused = paused;
    if (!paused) {
        start(acceptor);
        return;
    }
    if (!timer_active(&acceptor->retry))
        acceptor->loop->backend->accept_stop(acceptor);
    timer_stop(&acceptor->retry);
}

int acceptor_start(struct loop *loop, struct acceptor *acceptor, int fd,
                   void (*accepted)(struct acceptor *, int fd))
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
        return -errno;
    *acceptor = (struct acceptor){.loop = loop, .fd = fd, .accepted = accepted};
    timer_init(&acceptor->retry, resume);
    return loop->backend->accept_start(acceptor);
}

void acceptor_stop(struct acceptor *acceptor)
{
    struct loop *loop = acceptor->loop;
    if (!timer_active(&acceptor->retry) && !acceptor->paused)
        loop->backend->accept_stop(acceptor);
    timer_stop(&acceptor->retry);
    if (loop->accepting == acceptor)
        loop->accepting = NULL;
    close(acceptor->fd);
    acceptor->fd = -1;
}

/* accept(2): errors of one connection that was on its way, not of the socket. */
static bool concerns_one(int error)
{
    switch (-error) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    }
    return false;
}

void acceptor_take_waiting(struct acceptor *acceptor)
{
    struct sockaddr_storage peer;
    for (int i = 0; i < WAITING_MAX; i++) {
        int fd = io_call_accept(acceptor, &peer);
        if (fd >= 0)
            acceptor_accepted(acceptor, fd);
        else if (!concerns_one(fd))
            return;
    }
}

bool acceptor_accepted(struct acceptor *acceptor, int fd)
{
    struct loop *loop = acceptor->loop;
    loop_count(&loop->counts.accepts, 1);
    loop->accepting = acceptor;
    acceptor->accepted(acceptor, fd);
    bool ours = loop->accepting == acceptor;
    loop->accepting = NULL;
    return ours;
}

void acceptor_emptied(struct acceptor *acceptor)
{
    if (!acceptor->starved)
        return;
    acceptor->starved = false;
    log_info("accept.resumed", log_int("fd", acceptor->fd));
}

bool acceptor_failed(struct acceptor *acceptor, int error)
{
    if (concerns_one(error))
        return true;
    struct loop *loop = acceptor->loop;
    loop_count(&loop->counts.accept_pauses, 1);
    if (!acceptor->starved)
        log_error("accept.paused", log_int("fd", acceptor->fd), log_errno("error", error));
    acceptor->starved = true;
    loop->backend->accept_stop(acceptor);
    if (acceptor->on_starved)
        acceptor->on_starved(acceptor);
    timer_start(loop, &acceptor->retry, RETRY_MS);
    return false;
}
