/* SPDX-License-Identifier: MIT */
/* withheld.h - which files lie in a site without being meant for browsers: sources, databases,
 * settings, keys, logs, and what editors leave behind (docs/http.md).
 *
 * By the ending of the name, whatever its case; by the first bytes where these tell more. What is
 * appended to a name does not count: `config.php.1`, `config.php-old` and `config.php.txt` are
 * `config.php`.
 *
 * Pure.
 */
#ifndef HTTP_WITHHELD_H
#define HTTP_WITHHELD_H

#include "base/slice.h"

#define WITHHELD_BEGIN 64 /* how many bytes of a file are looked at */

/* What the file is instead, for the log and its writer; NULL: it may be handed out. `begin`: its
 * first bytes, at most WITHHELD_BEGIN; `runs`: somebody has a run bit. For a regular file that is
 * no program. */
const char *withheld_why(struct slice name, struct slice begin, bool runs);

/* Does the file begin with `#!`, or would it but for a byte order mark or blank lines? */
bool withheld_is_script(struct slice begin);
bool withheld_is_marked_script(struct slice begin);

#endif
