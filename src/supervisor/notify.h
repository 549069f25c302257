/* SPDX-License-Identifier: MIT */
/* notify.h - tells the service manager how we are: the protocol of sd_notify(3), datagrams to the
 * socket that NOTIFY_SOCKET names. Without that variable nothing happens.
 *
 * Threads  One.
 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Takes the variables out of the environment, so that no program speaks in our name. */
void notify_init(void);
/* Puts them back, for a program that is executed in our place; and away again. */
void notify_give_back(void);
void notify_take_back(void);
/* Lines as of sd_notify(3). A manager that does not read misses them. */
void notify_say(const char *lines);
/* RELOADING=1 with the time, as Type=notify-reload wants it. READY=1 ends it. */
void notify_reloading(void);
/* How often WATCHDOG=1 is expected at the latest; 0: never. */
uint64_t notify_watchdog_ms(void);

#endif
