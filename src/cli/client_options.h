/* SPDX-License-Identifier: MIT */
/* client_options.h - what `connect`, `emit`, `call` and `tcp` have in
 * common: options, and how an end reads.
 */
#ifndef CLI_CLIENT_OPTIONS_H
#define CLI_CLIENT_OPTIONS_H

#include "cli/command.h"

#include <httpsocket.h>

struct client_options {
    struct httpsocket_options client;
    uint64_t timeout_ms; /* 0: none was given */
    const char *exec;    /* NULL: none */
    const char *via;     /* of tcp: the server's URL; NULL: none was given */
    bool quiet, secure;
    char **words; /* what is no option: borrowed from argv */
    int word_count;
};

/* The name of a command, and the options that it takes. `lasting`: it stays connected, with
 * --no-reconnect and -q. */
struct client_usage {
    const char *text;
    int words_min, words_max;
    bool lasting;
    bool exec; /* --exec */
    bool tcp;  /* --via, --secure */
};

/* -1: go on, the first word being the URL; otherwise the exit status, and all has been printed. */
int client_options_read(int argc, char **argv, const struct client_usage *usage,
                        struct client_options *ret);
/* NULL: the reason has been printed. */
struct httpsocket *client_options_open(const struct client_options *options);

/* The exit status of an ended session, said on stderr if it is no success. */
int client_status(const struct httpsocket *c);
/* "httpsocket: CODE REASON" */
void client_say_end(const struct httpsocket_end *end);
/* Prints why the library refused to send. Returns the exit status. */
int client_say_refused(const char *name, int error);

#endif
