/* SPDX-License-Identifier: MIT */
/* io_choice.h - by what the workers' loops wait: the setting `io`.
 *
 * Threads  Before there is a second one that makes loops.
 */
#ifndef SERVE_IO_CHOICE_H
#define SERVE_IO_CHOICE_H

#include "serve/config.h"

/* By the rights that the workers will have. False: io_uring is demanded, and does not work here;
 * logged. `pages_depend`: then epoll does, since pages would end
 * otherwise. */
bool io_choose(const struct config *config, bool pages_depend);

#endif
