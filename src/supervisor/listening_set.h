/* SPDX-License-Identifier: MIT */
/* listening_set.h - the serving process's own descriptors of all listening sockets, on their way to
 * those that accept from them.
 *
 * Ownership  The set owns its descriptors until somebody takes one (listening_take).
 */
#ifndef SUPERVISOR_LISTENING_SET_H
#define SUPERVISOR_LISTENING_SET_H

#include "supervisor/listeners.h"

struct listening_place {
    enum listening_role role;
    uint32_t id;
    struct net_address address;
    int *fds; /* -1: taken */
    size_t fd_count;
};

struct listening_set {
    struct listening_place *items;
    size_t count;
};

/* Adds descriptors of one address, which become the set's also on failure; those of one id come
 * one after the other. Negative errno. */
int listening_add(struct listening_set *set, enum listening_role role, uint32_t id, const int *fds,
                  size_t fd_count);
/* Duplicates all that `l` has. Negative errno. */
int listening_copy(struct listening_set *set, const struct listeners *l);
/* Has at least as many descriptors of each address as there are threads: duplicates share a queue.
 * Negative errno. */
int listening_spread(struct listening_set *set, size_t threads);
/* The descriptor becomes the caller's; -1 if it is taken. */
int listening_take(struct listening_place *place, size_t index);
/* Closes what nobody has taken. */
void listening_done(struct listening_set *set);

#endif
