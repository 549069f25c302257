/* SPDX-License-Identifier: MIT */
/* masks.h - unpredictable keys for the frames of a client (RFC 6455, 5.3 and 10.3).
 *
 * The kernel's random bytes, fetched for MASKS_AT_ONCE frames at a time. What was taken is wiped,
 * and a child that a program forks has none of its parent's.
 *
 * Threads  Each has its own.
 */
#ifndef WS_MASKS_H
#define WS_MASKS_H

#include <stdint.h>

enum {
    MASKS_AT_ONCE = 64 /* up to 256 bytes come whole, once the kernel has been seeded */
};

void masks_take(uint8_t ret[4]);

#endif
