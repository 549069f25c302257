/* SPDX-License-Identifier: MIT */
/* script.h - the Lua scripts that the broker runs: scripts/NAME.lua, embedded by
 * tools/embed-scripts. meson.build lists them.
 *
 * Of each script "cluster/scripts.h", which is made, declares `broker_script_NAME`; a dash of the
 * file's name is an underscore there.
 */
#ifndef CLUSTER_SCRIPT_H
#define CLUSTER_SCRIPT_H

#include "base/slice.h"

struct broker_script {
    const char *name;  /* of the file, without `.lua` */
    struct slice text; /* whole, so that the lines of an error are those of the file */
    char sha1[41];     /* of the text, as EVALSHA wants it */
};

/* All of them; NULL after the last one. */
extern const struct broker_script *const broker_scripts[];

#endif
