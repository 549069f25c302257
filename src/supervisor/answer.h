/* SPDX-License-Identifier: MIT */
/* answer.h - the supervisor's answer to a serving process that asks for its listening sockets.
 *
 * Threads  One; waits up to two seconds for a serving process that does not read.
 */
#ifndef SUPERVISOR_ANSWER_H
#define SUPERVISOR_ANSWER_H

#include "supervisor/listeners.h"

/* Sends the sockets that are wanted, if `error` is 0, and the end of the answer: the error, and the
 * name of the address that failed, or NULL. */
void answer_send(int channel, uint32_t ticket, const struct listeners *l, int error,
                 const char *failed);

#endif
