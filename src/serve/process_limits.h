/* SPDX-License-Identifier: MIT */
/* process_limits.h - the limits of our own process: descriptors, and who may look into its memory.
 *
 * Threads  The control thread, before there are others.
 */
#ifndef SERVE_PROCESS_LIMITS_H
#define SERVE_PROCESS_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

/* The limit of descriptors as the server found it, which programs get. */
const struct rlimit *process_limits_found_descriptors(void);
/* It was found by the process that this one has taken over from. */
void process_limits_found(uint64_t now, uint64_t max);
/* As many descriptors as the host allows; says how many that is, because it bounds everything
 * else. */
void process_limits_raise_descriptors(void);

/* Nobody of the same user, such as a program, reads our memory, our environment or our descriptors
 * by /proc or ptrace(2). That leaves no core file and no way for a debugger either, so who looks
 * for a fault may keep us `open`. */
void process_limits_close_memory(bool open);

#endif
