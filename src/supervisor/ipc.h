/* SPDX-License-Identifier: MIT */
/* ipc.h - the messages between the supervisor and the serving process.
 *
 * A pair of SOCK_SEQPACKET sockets: a message arrives whole, in order, with its descriptors. Both
 * ends run the same program file, so a message is a struct as it lies in memory; for a moment of a
 * take-over one end is of another version, whose messages are the same (`ipc` in pack_kinds.def).
 * Neither side waits for the other without a time limit.
 */
#ifndef SUPERVISOR_IPC_H
#define SUPERVISOR_IPC_H

#include "net/address.h"

/* The numbers stay what they are. */
enum ipc_kind {
    /* from the supervisor */
    IPC_DRAIN,     /* as SIGTERM; a second one: at once */
    IPC_RELOAD,    /* as SIGHUP */
    IPC_LISTENERS, /* some descriptors of one listening address; an answer to IPC_ASK */
    IPC_ANSWERED,  /* the end of that answer; `number`: negative errno, and then `name` is the
                          address that failed */
    /* from the serving process */
    IPC_ASK,     /* for all listening sockets that the settings name now */
    IPC_TAKEN,   /* the answer is in use: sockets that it did not have may be closed */
    IPC_REFUSED, /* the answer is not used: the sockets stay as they were */
    IPC_READY,   /* every listener is being accepted from; `number`: whether by TLS */
    IPC_BEAT,    /* all its threads are alive */
    IPC_ENDS,    /* it is about to exit by itself, with the status `number` */
    /* from the supervisor */
    IPC_UPGRADE, /* as SIGUSR2 */
    /* from the serving process */
    IPC_HANDOVER /* it executes the new program file in its place: so should the supervisor,
                     with the copies of what the check has read; at most one descriptor */
};

enum {
    IPC_NAME_MAX = 160,
    IPC_FDS_MAX = 64
};

enum listening_role {
    LISTENING_PAGES,
    LISTENING_ADMIN,
    LISTENING_WAYS /* between servers */
};

struct ipc_message {
    enum ipc_kind kind;
    int number;
    uint32_t ticket; /* of a question and its answer */
    uint32_t id;     /* of a listening address */
    enum listening_role role;
    char name[IPC_NAME_MAX];
    int fd_count;
    int fds[IPC_FDS_MAX]; /* the receiver owns what it is sent; close-on-exec */
};

/* Both ends are non-blocking and close-on-exec. Negative errno. */
int ipc_open(int ret_ends[2]);
/* 0, -EAGAIN while the other end does not read, or another negative errno. The descriptors stay the
 * caller's. */
int ipc_send(int channel, const struct ipc_message *m);
/* 0, -EAGAIN if there is none, -EPIPE if the other end is gone, or another negative errno. */
int ipc_receive(int channel, struct ipc_message *ret);

#endif
