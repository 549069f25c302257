/* SPDX-License-Identifier: MIT */
/* main.c - the command line client: finds the subcommand. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name, *what;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"connect", "events of a program as lines on stdin and stdout", connect_command},
    {"emit", "send a program one event", emit_command},
    {"call", "call a program, print its answers", call_command},
    {"tcp", "a TCP connection by way of a server, on stdin and stdout", tcp_command},
    {"restart", "let the programs of a path go; their pages go on in new ones", restart_command},
    {"upgrade", "have a server replace its program file, and end nothing", upgrade_command},
    {"cluster", "the servers that share brokers, their sessions and metrics", cluster_command},
    {"policy", "explain, test and write script-access policies", policy_command},
};
enum {
    COMMANDS = sizeof(commands) / sizeof(*commands)
};

static void print_usage(FILE *to)
{
    fprintf(to, "usage: httpsocket COMMAND [ARGUMENTS]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].what);
    fprintf(to, "\nhttpsocket COMMAND --help tells more; httpsocket --version\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("httpsocket %s\n", HTTPSOCKET_VERSION);
        return CLI_OK;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "httpsocket: no command '%s'\n", argv[1]);
    print_usage(stderr);
    return CLI_USAGE;
}
