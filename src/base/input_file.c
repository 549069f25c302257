/* SPDX-License-Identifier: MIT */
#include "base/input_file.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

bool input_file_waits(const char *path)
{
    struct stat status;
    struct statfs system;
    return stat(path, &status) == 0 && S_ISFIFO(status.st_mode) && statfs(path, &system) == 0 &&
           system.f_type != PIPEFS_MAGIC;
}
