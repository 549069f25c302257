/* SPDX-License-Identifier: MIT */
/* sdk.h - where the helpers for programs are: the folder `sdk/` of the source, or what was
 * installed of it. Programs are told by HTTPSOCKET_SDK, and Python by PYTHONPATH. And where the
 * helpers are that a stdio program is not told of (share/lines).
 */
#ifndef SERVE_SDK_H
#define SERVE_SDK_H

#include <stdbool.h>

/* There are helpers in this folder. */
bool sdk_is(const char *folder);

/* The folder that the setting `sdk` stands for; empty: the one beside the running server. An
 * absolute path, to be freed; NULL: there is none, it is `none`, or no memory. */
char *sdk_find(const char *setting);

/* The folder of what has stdio programs write line by line. As above; NULL also if its name has
 * something in it that separates names in LD_PRELOAD or RUBYOPT. */
char *sdk_find_lines(void);

#endif
