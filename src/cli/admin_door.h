/* SPDX-License-Identifier: MIT */
/* admin_door.h - where the admin listener of a server is, and one request to it. */
#ifndef CLI_ADMIN_DOOR_H
#define CLI_ADMIN_DOOR_H

#include "base/text.h"
#include "net/address.h"

#define ADMIN_CONFIG "/etc/httpsocket.conf" /* of the unit for systemd */

/* From `admin` (NULL: from the setting `admin` of the file `config`; NULL: of ADMIN_CONFIG). False
 * with `why`. */
bool admin_door_find(const char *admin, const char *config, struct net_address *ret,
                     struct text *why);
/* POST, without a body; `target` is path and query. Returns the status, with the answer's body; 0
 * with `why` there. Waits for 30 s at most. */
int admin_door_post(const struct net_address *door, const char *target, struct text *ret_body);
/* The same by GET. */
int admin_door_get(const struct net_address *door, const char *target, struct text *ret_body);

#endif
