/* SPDX-License-Identifier: MIT */
#include "cli/client_options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_ORIGIN = 256,
    OPTION_CACERT,
    OPTION_TIMEOUT,
    OPTION_NO_RECONNECT,
    OPTION_EXEC,
    OPTION_VIA,
    OPTION_SECURE,
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"origin", required_argument, NULL, OPTION_ORIGIN},
    {"cacert", required_argument, NULL, OPTION_CACERT},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"quiet", no_argument, NULL, 'q'},
    {"no-reconnect", no_argument, NULL, OPTION_NO_RECONNECT},
    {"exec", required_argument, NULL, OPTION_EXEC},
    {"via", required_argument, NULL, OPTION_VIA},
    {"secure", no_argument, NULL, OPTION_SECURE},
    {NULL, 0, NULL, 0},
};

static void print_usage(FILE *to, const struct client_usage *usage)
{
    fprintf(to, "usage: httpsocket %s\n\n", usage->text);
    if (usage->tcp)
        fprintf(
            to,
            "  --via URL          the server that makes the connection, or a program behind it\n"
            "  --secure           TLS from there to HOST, whose certificate has to be valid\n");
    fprintf(to,
            "  --origin ORIGIN    what to say that we are a script of (default: the URL's own)\n"
            "  --cacert FILE      certificates (PEM) to trust, instead of the system's\n"
            "  --timeout SECONDS  %s\n",
            usage->lasting ? "give up after so long without a connection (default: never)"
                           : "for all of it (default: 30)");
    if (usage->lasting)
        fprintf(to, "  --no-reconnect     end with the first lost connection\n"
                    "  -q, --quiet        don't tell of lost connections on stderr\n");
    if (usage->exec)
        fprintf(to, "  --exec COMMAND     a shell command whose stdin and stdout have the lines\n");
}

static bool read_seconds(const char *text, uint64_t *ret_ms)
{
    char *end;
    errno = 0;
    double seconds = strtod(text, &end);
    if (errno || end == text || *end || !isfinite(seconds) || seconds < 0.001 || seconds > 1e9)
        return false;
    *ret_ms = (uint64_t)(seconds * 1000);
    return true;
}

static int wrong(const struct client_usage *usage)
{
    print_usage(stderr, usage);
    return CLI_USAGE;
}

/* -1: go on. */
static int take(int option, const struct client_usage *usage, struct client_options *o)
{
    switch (option) {
    case 'h':
        print_usage(stdout, usage);
        return CLI_OK;
    case 'q':
        o->quiet = true;
        return -1;
    case OPTION_ORIGIN:
        o->client.origin = optarg;
        return -1;
    case OPTION_CACERT:
        o->client.ca_file = optarg;
        return -1;
    case OPTION_TIMEOUT:
        if (read_seconds(optarg, &o->timeout_ms))
            return -1;
        fprintf(stderr, "httpsocket: --timeout: '%s' is no number of seconds\n", optarg);
        return CLI_USAGE;
    case OPTION_NO_RECONNECT:
        o->client.retry = HTTPSOCKET_RETRY_NEVER;
        return usage->lasting ? -1 : wrong(usage);
    case OPTION_EXEC:
        o->exec = optarg;
        return usage->exec ? -1 : wrong(usage);
    case OPTION_VIA:
        o->via = optarg;
        return usage->tcp ? -1 : wrong(usage);
    case OPTION_SECURE:
        o->secure = true;
        return usage->tcp ? -1 : wrong(usage);
    }
    return wrong(usage);
}

int client_options_read(int argc, char **argv, const struct client_usage *usage,
                        struct client_options *ret)
{
    struct client_options o = {.client = {.size = sizeof(o.client)}};
    o.client.retry = usage->lasting ? HTTPSOCKET_RETRY_ALWAYS : HTTPSOCKET_RETRY_AFTER_OPEN;
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "hq", long_options, NULL)) != -1;) {
        int status = take(option, usage, &o);
        if (status >= 0)
            return status;
    }
    o.words = argv + optind;
    o.word_count = argc - optind;
    if (o.word_count < usage->words_min || o.word_count > usage->words_max)
        return wrong(usage);
    o.client.url = o.words[0];
    *ret = o;
    return -1;
}

struct httpsocket *client_options_open(const struct client_options *options)
{
    char why[256];
    struct httpsocket *c = httpsocket_new(&options->client, why, sizeof(why));
    if (!c)
        fprintf(stderr, "httpsocket: %s: %s\n", options->client.url, why);
    return c;
}

void client_say_end(const struct httpsocket_end *end)
{
    fprintf(stderr, "httpsocket: %u%s%s", end->code, *end->reason ? " " : "", end->reason);
    if (end->retry_s >= 0)
        fprintf(stderr, " (again in %lld s)", (long long)end->retry_s);
    fputc('\n', stderr);
}

int client_status(const struct httpsocket *c)
{
    const struct httpsocket_end *end = httpsocket_ended(c);
    size_t left = httpsocket_buffered(c);
    if (!end || end->code != 1000) {
        if (end)
            client_say_end(end);
        return CLI_FAILURE;
    }
    if (left == 0)
        return CLI_OK;
    fprintf(stderr, "httpsocket: the program ended and did not take the last %zu bytes\n", left);
    return CLI_FAILURE;
}

int client_say_refused(const char *name, int error)
{
    const char *why = error == -EINVAL     ? "no name, or no JSON on one line"
                      : error == -EMSGSIZE ? "larger than a message may be"
                                           : strerror(-error);
    fprintf(stderr, "httpsocket: %.128s: %s\n", name, why);
    return error == -EINVAL ? CLI_USAGE : CLI_FAILURE;
}
