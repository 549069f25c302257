/* SPDX-License-Identifier: MIT */
/* listeners.h - the listening sockets of a server, which outlive the processes that serve them.
 *
 * They are bound once and kept, so that connections which come while nobody accepts wait in the
 * kernel for the next serving process. A change of the settings goes in two steps, because the
 * serving process may refuse what it is offered:
 *
 *     listeners_offer ──> listeners_keep   (what the new settings don't name is closed)
 *                    └──> listeners_undo   (what was opened for them is closed)
 *
 * Sockets that the service manager has passed (activation.h) are used for the address that they
 * have; those whose address no setting names serve pages too.
 *
 * Ownership  Of the descriptors: listeners'. The caller duplicates what it wants to have.
 * Threads    One.
 */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H

#include "supervisor/ipc.h"

#include <sys/types.h>

struct pack;

struct listening {
    enum listening_role role;
    uint32_t id; /* another one for each socket, for ever */
    char name[IPC_NAME_MAX];
    struct net_address address; /* as bound */
    int *fds;
    size_t fd_count;
    bool passed; /* by the service manager */
    bool wanted; /* by the latest offer */
    bool fresh;  /* opened for the latest offer */
};

struct listeners {
    struct listening **items;
    size_t count;
    uint32_t last_id;
};

/* What the settings ask for. */
struct listening_wish {
    enum listening_role role;
    const char *name; /* as the settings have it */
    struct net_address address;
    size_t fd_count;      /* TCP: so many queues, for as many threads */
    bool only_by_default; /* not if the service manager has passed a socket for this role */
    uid_t uid;            /* whom the file of a Unix socket belongs to; -1: to us */
    gid_t gid;
};

/* Adds a socket that was passed, a listening one. Takes the descriptor, also on failure (negative
 * errno). */
int listeners_pass(struct listeners *l, enum listening_role role, const char *name, int fd);

/* Opens what is missing. `at_start`: nobody serves; otherwise the admin listener stays as it is. On
 * failure negative errno, *ret_failed is the wish that failed, and nothing has changed. */
int listeners_offer(struct listeners *l, const struct listening_wish *wishes, size_t count,
                    bool at_start, const struct listening_wish **ret_failed);
void listeners_keep(struct listeners *l);
void listeners_undo(struct listeners *l);

/* For the process that takes over. */
void listeners_pack(const struct listeners *l, struct pack *p);
/* False without memory. */
bool listeners_unpack(struct listeners *l, struct slice in);

/* Closes the descriptors: from then on nobody can connect, once the serving process has closed its
 * own. */
void listeners_close(struct listeners *l);
/* Closes, removes the files of Unix sockets that we made, and frees. */
void listeners_done(struct listeners *l);

#endif
