/* SPDX-License-Identifier: MIT */
#include "supervisor/answer.h"

#include <errno.h>
#include <poll.h>

enum {
    ANSWER_MS = 2000
};

static bool send_waiting(int channel, const struct ipc_message *m)
{
    int error;
    while ((error = ipc_send(channel, m)) == -EAGAIN) {
        struct pollfd wait = {.fd = channel, .events = POLLOUT};
        if (poll(&wait, 1, ANSWER_MS) == 0)
            return false;
    }
    return error == 0;
}

static bool send_listening(int channel, const struct listening *item, uint32_t ticket)
{
    for (size_t sent = 0; sent < item->fd_count;) {
        size_t rest = item->fd_count - sent;
        struct ipc_message m = {
            .kind = IPC_LISTENERS,
            .ticket = ticket,
            .id = item->id,
            .role = item->role,
            .fd_count = (int)(rest < IPC_FDS_MAX ? rest : IPC_FDS_MAX),
        };
        memcpy(m.fds, item->fds + sent, sizeof(int) * (size_t)m.fd_count);
        if (!send_waiting(channel, &m))
            return false;
        sent += (size_t)m.fd_count;
    }
    return true;
}

static bool send_listeners(int channel, uint32_t ticket, const struct listeners *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i]->wanted && !send_listening(channel, l->items[i], ticket))
            return false;
    return true;
}

void answer_send(int channel, uint32_t ticket, const struct listeners *l, int error,
                 const char *failed)
{
    struct ipc_message m = {.kind = IPC_ANSWERED, .ticket = ticket, .number = error};
    if (failed)
        memccpy(m.name, failed, 0, IPC_NAME_MAX - 1);
    if (!error && !send_listeners(channel, ticket, l))
        m.number = -EIO;
    send_waiting(channel, &m);
}
