/* SPDX-License-Identifier: MIT */
#include "supervisor/serving.h"

#include "base/pack.h"

#include "supervisor/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    ANSWER_MS = 20000
};

bool serving_begin(struct serving *ret)
{
    int pid, fd;
    unsigned long long beat_ms;
    const char *value = getenv(START_VARIABLE);
    bool ours = value && sscanf(value, "%d:%d:%llu", &pid, &fd, &beat_ms) == 3 && pid == getpid();
    unsetenv(START_VARIABLE);
    if (!ours || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return false;
    *ret = (struct serving){.channel = fd, .supervisor = getppid(), .beat_ms = beat_ms};
    prctl(PR_SET_NAME, "httpsocketd-srv");
    return true;
}

void serving_bind(const struct serving *s)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != s->supervisor)
        raise(SIGKILL);
}

/* Fails only if the supervisor is gone, or has not read for very long. */
void serving_say(const struct serving *s, enum ipc_kind kind, int number)
{
    struct ipc_message m = {.kind = kind, .number = number};
    ipc_send(s->channel, &m);
}

void serving_hand_over(const struct serving *s, int inputs)
{
    struct ipc_message m = {
        .kind = IPC_HANDOVER,
        .fd_count = inputs >= 0,
        .fds = {inputs},
    };
    ipc_send(s->channel, &m);
}

static void note_order(struct serving *s, const struct ipc_message *m)
{
    if (m->kind == IPC_DRAIN)
        s->drains++;
    else if (m->kind == IPC_RELOAD)
        s->reload = true;
    else if (m->kind == IPC_UPGRADE)
        s->upgrade = true;
}

/* An order, or an answer that came too late. */
static void take_other(struct serving *s, const struct ipc_message *m)
{
    for (int i = 0; i < m->fd_count; i++)
        close(m->fds[i]);
    note_order(s, m);
}

/* 1 after the answer's end; 0 if more is to come; negative errno. */
static int take_answer(struct serving *s, struct ipc_message *m, struct listening_set *set,
                       char failed[IPC_NAME_MAX])
{
    bool answers = m->ticket == s->ticket;
    if (answers && m->kind == IPC_LISTENERS)
        return listening_add(set, m->role, m->id, m->fds, (size_t)m->fd_count);
    if (!answers || m->kind != IPC_ANSWERED) {
        take_other(s, m);
        return 0;
    }
    memcpy(failed, m->name, IPC_NAME_MAX);
    return m->number ? m->number : 1;
}

static int wait_for_answer(struct serving *s, struct listening_set *set, char failed[IPC_NAME_MAX])
{
    for (;;) {
        struct ipc_message m;
        int got = ipc_receive(s->channel, &m);
        if (got == -EAGAIN) {
            struct pollfd wait = {.fd = s->channel, .events = POLLIN};
            int ready = poll(&wait, 1, ANSWER_MS);
            if (ready == 0)
                return -ETIMEDOUT;
            if (ready < 0 && errno != EINTR)
                return -errno;
            continue;
        }
        if (got == 0)
            got = take_answer(s, &m, set, failed);
        if (got)
            return got < 0 ? got : 0;
    }
}

int serving_ask(struct serving *s, struct listening_set *ret, char ret_failed[IPC_NAME_MAX])
{
    struct listening_set set = {0};
    ret_failed[0] = 0;
    struct ipc_message m = {.kind = IPC_ASK, .ticket = ++s->ticket};
    int error = ipc_send(s->channel, &m);
    if (!error)
        error = wait_for_answer(s, &set, ret_failed);
    if (error)
        listening_done(&set);
    else
        *ret = set;
    return error;
}

static enum serving_order noted_order(struct serving *s)
{
    if (s->drains > 0) {
        s->drains--;
        return SERVING_DRAIN;
    }
    if (s->reload) {
        s->reload = false;
        return SERVING_RELOAD;
    }
    bool upgrade = s->upgrade;
    s->upgrade = false;
    return upgrade ? SERVING_UPGRADE : SERVING_NOTHING;
}

enum serving_order serving_next(struct serving *s)
{
    for (;;) {
        struct ipc_message m;
        enum serving_order order = noted_order(s);
        if (order != SERVING_NOTHING)
            return order;
        int error = ipc_receive(s->channel, &m);
        if (error)
            return error == -EAGAIN ? SERVING_NOTHING : SERVING_ALONE;
        take_other(s, &m);
    }
}

/* ---- for the process that takes over ---- */

enum {
    CHANNEL = 1,
    TICKET,
    DRAINS,
    RELOAD,
    UPGRADE,
};

void serving_pack(struct serving *s, struct pack *p)
{
    struct ipc_message m;
    while (ipc_receive(s->channel, &m) == 0)
        take_other(s, &m);
    pack_fd(p, CHANNEL, s->channel);
    pack_number(p, TICKET, s->ticket);
    pack_number(p, DRAINS, s->drains);
    pack_number(p, RELOAD, s->reload);
    pack_number(p, UPGRADE, s->upgrade);
}

/* An order to reload needs no obeying: who has taken over reads the settings again. */
void serving_unpack(struct serving *s, struct slice in)
{
    s->ticket = (uint32_t)packed_number(in, TICKET);
    s->drains = (unsigned)packed_number(in, DRAINS);
    s->upgrade = packed_number(in, UPGRADE);
}

int serving_name(const struct serving *s)
{
    char value[64];
    snprintf(value, sizeof(value), "%d:%d:%llu", (int)getpid(), s->channel,
             (unsigned long long)s->beat_ms);
    return setenv(START_VARIABLE, value, 1) ? -ENOMEM : 0;
}

void serving_unname(void)
{
    unsetenv(START_VARIABLE);
}
