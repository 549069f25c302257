/* SPDX-License-Identifier: MIT */
#include "supervisor/ipc.h"

#include <errno.h>

union descriptors {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

int ipc_open(int ret_ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_ends) ? -errno
                                                                                           : 0;
}

int ipc_send(int channel, const struct ipc_message *m)
{
    union descriptors control = {0};
    size_t fds_len = sizeof(int) * (size_t)m->fd_count;
    struct msghdr head = {
        .msg_iov = &(struct iovec){(void *)m, sizeof(*m)},
        .msg_iovlen = 1,
    };
    if (m->fd_count > 0) {
        head.msg_control = &control;
        head.msg_controllen = CMSG_SPACE(fds_len);
        control.head = (struct cmsghdr){CMSG_LEN(fds_len), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), m->fds, fds_len);
    }
    ssize_t n;
    do {
        n = sendmsg(channel, &head, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* The numbers in the sender's message are its own. */
static void take_descriptors(struct ipc_message *m, struct msghdr *head)
{
    m->fd_count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c; c = CMSG_NXTHDR(head, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        m->fd_count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(m->fds, CMSG_DATA(c), sizeof(int) * (size_t)m->fd_count);
    }
}

int ipc_receive(int channel, struct ipc_message *ret)
{
    union descriptors control;
    struct msghdr head = {
        .msg_iov = &(struct iovec){ret, sizeof(*ret)},
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t n;
    do {
        n = recvmsg(channel, &head, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    if (n == 0)
        return -EPIPE;
    if (n != sizeof(*ret))
        return -EPROTO;
    take_descriptors(ret, &head);
    ret->name[IPC_NAME_MAX - 1] = 0;
    return 0;
}
