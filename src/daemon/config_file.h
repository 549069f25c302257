/* SPDX-License-Identifier: MIT */
/* config_file.h - a config from a file: `name = value`, lists as {"a", "b"}, comments by #.
 * base/settings_file.h reads it. */
#ifndef DAEMON_CONFIG_FILE_H
#define DAEMON_CONFIG_FILE_H

#include "serve/config.h"

/* False with `why`: FILE:LINE: what was expected. */
bool config_read_file(struct config *c, const char *path, struct text *why);

#endif
