/* SPDX-License-Identifier: MIT */
/* command.h - the two commands that a process may say of itself, whatever it sits under. */
#ifndef PROGRAM_COMMAND_H
#define PROGRAM_COMMAND_H

#include "proto/message.h"

/* A close frame holds 123 bytes. */
#define COMMAND_REASON_MAX     120
#define COMMAND_CLOSE_EXPECTED "expected .close {\"reason\":\"...\"}"

/* `.close`, `.close {"reason":…}`: the reason, in `text` or static. */
bool command_read_close(const struct message *m, char text[COMMAND_REASON_MAX],
                        struct slice *ret_reason);

#define COMMAND_SHARED_EXPECTED "expected .shared {\"processes\":N} with N from 1 to 256"

/* Is it `.shared`, by which a program says before anything else that it has many pages? */
bool command_is_shared(const struct message *m);
/* In how many processes: 1 unless said. */
bool command_read_shared(const struct message *m, uint32_t *ret_processes);

#endif
