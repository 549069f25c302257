/* SPDX-License-Identifier: MIT */
/* memory_machine.c - how much memory this process may use: the machine's, or less by its cgroup. */
#include "limits/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The number in the file; SIZE_MAX for `max`, or without a file. */
static size_t read_limit(const char *path)
{
    char text[32];
    FILE *file = fopen(path, "re");
    if (!file)
        return SIZE_MAX;
    bool read = fgets(text, sizeof(text), file);
    fclose(file);
    char *end = text;
    unsigned long long bytes = read ? strtoull(text, &end, 10) : 0;
    return end == text ? SIZE_MAX : (size_t)bytes;
}

/* The least limit of the folder and all above it. */
static size_t least_limit(const char *root, char *folder, const char *name)
{
    char path[4096 + 128];
    size_t least = SIZE_MAX;
    for (char *slash = folder + strlen(folder); slash; slash = strrchr(folder, '/')) {
        *slash = '\0';
        snprintf(path, sizeof(path), "%s%s/%s", root, folder, name);
        size_t limit = read_limit(path);
        least = limit < least ? limit : least;
    }
    return least;
}

/* One line of /proc/self/cgroup: `0::/path` (v2), or `N:…,memory,…:/path` (v1). */
static size_t limit_of_line(char *line)
{
    char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
    if (!path)
        return SIZE_MAX;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    if (names[1] == '\0')
        return least_limit("/sys/fs/cgroup", path, "memory.max");
    for (const char *name = strtok(names + 1, ","); name; name = strtok(NULL, ","))
        if (!strcmp(name, "memory"))
            return least_limit("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
    return SIZE_MAX;
}

static size_t limit_of_cgroup(void)
{
    char line[4096];
    size_t least = SIZE_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return SIZE_MAX;
    while (fgets(line, sizeof(line), file)) {
        size_t limit = limit_of_line(line);
        least = limit < least ? limit : least;
    }
    fclose(file);
    return least;
}

size_t memory_of_machine(void)
{
    size_t pages = (size_t)sysconf(_SC_PHYS_PAGES), page = (size_t)sysconf(_SC_PAGESIZE);
    size_t machine = pages * page, cgroup = limit_of_cgroup();
    return cgroup < machine ? cgroup : machine;
}
