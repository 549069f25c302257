/* SPDX-License-Identifier: MIT */
#include "daemon/arguments.h"

#include "daemon/config_file.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    VALUE_CONFIG = 'c',
    VALUE_HELP = 256,
    VALUE_VERSION,
    VALUE_CHECK,
    VALUE_CHECK_TAKEOVER,
    VALUE_FIRST_SETTING
};

struct option_list {
    struct option items[CONFIG_SETTINGS + 6];
    size_t count;
    char letters[64];
};

static void add_option(void *arg, const char *name, char letter)
{
    struct option_list *list = arg;
    list->items[list->count] =
        (struct option){name, config_is_flag(name) ? no_argument : required_argument, NULL,
                        VALUE_FIRST_SETTING + (int)list->count};
    list->count++;
    if (letter) {
        size_t len = strlen(list->letters);
        snprintf(list->letters + len, sizeof(list->letters) - len, "%c:", letter);
    }
}

struct letter_search {
    char letter;
    const char *name;
};

static void match_letter(void *arg, const char *name, char letter)
{
    struct letter_search *search = arg;
    if (letter && letter == search->letter)
        search->name = name;
}

static const char *setting_name(const struct option_list *list, int value)
{
    if (value >= VALUE_FIRST_SETTING)
        return list->items[value - VALUE_FIRST_SETTING].name;
    struct letter_search search = {.letter = (char)value};
    config_each(match_letter, &search);
    return search.name;
}

static struct option_list known_options(void)
{
    struct option_list list = {.letters = ":c:"};
    config_each(add_option, &list);
    list.items[list.count++] = (struct option){"config", required_argument, NULL, VALUE_CONFIG};
    list.items[list.count++] = (struct option){"check-config", no_argument, NULL, VALUE_CHECK};
    list.items[list.count++] =
        (struct option){"check-takeover", no_argument, NULL, VALUE_CHECK_TAKEOVER};
    list.items[list.count++] = (struct option){"help", no_argument, NULL, VALUE_HELP};
    list.items[list.count++] = (struct option){"version", no_argument, NULL, VALUE_VERSION};
    return list;
}

/* The file is weaker than the command line, so it is looked for first. */
static const char *find_config_file(int argc, char *const *argv, const struct option_list *list)
{
    const char *file = NULL;
    int value;
    optind = 0;
    while ((value = getopt_long(argc, argv, list->letters, list->items, NULL)) != -1)
        if (value == VALUE_CONFIG)
            file = optarg;
    return file;
}

static bool read_options(int argc, char *const *argv, const struct option_list *list,
                         struct config *c, enum command *command, struct text *why)
{
    bool seen[CONFIG_SETTINGS] = {0};
    int value;
    optind = 0;
    while ((value = getopt_long(argc, argv, list->letters, list->items, NULL)) != -1) {
        if (value == ':' || value == '?') {
            text_printf(why, value == ':' ? "%s needs an argument" : "unknown option: %s",
                        argv[optind - 1]);
            return false;
        }
        if (value == VALUE_HELP)
            *command = COMMAND_HELP;
        else if (value == VALUE_VERSION)
            *command = COMMAND_VERSION;
        else if (value == VALUE_CHECK)
            *command = COMMAND_CHECK;
        else if (value == VALUE_CHECK_TAKEOVER)
            *command = COMMAND_CHECK_TAKEOVER;
        if (value == VALUE_CONFIG || value == VALUE_HELP || value == VALUE_VERSION ||
            value == VALUE_CHECK || value == VALUE_CHECK_TAKEOVER)
            continue;
        const char *name = setting_name(list, value);
        size_t index = 0;
        while (strcmp(list->items[index].name, name))
            index++;
        const char *text = config_is_flag(name) ? "true" : optarg;
        if (!config_set(c, name, text, !seen[index], why))
            return false;
        seen[index] = true;
    }
    return true;
}

static bool read_root(int argc, char *const *argv, struct config *c, struct text *why)
{
    if (optind >= argc)
        return true;
    if (argc - optind > 1) {
        text_printf(why, "one folder to serve, not `%s` too", argv[optind + 1]);
        return false;
    }
    return config_set(c, "root", argv[optind], true, why);
}

struct config *arguments_read(int argc, char *const *argv, enum command *ret_command,
                              struct text *why)
{
    struct option_list list = known_options();
    struct config *c = config_new();
    *ret_command = COMMAND_SERVE;
    if (!c) {
        text_printf(why, "out of memory");
        return NULL;
    }
    opterr = 0;
    const char *file = find_config_file(argc, argv, &list);
    bool ok = (!file || config_read_file(c, file, why)) &&
              read_options(argc, argv, &list, c, ret_command, why) &&
              read_root(argc, argv, c, why) && config_check(c, why);
    if (ok && file)
        ok = (c->file = strdup(file)) != NULL;
    if (ok)
        return c;
    config_free(c);
    return NULL;
}

void arguments_help(struct text *out)
{
    text_printf(out, "usage: httpsocketd [OPTIONS] [ROOT]\n\n"
                     "Serves the folder ROOT (default: .) on 127.0.0.1:8080; its executable files "
                     "are page programs\n"
                     "that go on talking with their pages. Settings, also of the config file "
                     "(`name = value`):\n\n");
    config_help(out);
    text_printf(
        out,
        "\n  -c, --config FILE              settings from a file; the command line is stronger\n"
        "      --check-config             read everything, say what is wrong, start nothing\n"
        "      --version, --help\n");
}
