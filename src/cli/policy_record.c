/* SPDX-License-Identifier: MIT */
/* policy_record.c - `httpsocket policy record`: its options; record.h does the work. */
#include "cli/command.h"
#include "cli/record.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
    "usage: httpsocket policy record [--name HOST] [--allow PATTERN]... [--deny PATTERN]...\n"
    "           [--port LIST] [--via tcp|web|tcp,web] [--max-age SECONDS] [--note TEXT]\n"
    "       httpsocket policy record --address IP --host PATTERN... [the same]\n"
    "       httpsocket policy record [--reverse] RECORD...\n"
    "\n"
    "Writes the TXT record that lets pages connect to HOST, or in the second form the one by which "
    "the\n"
    "owner of an address consents; or lints records as they stand in the DNS, without outer "
    "quotes.\n"
    "\n"
    "PATTERN  *, a.example, *.a.example, http://a.example, a.example:8443, a.example:*\n"
    "LIST     ports and ranges: 6667,7000-7010, or *; a port that browsers block must stand "
    "singly\n"
    "\n"
    "Exit status: 0 the record is good; 1 it has a fault; 2 usage.\n";

enum {
    OPTION_NAME = 256,
    OPTION_ADDRESS,
    OPTION_HOST,
    OPTION_ALLOW,
    OPTION_DENY,
    OPTION_PORT,
    OPTION_VIA,
    OPTION_MAX_AGE,
    OPTION_NOTE,
    OPTION_REVERSE
};

static const struct option long_options[] = {
    {"name", required_argument, NULL, OPTION_NAME},
    {"address", required_argument, NULL, OPTION_ADDRESS},
    {"host", required_argument, NULL, OPTION_HOST},
    {"allow", required_argument, NULL, OPTION_ALLOW},
    {"deny", required_argument, NULL, OPTION_DENY},
    {"port", required_argument, NULL, OPTION_PORT},
    {"via", required_argument, NULL, OPTION_VIA},
    {"max-age", required_argument, NULL, OPTION_MAX_AGE},
    {"note", required_argument, NULL, OPTION_NOTE},
    {"reverse", no_argument, NULL, OPTION_REVERSE},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool take_pattern(char list[RECORD_TEXT_SIZE])
{
    if (record_add_pattern(list, slice_of(optarg)))
        return true;
    fprintf(stderr, "httpsocket: '%s': expected a pattern such as a.example or *.a.example\n",
            optarg);
    return false;
}

/* False for what is no option or has no good value. */
static bool take_option(int option, struct record_draft *d)
{
    switch (option) {
    case OPTION_NAME:
        d->name = optarg;
        return true;
    case OPTION_ADDRESS:
        d->address = optarg;
        return true;
    case OPTION_HOST:
        return take_pattern(d->host);
    case OPTION_ALLOW:
        return take_pattern(d->allow);
    case OPTION_DENY:
        return take_pattern(d->deny);
    case OPTION_PORT:
        d->port = optarg;
        return true;
    case OPTION_VIA:
        d->via = optarg;
        return true;
    case OPTION_MAX_AGE:
        d->max_age = optarg;
        return true;
    case OPTION_NOTE:
        d->note = optarg;
        return true;
    default:
        fputs(usage, stderr);
        return false;
    }
}

int policy_record_command(int argc, char **argv)
{
    static struct record_draft d;
    bool reverse = false;
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return CLI_OK;
        }
        if (option == OPTION_REVERSE)
            reverse = true;
        else if (!take_option(option, &d))
            return CLI_USAGE;
    }
    if (optind < argc)
        return record_lint(argv + optind, argc - optind, reverse);
    if (argc == 1) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    return record_write(&d);
}
