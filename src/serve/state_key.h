/* SPDX-License-Identifier: MIT */
/* state_key.h - the keys that seal the states of programs (net/seal.h): `state-key FILE`, or a file
 * that is made at the first start.
 *
 * The file is as key_file.h has it; the first key seals, all open. Without the setting, all servers
 * with the same `cluster-key` derive the same keys from that.
 *
 * Without both it is `state.key` in $STATE_DIRECTORY (systemd's), or of root
 * /var/lib/httpsocket, or $XDG_STATE_HOME/httpsocket, or ~/.local/state/httpsocket. Where none can
 * be made, there is a key for this run only, and the log says so.
 */
#ifndef SERVE_STATE_KEY_H
#define SERVE_STATE_KEY_H

#include "base/text.h"
#include "net/seal.h"
#include "serve/config.h"

/* The keys of one file. NULL with `why`: the file, the line. */
struct seal_keys *state_key_read(const char *file, struct text *why);

/* At the start, by the rights that the server began with: makes the file if there is none. A file
 * that is made is given to the user that the server becomes. NULL with `why`. */
struct seal_keys *state_key_open(const struct config *c, struct text *why);

/* At a reload. NULL with `why`; NULL without: the keys stay as they are. */
struct seal_keys *state_key_again(const struct config *c, struct text *why);

/* Is the file of the setting, if there is one, as it should be? False with `why`. */
bool state_key_check(const struct config *c, struct text *why);

#endif
