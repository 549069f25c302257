/* SPDX-License-Identifier: MIT */
#include "serve/access_settings.h"

#include <errno.h>

static bool set(struct access_config *access, const char *name, const char *value, struct text *why)
{
    const char *expected;
    int error = access_config_set(access, slice_of(name), slice_of(value), &expected);
    if (error == -ENOMEM)
        text_printf(why, "out of memory");
    else if (error)
        text_printf(why, "%s: expected %s, not `%s`", name, expected, value);
    return error == 0;
}

bool access_settings_read(const struct config *c, struct access_config *ret, struct text *why)
{
    struct access_config access;
    const char *name, *value;
    access_config_init(&access);
    for (size_t i = 0; (name = access_config_name(i)); i++) {
        for (size_t k = 0; (value = config_value(c, name, k)); k++) {
            if (set(&access, name, value, why))
                continue;
            access_config_done(&access);
            return false;
        }
    }
    *ret = access;
    return true;
}

struct dns_options access_settings_dns(const struct config *c)
{
    return (struct dns_options){
        .server = config_value(c, "dns", 0),
        .anchor = config_value(c, "dns-anchor", 0),
    };
}

static bool same_values(const struct config *a, const struct config *b, const char *name)
{
    for (size_t i = 0;; i++) {
        const char *one = config_value(a, name, i), *other = config_value(b, name, i);
        if (!one || !other)
            return one == other;
        if (strcmp(one, other))
            return false;
    }
}

bool access_settings_equal(const struct config *a, const struct config *b)
{
    const char *name;
    for (size_t i = 0; (name = access_config_name(i)); i++)
        if (!same_values(a, b, name))
            return false;
    return same_values(a, b, "dns") && same_values(a, b, "dns-anchor");
}
