/* SPDX-License-Identifier: MIT */
#include "serve/sdk.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has(const char *folder, const char *name)
{
    char file[PATH_MAX];
    int len = snprintf(file, sizeof(file), "%s/%s", folder, name);
    return len > 0 && (size_t)len < sizeof(file) && access(file, R_OK) == 0;
}

bool sdk_is(const char *folder)
{
    return has(folder, "python/httpsocket/__init__.py");
}

/* The folder, if this file is in it. */
static char *beside_the_server(const char *where, const char *file)
{
    char server[PATH_MAX], folder[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", server, sizeof(server) - 1);
    if (len < 0)
        return NULL;
    server[len] = '\0';
    *strrchr(server, '/') = '\0';
    int printed = snprintf(folder, sizeof(folder), "%s/%s", server, where);
    return printed > 0 && (size_t)printed < sizeof(folder) && has(folder, file)
               ? realpath(folder, NULL)
               : NULL;
}

char *sdk_find(const char *setting)
{
    if (!strcmp(setting, "none"))
        return NULL;
    if (*setting)
        return sdk_is(setting) ? realpath(setting, NULL) : NULL;
    static const char file[] = "python/httpsocket/__init__.py";
    char *installed = beside_the_server("../share/httpsocket/sdk", file);
    return installed ? installed : beside_the_server("../sdk", file);
}

char *sdk_find_lines(void)
{
    char *found = beside_the_server("../lib/httpsocket", "lines.so");
    if (!found)
        found = beside_the_server("share/lines", "lines.so");
    if (found && strpbrk(found, ": \t\n$")) {
        free(found);
        return NULL;
    }
    return found;
}
