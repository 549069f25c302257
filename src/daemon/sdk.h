/* SPDX-License-Identifier: MIT */
/* sdk.h - where the helpers for programs are: the folder `sdk/` of the source, or what was
 * installed of it. Programs are told by HTTPSOCKET_SDK, and Python by PYTHONPATH.
 */
#ifndef DAEMON_SDK_H
#define DAEMON_SDK_H

#include <stdbool.h>

/* There are helpers in this folder. */
bool sdk_is(const char *folder);

/* The folder that the setting `sdk` stands for; empty: the one beside the running server. An
 * absolute path, to be freed; NULL: there is none, it is `none`, or no memory. */
char *sdk_find(const char *setting);

#endif
