/* SPDX-License-Identifier: MIT */
#include "daemon/sdk.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool sdk_is(const char *folder)
{
    char package[PATH_MAX];
    int len = snprintf(package, sizeof(package), "%s/python/httpsocket/__init__.py", folder);
    return len > 0 && (size_t)len < sizeof(package) && access(package, R_OK) == 0;
}

static char *absolute(const char *folder)
{
    return sdk_is(folder) ? realpath(folder, NULL) : NULL;
}

static char *beside_the_server(const char *where)
{
    char server[PATH_MAX], folder[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", server, sizeof(server) - 1);
    if (len < 0)
        return NULL;
    server[len] = '\0';
    *strrchr(server, '/') = '\0';
    int printed = snprintf(folder, sizeof(folder), "%s/%s", server, where);
    return printed > 0 && (size_t)printed < sizeof(folder) ? absolute(folder) : NULL;
}

char *sdk_find(const char *setting)
{
    if (!strcmp(setting, "none"))
        return NULL;
    if (*setting)
        return absolute(setting);
    char *installed = beside_the_server("../share/httpsocket/sdk");
    return installed ? installed : beside_the_server("../sdk");
}
