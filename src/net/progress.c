/* SPDX-License-Identifier: MIT */
#include "net/progress.h"

#include <linux/sockios.h>
#include <linux/tcp.h> /* knows tcpi_bytes_acked, which <netinet/tcp.h> does not */
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* A Unix socket has no such count. */
static uint64_t acked(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_received))
        return 0;
    return info.tcpi_bytes_acked;
}

static size_t unacked(int fd)
{
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

struct net_progress stream_progress(const struct stream *s)
{
    size_t waiting = stream_queued(s) + unacked(s->io.fd);
    return (struct net_progress){
        .acked = (uint32_t)acked(s->io.fd),
        .waiting = waiting < UINT32_MAX ? (uint32_t)waiting : UINT32_MAX,
    };
}

bool net_progress_moved(const struct net_progress *then, const struct net_progress *now)
{
    return now->waiting < then->waiting || (then->waiting > 0 && now->acked != then->acked);
}
