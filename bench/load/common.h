/* SPDX-License-Identifier: MIT */
/* common.h - what the load generators share: how they fail, connect, and are told to run.
 *
 * Each prints `ready` when its connections stand. Then each line on stdin is a number: that much
 * work is done, and `WORK SECONDS ...` is printed. Whoever watches a server's CPU time reads it
 * before and after. The end of stdin ends the generator.
 *
 * What is not as it has to be (a wrong byte, one too many, nothing for `patience_s`) is told on
 * stderr and ends the generator with status 1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EVENTS_MAX = 256,
    ANSWER_MAX = 8192
};

/* The handshake's key, and what a server has to make of it. */
#define WEBSOCKET_KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define WEBSOCKET_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

extern unsigned patience_s; /* 20 */

_Noreturn void die(const char *what); /* with errno */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t number(const char *text);
double now(void);
void raise_file_limit(void);

/* `source`: which address of 127.0.0.0/8 it comes from; each has its own 28 000 ports. */
int connect_to(uint16_t port, unsigned source, bool nonblocking);

/* The head of an HTTP answer and no byte more. It ends in NUL. */
size_t read_answer_head(int fd, char head[ANSWER_MAX]);
bool is_websocket_answer(const char *head);

/* Prints `ready`. */
void say_ready(void);
/* The next line's number; false at the end. */
bool read_order(uint64_t *work);
