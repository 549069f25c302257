/* SPDX-License-Identifier: MIT */
/* library_options.c - the options of a server of the library, as the settings that they are. */
#include "serve/library.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* Settings that are httpsocketd's alone: of page programs, processes, the admin listener; of the
 * whole process, whose other loops they would change; and what the options say. */
static const char *const not_here[] = {
    "listen",
    "threads",
    "root",
    "serve",
    "folder-index-max",
    "sdk",
    "user",
    "group",
    "no-supervisor",
    "admin",
    "admin-host",
    "access-log",
    "access-log-format",
    "dev",
    "core-dumps",
    "stdio",
    "stdio-files",
    "stdio-subprotocol",
    "stdio-output",
    "shared",
    "shared-idle",
    "shared-page-max",
    "shared-max",
    "programs-max",
    "programs-per-client",
    "run-as",
    "program-limits",
    "program-setuid",
    "cgroups",
    "restart-rate",
    "restart-changed",
    "eof-grace",
    "term-grace",
    "takeover-timeout",
    "drain-timeout",
    "publish-token",
    "publish-max",
    "rate-publish",
    "io",
    "broker",
    "broker-password-file",
    "broker-ca",
    "broker-cert",
    "broker-key",
    "broker-timeout",
    "broker-wait",
    "broker-backlog",
    "cluster-name",
    "cluster-listen",
    "cluster-address",
    "cluster-key",
};

static bool is_elsewhere(const char *name)
{
    for (size_t i = 0; i < sizeof(not_here) / sizeof(*not_here); i++)
        if (strcmp(not_here[i], name) == 0)
            return true;
    return false;
}

/* "NAME=VALUE". The first value of a list replaces the default. */
static bool read_setting(struct config *c, const char *const *all, size_t i, struct text *why)
{
    char name[64];
    size_t len = strcspn(all[i], "=");
    if (!all[i][len] || len >= sizeof(name)) {
        text_printf(why, "settings: expected NAME=VALUE, not `%s`", all[i]);
        return false;
    }
    memcpy(name, all[i], len);
    name[len] = '\0';
    if (config_known(name) && is_elsewhere(name)) {
        text_printf(why, "settings: `%s` is httpsocketd's alone", name);
        return false;
    }
    bool fresh = true;
    for (size_t k = 0; k < i; k++)
        fresh &= strncmp(all[k], all[i], len + 1) != 0;
    return config_set(c, name, all[i] + len + 1, fresh, why);
}

static bool has_setting(const struct httpsocket_server_options *o, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; o->settings && o->settings[i]; i++)
        if (strncmp(o->settings[i], name, len) == 0 && o->settings[i][len] == '=')
            return true;
    return false;
}

static bool read_listen(struct config *c, const char *listen, struct text *why)
{
    bool fresh = true;
    for (const char *at = listen; at && *at;) {
        size_t len = strcspn(at, " ");
        char *word = len ? strndup(at, len) : NULL;
        if (len && !word)
            return false;
        bool good = !word || config_set(c, "listen", word, fresh, why);
        fresh &= !word;
        free(word);
        if (!good)
            return false;
        at += len + (at[len] == ' ');
    }
    return true;
}

/* Nothing of this is in a library: no folder, no helpers of programs. */
static bool leave_out(struct config *c)
{
    free(c->root);
    c->root = strdup("");
    return c->root;
}

struct config *library_read_options(const struct httpsocket_server_options *o, struct text *why)
{
    struct config *c = config_new();
    bool good = c && leave_out(c) && read_listen(c, o->listen, why);
    if (good)
        c->threads = o->threads ? o->threads : 1;
    for (size_t i = 0; good && o->settings && o->settings[i]; i++)
        good = read_setting(c, o->settings, i, why);
    if (good && config_check(c, why))
        return c;
    config_free(c);
    if (!why->len)
        text_printf(why, "out of memory");
    return NULL;
}

void library_set_up_log(const struct httpsocket_server_options *o, const struct config *c)
{
    enum log_level level = LOG_NOTHING;
    if (!has_setting(o, "log-level")) {
        log_silence();
        return;
    }
    log_level_parse(slice_of(c->log_level), &level);
    log_setup(level, strcmp(c->log_format, "json") ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
}
