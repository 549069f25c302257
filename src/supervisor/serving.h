/* SPDX-License-Identifier: MIT */
/* serving.h - the serving process's side of the channel: what it asks of the supervisor, and what
 * the supervisor orders.
 *
 * Threads  One.
 */
#ifndef SUPERVISOR_SERVING_H
#define SUPERVISOR_SERVING_H

#include "supervisor/listening_set.h"

struct serving {
    int channel;
    pid_t supervisor;
    uint64_t beat_ms; /* how often to say IPC_BEAT; 0: never */
    uint32_t ticket;  /* of the last question */
    /* Orders that came while an answer was waited for. */
    unsigned drains;
    bool reload, upgrade;
};

enum serving_order {
    SERVING_NOTHING,
    SERVING_DRAIN,
    SERVING_RELOAD,
    SERVING_UPGRADE,
    SERVING_ALONE /* the supervisor is gone */
};

/* Is this process one that a supervisor has started? Then *ret is its side of the channel. Once, at
 * the start. */
bool serving_begin(struct serving *ret);

/* Asks for all listening sockets that the settings name, and waits for them. Negative errno, with
 * the address that failed in `ret_failed` ("" if the supervisor is to blame). After success say
 * IPC_TAKEN or IPC_REFUSED. */
int serving_ask(struct serving *s, struct listening_set *ret, char ret_failed[IPC_NAME_MAX]);
void serving_say(const struct serving *s, enum ipc_kind kind, int number);
/* IPC_HANDOVER, with the copies of what the check has read, or -1. */
void serving_hand_over(const struct serving *s, int inputs);

/* The next order that has arrived. */
enum serving_order serving_next(struct serving *s);
/* For the process that takes over from this one: what has been ordered and not been done. */
void serving_pack(struct serving *s, struct pack *p);
void serving_unpack(struct serving *s, struct slice in);
/* What it needs to know that it is a serving process, in the environment, for handover_execute():
 * serving_begin() finds it. Negative errno. */
int serving_name(const struct serving *s);
void serving_unname(void);
/* To be called after this process has changed its user: the kernel forgets then that it is to die
 * with the supervisor. */
void serving_bind(const struct serving *s);

#endif
