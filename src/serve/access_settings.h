/* SPDX-License-Identifier: MIT */
/* access_settings.h - makes the settings of script access (access/config.h) from a config.
 *
 * The names and the forms of the values are access/config.h's own, so that a config file reads the
 * same for the server and for `httpsocket policy`.
 */
#ifndef SERVE_ACCESS_SETTINGS_H
#define SERVE_ACCESS_SETTINGS_H

#include "access/config.h"
#include "access/dns.h"
#include "serve/config.h"

/* Without the machine's own addresses. On failure returns false, with `why`, and leaves *ret
 * untouched. */
bool access_settings_read(const struct config *c, struct access_config *ret, struct text *why);

/* Borrows from `c`. */
struct dns_options access_settings_dns(const struct config *c);

/* Whether script access decides alike under both. */
bool access_settings_equal(const struct config *a, const struct config *b);

#endif
