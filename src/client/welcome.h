/* SPDX-License-Identifier: MIT */
/* welcome.h - the server's `.welcome`, checked (docs/protocol.md, 4). By jansson. */
#ifndef CLIENT_WELCOME_H
#define CLIENT_WELCOME_H

#include "base/slice.h"

#define WELCOME_SESSION_LEN 24

struct welcome {
    char session[WELCOME_SESSION_LEN + 1];
    bool resumed;
    uint64_t received, window, message_max, ping_ms, grace_ms;
    uint64_t streams;       /* 0: it carries none */
    uint64_t stream_window; /* bytes that the server keeps of each; 0: not said */
};

/* NULL, or what is wrong with it. */
const char *welcome_parse(struct slice json, struct welcome *ret);

/* The code and reason of the server's `.close`; false if there is none. `reason` holds at most
 * `room` bytes with its NUL. */
bool close_parse(struct slice json, unsigned *code, char *reason, size_t room);

#endif
