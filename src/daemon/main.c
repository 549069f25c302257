/* main.c - httpsocketd: reads its settings, then runs. */
#include "daemon/arguments.h"
#include "daemon/daemon.h"

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

/* What config_check can't see: folders and files. Says what is wrong with them. */
static bool check_files(const struct config *c)
{
    char why[256];
    struct site *site = site_new(c->root);
    if (!site)
        fprintf(stderr, "httpsocketd: root: `%s`: %s\n", c->root, strerror(errno));
    struct tls_context *tls =
        *c->tls_cert ? tls_context_new(c->tls_cert, c->tls_key, why, sizeof(why)) : NULL;
    if (*c->tls_cert && !tls)
        fprintf(stderr, "httpsocketd: %s\n", why);
    bool good = site && (tls || !*c->tls_cert);
    site_free(site);
    tls_context_unref(tls);
    struct text fault = {0};
    bool guarded = guard_try(c, &fault);
    if (!guarded)
        fprintf(stderr, "httpsocketd: %.*s\n", SLICE_ARG(text_slice(&fault)));
    text_done(&fault);
    return good && guarded;
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
