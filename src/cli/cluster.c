/* SPDX-License-Identifier: MIT */
/* cluster.c - `httpsocket cluster`: the servers that share brokers, asked of one of them. */
#include "cli/admin_door.h"
#include "cli/cluster_print.h"
#include "cli/command.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
    "usage: httpsocket cluster [--admin ADDR:PORT | --config FILE] [--json | --sessions |\n"
    "                          --metrics | --lift-bans]\n"
    "\n"
    "Lists the servers that share brokers with the one that is asked, and what each of them has to "
    "do.\n"
    "\n"
    "--admin ADDR:PORT   the server's admin listener, also unix:PATH\n"
    "--config FILE       the server's config file, which has `admin` (default: " ADMIN_CONFIG ")\n"
    "--json              the list as JSON\n"
    "--sessions          the live sessions of all servers, a JSON object a line\n"
    "--metrics           the metrics of all servers, with the labels `server` and `name`\n"
    "--lift-bans         lifts all bans, at all servers\n"
    "\n"
    "Exit status: 0; 1 failure, or a server did not answer, which is named; 2 usage.\n";

static const struct option long_options[] = {
    {"admin", required_argument, NULL, 'a'}, {"config", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, 'j'},        {"sessions", no_argument, NULL, 's'},
    {"metrics", no_argument, NULL, 'm'},     {"lift-bans", no_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},        {0},
};

static const struct question {
    char option; /* 0: none */
    const char *target;
    bool changes;
    bool (*print)(const json_t *answer);
} questions[] = {
    {0, "/cluster", false, cluster_print_table},
    {'j', "/cluster", false, cluster_print_json},
    {'s', "/cluster?sessions", false, cluster_print_sessions},
    {'m', "/cluster?metrics", false, cluster_print_metrics},
    {'l', "/lift-bans", true, cluster_print_lifted},
};
enum {
    QUESTIONS = sizeof(questions) / sizeof(*questions)
};

struct wish {
    const char *admin, *config;
    const struct question *question;
    bool unclear; /* two wishes */
};

static const struct question *find(int option)
{
    for (int i = 0; i < QUESTIONS; i++)
        if (questions[i].option == option)
            return &questions[i];
    return NULL;
}

/* A status to end with, or -1. */
static int read_options(int argc, char **argv, struct wish *ret)
{
    int option;
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
        if (option == 'h') {
            fputs(usage, stdout);
            return CLI_OK;
        }
        if (option == '?')
            return CLI_USAGE;
        if (option == 'a')
            ret->admin = optarg;
        else if (option == 'c')
            ret->config = optarg;
        else {
            ret->unclear |= ret->question != NULL;
            ret->question = find(option);
        }
    }
    if (optind == argc && !ret->unclear) {
        ret->question = ret->question ? ret->question : &questions[0];
        return -1;
    }
    fputs(usage, stderr);
    return CLI_USAGE;
}

static int tell(const struct question *question, int status, const struct text *body)
{
    json_t *answer = status == 200 ? json_loadb(body->ptr, body->len, 0, NULL) : NULL;
    if (!answer) {
        struct slice why =
            status == 200 ? SLICE_LITERAL("the answer is no JSON") : slice_trim(text_slice(body));
        fprintf(stderr, "httpsocket: %.*s\n", SLICE_ARG(why));
        return CLI_FAILURE;
    }
    bool good = question->print(answer);
    json_decref(answer);
    return good ? CLI_OK : CLI_FAILURE;
}

int cluster_command(int argc, char **argv)
{
    struct wish wish = {0};
    struct net_address door;
    struct text text = {0};
    int status = read_options(argc, argv, &wish);
    if (status >= 0)
        return status;
    if (!admin_door_find(wish.admin, wish.config, &door, &text)) {
        fprintf(stderr, "httpsocket: %.*s (see --admin)\n", SLICE_ARG(text_slice(&text)));
        text_done(&text);
        return CLI_USAGE;
    }
    const struct question *q = wish.question;
    status = q->changes ? admin_door_post(&door, q->target, &text)
                        : admin_door_get(&door, q->target, &text);
    status = tell(q, status, &text);
    text_done(&text);
    return status;
}
