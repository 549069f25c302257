/* SPDX-License-Identifier: MIT */
/* restart.c - `httpsocket restart`: the server lets the programs of a path go. */
#include "cli/admin_door.h"
#include "cli/command.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>

static const char usage[] =
    "usage: httpsocket restart [--admin ADDR:PORT | --config FILE] PATH\n"
    "\n"
    "Lets the programs of PATH go, some at a time (restart-rate of the server); pages whose "
    "program "
    "has\n"
    "saved its state go on in new ones, the others are loaded again. PATH is as in a URL (/chat) "
    "or "
    "the\n"
    "file below the root (/chat.py); with * at its end all that begins so; * alone is all.\n"
    "\n"
    "--admin ADDR:PORT   the server's admin listener, also unix:PATH\n"
    "--config FILE       the server's config file, which has `admin` (default: " ADMIN_CONFIG ")\n"
    "\n"
    "Exit status: 0; 1 failure, or no page has such a program; 2 usage.\n";

static const struct option long_options[] = {
    {"admin", required_argument, NULL, 'a'},
    {"config", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

struct wish {
    const char *admin, *config, *path;
};

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
        *(option == 'a' ? &ret->admin : &ret->config) = optarg;
    }
    ret->path = argv[optind];
    bool is_path = ret->path && (*ret->path == '/' || strcmp(ret->path, "*") == 0);
    if (optind + 1 == argc && is_path)
        return -1;
    fputs(usage, stderr);
    return CLI_USAGE;
}

/* All but letters, digits and these is escaped. */
static void put_escaped(struct text *out, const char *path)
{
    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("/-_.~*", c))
            text_put(out, slice_make(path, 1));
        else
            text_printf(out, "%%%02X", c);
    }
}

static int tell(int status, const struct text *body)
{
    json_t *answer = status == 200 ? json_loadb(body->ptr, body->len, 0, NULL) : NULL;
    json_int_t pages = json_integer_value(json_object_get(answer, "pages"));
    json_decref(answer);
    if (status != 200) {
        fprintf(stderr, "httpsocket: %.*s\n", SLICE_ARG(slice_trim(text_slice(body))));
        return CLI_FAILURE;
    }
    if (pages == 0) {
        fprintf(stderr, "httpsocket: no page has a program of this path\n");
        return CLI_FAILURE;
    }
    printf("%lld page%s\n", (long long)pages, pages == 1 ? "" : "s");
    return CLI_OK;
}

int restart_command(int argc, char **argv)
{
    struct wish wish = {0};
    struct net_address door;
    struct text text = {0}, target = {0};
    int status = read_options(argc, argv, &wish);
    if (status >= 0)
        return status;
    if (!admin_door_find(wish.admin, wish.config, &door, &text)) {
        fprintf(stderr, "httpsocket: %.*s (see --admin)\n", SLICE_ARG(text_slice(&text)));
        text_done(&text);
        return CLI_USAGE;
    }
    text_put(&target, SLICE_LITERAL("/restart?path="));
    put_escaped(&target, wish.path);
    text_put(&target, slice_make("", 1)); /* its NUL */
    status = target.failed ? CLI_FAILURE : tell(admin_door_post(&door, target.ptr, &text), &text);
    text_done(&target);
    text_done(&text);
    return status;
}
