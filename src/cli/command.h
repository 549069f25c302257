/* SPDX-License-Identifier: MIT */
/* command.h - the subcommands of `httpsocket`: one row of the table in main.c each.
 *
 * A subcommand gets its own name as argv[0] and returns the exit status.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

enum cli_status {
    CLI_OK = 0,
    CLI_FAILURE = 1,
    CLI_USAGE = 2,
    /* policy: */
    CLI_DENY = 3,
    CLI_TEMPFAIL = 4,
};

int connect_command(int argc, char **argv);
int emit_command(int argc, char **argv);
int call_command(int argc, char **argv);
int tcp_command(int argc, char **argv);
int upgrade_command(int argc, char **argv);
int policy_command(int argc, char **argv);
int restart_command(int argc, char **argv);
int cluster_command(int argc, char **argv);
int policy_test_command(int argc, char **argv);
int policy_record_command(int argc, char **argv);

#endif
