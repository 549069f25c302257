/* SPDX-License-Identifier: MIT */
/* cgroup.h - cgroups (version 2), one for each child and all that descend from it: killed by one
 * write, whatever they do meanwhile.
 *
 * There are none where the system has only version 1, or lets us make none: in a container whose
 * /sys/fs/cgroup is read-only, or as a user to whom nothing is delegated (`Delegate=yes` of
 * systemd).
 *
 * Lifetime  Made before the threads, closed after them.
 * Threads   Any.
 */
#ifndef NET_CGROUP_H
#define NET_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_SPARES_MAX 64

/* A cgroup of our own, in which the children's are. */
struct cgroup;

/* `httpsocketd.SERVER.RANDOM`, in the cgroup that we are in. NULL and errno. */
struct cgroup *cgroup_open(pid_t server);
/* Removes what such a server, which is over, has left. */
void cgroup_sweep(pid_t server);
/* To another user, whose rights we are about to take: we go into a cgroup in there, since who has
 * no rights outside of it puts children into it only from inside. False: it can't be used. */
bool cgroup_give(struct cgroup *cgroup, uid_t user, gid_t group);
/* Its folder; and the same cgroup in another process, which still has to reopen it. NULL without
 * memory. */
const char *cgroup_path(const struct cgroup *cgroup);
struct cgroup *cgroup_of(const char *path);
/* Its descriptor was closed: another one. */
void cgroup_reopen(struct cgroup *cgroup);
/* Removes all in it that nobody is in, such as the spares of the process that we have taken over
 * from. Before a child is started. */
void cgroup_tidy(struct cgroup *cgroup);
/* Removes it, and all in it that are empty. Accepts NULL. */
void cgroup_close(struct cgroup *cgroup);

/* One for a child, and all that descend from it. */
struct cgroup_child {
    uint64_t number; /* its name */
    int folder;      /* owned, for clone3(2); -1: closed, or of the process taken over from */
    int events;      /* owned, cgroup.events; as above */
    bool kept;       /* these stay open while the child lives */
};

/* One that another child has left, or a new one of this number, which no other child has. Negative
 * errno. */
int cgroup_make(struct cgroup *cgroup, uint64_t number, struct cgroup_child *ret);
/* The child is in it: closes what need not stay open. */
void cgroup_entered(struct cgroup *cgroup, struct cgroup_child *child);
/* The child is done with it: it is removed, or, if it is known to be `empty` and was never killed,
 * kept for another child (CGROUP_SPARES_MAX of them: to make one and to remove it costs as much as
 * to start a child). The descriptors of eight at most stay open
 * until cgroup_rest(). */
void cgroup_leave(struct cgroup *cgroup, struct cgroup_child *child, bool empty);
/* Closes the descriptors of those that are kept for other children. */
void cgroup_rest(struct cgroup *cgroup);
/* Kills everyone in it. False: it can't be done (Linux before 5.14). */
bool cgroup_kill(struct cgroup *cgroup, const struct cgroup_child *child);
/* Kills everyone in all of them. */
void cgroup_kill_all(struct cgroup *cgroup);
/* Does anyone in it live? A zombie does not. */
enum cgroup_state {
    CGROUP_POPULATED,
    CGROUP_EMPTY, /* and fit for another child */
    CGROUP_UNFIT, /* empty, but frozen, or not to be looked at */
};
enum cgroup_state cgroup_look(const struct cgroup *cgroup, const struct cgroup_child *child);

#endif
