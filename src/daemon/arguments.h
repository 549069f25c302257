/* SPDX-License-Identifier: MIT */
/* arguments.h - the command line of httpsocketd. */
#ifndef DAEMON_ARGUMENTS_H
#define DAEMON_ARGUMENTS_H

#include "serve/config.h"

enum command {
    COMMAND_SERVE,
    COMMAND_CHECK,
    COMMAND_CHECK_TAKEOVER, /* a process of an older or newer version asks (takeover.h) */
    COMMAND_HELP,
    COMMAND_VERSION
};

/* Reads the command line, and the config file that it names, into a new config: again at each
 * reload. NULL with `why`, what is wrong with it. */
struct config *arguments_read(int argc, char *const *argv, enum command *ret_command,
                              struct text *why);

void arguments_help(struct text *out);

#endif
