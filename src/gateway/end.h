/* SPDX-License-Identifier: MIT */
/* end.h - why a TCPConnection ended: one row of ends.def, and perhaps a more precise word. */
#ifndef GATEWAY_END_H
#define GATEWAY_END_H

#include "base/log.h"

enum tcp_end {
#define TCP_END(name, token, level, retry_s, text) TCP_END_##name,
#include "gateway/ends.def"
#undef TCP_END
    TCP_ENDS
};

struct tcp_end_row {
    const char *token;
    enum log_level level;
    uint32_t retry_s;
    const char *text;
};

const struct tcp_end_row *tcp_end_row(enum tcp_end end);

/* One end, as the page is told. */
struct tcp_ending {
    enum tcp_end end;
    const char *token;   /* the row's, or that of script access */
    const char *message; /* static, or valid during the call */
    uint32_t retry_s;
};

/* `message` NULL: the row's. */
struct tcp_ending tcp_ending(enum tcp_end end, const char *message);

#define TCP_ENDING_TEXT_MAX 1024
/* The JSON of a RESET. */
struct slice tcp_ending_write(const struct tcp_ending *ending, char out[TCP_ENDING_TEXT_MAX]);

#endif
