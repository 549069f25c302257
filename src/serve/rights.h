/* SPDX-License-Identifier: MIT */
/* rights.h - whom the serving process runs as: `user` and `group`.
 *
 * It begins as root, takes its listening sockets, and then gives up root for good. What it reads
 * later (settings, certificate, key, tokens, the folder) it reads as that user, so that is tried at
 * once. The supervisor stays root: it binds ports below 1024 at a reload, and starts the next
 * serving process.
 */
#ifndef SERVE_RIGHTS_H
#define SERVE_RIGHTS_H

#include "serve/config.h"

#include <sys/types.h>

struct rights {
    uid_t uid; /* -1: stays */
    gid_t gid; /* -1: stays */
};

/* The numbers of `user` and `group`, which rights_check has found. */
void rights_of(const struct config *c, struct rights *ret);
/* Are there such a user and group? False with `why`. */
bool rights_check(const struct config *c, struct text *why);
/* Gives them up, in a process without other threads. `keep_for_programs`: CAP_SETUID, CAP_SETGID
 * and CAP_KILL stay, with which programs are started as other users and ended; whoever takes this
 * process over then has them too. False with `why`: the file and the user that may not read it. */
bool rights_drop(const struct config *c, bool keep_for_programs, struct text *why);

/* The capabilities that stay for programs stay in a file that is executed in our place (ambient).
 * False: not any more; also to be said there. */
void rights_carry(bool carries);

#endif
