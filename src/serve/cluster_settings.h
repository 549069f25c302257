/* SPDX-License-Identifier: MIT */
/* cluster_settings.h - what the settings say of the way between servers: `cluster-listen`,
 * `cluster-address`, `cluster-key`. */
#ifndef SERVE_CLUSTER_SETTINGS_H
#define SERVE_CLUSTER_SETTINGS_H

#include "base/text.h"
#include "net/seal.h"
#include "serve/config.h"

/* Fills what config_check() makes. False with `why`. */
bool cluster_settings_check(struct config *c, struct text *why);

/* The keys of `cluster-key`: those that ways shake hands by, and those that seal the states of
 * programs. Without the setting NULL; also with `why` if the file is not as it should be. */
struct seal_keys *cluster_way_keys(const struct config *c, struct text *why);
struct seal_keys *cluster_state_keys(const struct config *c, struct text *why);

/* Where other servers reach the ways of a listener that is bound to `bound`: there, or where
 * `cluster-address` says. A name is looked up, which takes its time. False with `why`. */
bool cluster_settings_address(const struct config *c, const struct net_address *bound,
                              struct net_address *ret, struct text *why);

#endif
