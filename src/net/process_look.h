/* SPDX-License-Identifier: MIT */
/* process_look.h - what a child of ours is doing now, as /proc tells (proc(5)).
 *
 * Threads  Any.
 * Cost     Some files of /proc.
 */
#ifndef NET_PROCESS_LOOK_H
#define NET_PROCESS_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The beginning of a small file of /proc, with a NUL behind it. False: it can't be read, or is
 * empty. */
bool process_read_file(const char *path, char *ret, size_t size);

/* Is the process asleep in a read of its descriptor `fd`, or of a copy of that, and has it no other
 * thread that could do something meanwhile? False also where this can't be seen: a process of
 * another user, or a kernel that does not tell. Not to be asked of one that is reaped. */
bool process_is_reading(pid_t pid, int fd);

#endif
