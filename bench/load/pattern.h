/* SPDX-License-Identifier: MIT */
/* pattern.h - the bytes of many messages, one behind the other, made beforehand, so that sending
 * and checking cost little more than the system calls.
 *
 * Each copy has its number in it, and there are more copies than messages in flight: one that is
 * lost, doubled, or in another's place is a wrong byte.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum form {
    FORM_BINARY,  /* a frame with NUMBER LETTERS */
    FORM_TEXT,    /* the same, as text */
    FORM_EVENT,   /* a text frame with `m "NUMBER LETTERS"`: an event of a session */
    FORM_PUBLISH, /* of Redis: the command that publishes it, and what a subscriber gets */
    FORM_MESSAGE,
};

struct pattern {
    char *bytes;
    size_t one; /* length of one message */
    size_t all;
};

/* `size` is the payload's. `mask`: 4 bytes, or NULL. */
struct pattern pattern_make(enum form form, uint64_t size, const unsigned char *mask,
                            uint64_t copies_min);

/* Writes a frame's head; returns its length, at most 14. */
size_t pattern_put_head(char *p, int op, uint64_t size, const unsigned char *mask);
