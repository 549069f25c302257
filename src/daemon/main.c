/* SPDX-License-Identifier: MIT */
/* main.c - httpsocketd: reads its settings, then runs. */
#include "daemon/arguments.h"
#include "daemon/daemon.h"
#include "daemon/reload.h"

#include <errno.h>
#include <stdio.h>

static int print_help(void)
{
    struct text text = {0};
    arguments_help(&text);
    printf("%.*s", SLICE_ARG(text_slice(&text)));
    text_done(&text);
    return 0;
}

static bool complain(const char *why)
{
    fprintf(stderr, "httpsocketd: %s\n", why);
    return false;
}

static bool check_root(const struct config *c)
{
    struct site *site = site_new(c->root);
    if (!site)
        fprintf(stderr, "httpsocketd: root: `%s`: %s\n", c->root, strerror(errno));
    site_free(site);
    return site;
}

static bool check_certificate(const struct config *c)
{
    char why[256];
    if (!*c->tls_cert)
        return true;
    struct tls_context *tls = tls_context_new(c->tls_cert, c->tls_key, why, sizeof(why));
    tls_context_unref(tls);
    return tls || complain(why);
}

static bool check_trust(const struct config *c)
{
    char why[256];
    struct tls_context *trust = targets_trust_read(c, why, sizeof(why));
    tls_context_unref(trust);
    return trust || complain(why);
}

static bool check_script_access(const struct config *c)
{
    struct text fault = {0};
    bool good = script_access_try(c, &fault);
    if (!good)
        fprintf(stderr, "httpsocketd: %.*s\n", SLICE_ARG(text_slice(&fault)));
    text_done(&fault);
    return good;
}

/* Checks folders and files, which config_check() does not see. Prints all that is wrong with them.
 */
static bool check_files(const struct config *c)
{
    bool root = check_root(c), certificate = check_certificate(c), trust = check_trust(c);
    return check_script_access(c) && root && certificate && trust;
}

static int check(struct config *c)
{
    bool good = check_files(c);
    config_free(c);
    if (good)
        printf("the configuration is good\n");
    return good ? 0 : 2;
}

static int serve(struct config *c, int argc, char **argv)
{
    if (check_files(c))
        return daemon_run(c, argc, argv);
    config_free(c);
    return 2;
}

int main(int argc, char **argv)
{
    struct text why = {0};
    enum command command;
    struct config *c = arguments_read(argc, argv, &command, &why);
    if (!c && command == COMMAND_HELP)
        return print_help();
    if (!c) {
        fprintf(stderr, "httpsocketd: %.*s\n", SLICE_ARG(text_slice(&why)));
        fprintf(stderr, "Try `httpsocketd --help`.\n");
        text_done(&why);
        return 2;
    }
    switch (command) {
    case COMMAND_SERVE:
        return serve(c, argc, argv);
    case COMMAND_CHECK:
        return check(c);
    case COMMAND_HELP:
        config_free(c);
        return print_help();
    case COMMAND_VERSION:
        config_free(c);
        printf("httpsocketd " HTTPSOCKET_VERSION "\n");
        return 0;
    }
}
