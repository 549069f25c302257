/* SPDX-License-Identifier: MIT */
/* pty.h - a pseudo-terminal as a one-way stream. A program that writes to the slave sees a
 * terminal, so that its C library sends each line at once.
 *
 * Raw: all bytes come out of the master as they went in, and nothing is echoed. The terminal
 * controls no session, so it sends no signals.
 */
#ifndef NET_PTY_H
#define NET_PTY_H

/* *master is read, without waiting; *slave is written. Both are marked close-on-exec. When the last
 * slave is closed and all is read, reading says EIO. Negative errno: -ENOSPC (no more terminals:
 * kernel.pty.max), -ENOENT (no /dev/ptmx), -EMFILE ... */
int pty_open(int *master, int *slave);

#endif
