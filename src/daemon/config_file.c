/* SPDX-License-Identifier: MIT */
#include "daemon/config_file.h"

#include "base/settings_file.h"

struct name_list {
    struct settings_name items[CONFIG_SETTINGS];
    size_t count;
};

static void add_name(void *arg, const char *name, char letter)
{
    (void)letter;
    struct name_list *list = arg;
    list->items[list->count++] = (struct settings_name){name, config_is_list(name)};
}

static bool set(void *config, const char *name, const char *value, bool first, struct text *why)
{
    return config_set(config, name, value, first, why);
}

bool config_read_file(struct config *c, const char *path, struct text *why)
{
    struct name_list list = {0};
    config_each(add_name, &list);
    return settings_file_read(
        path,
        &(struct settings_reader){.names = list.items, .count = list.count, .set = set, .arg = c},
        why);
}
