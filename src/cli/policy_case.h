/* SPDX-License-Identifier: MIT */
/* policy_case.h - one recorded case of script access: a row of the file, decided.
 *
 * The decision is the server's own (access/access.h); the network is access/recorded.h, and the
 * time is a number.
 */
#ifndef CLI_POLICY_CASE_H
#define CLI_POLICY_CASE_H

#include "access/access.h"

enum case_column {
    CASE_ID,
    CASE_PATH,
    CASE_ORIGIN,
    CASE_TARGET,
    CASE_DNS,
    CASE_CONFIG,
    CASE_VERDICT,
    CASE_HTTP,
    CASE_CLOSE,
    CASE_REASON,
    CASE_CONNECT,
    CASE_COLUMNS,
};

/* Borrowed from the line that was read. */
struct case_row {
    struct slice field[CASE_COLUMNS];
};

#define CASE_WHY_SIZE 256

/* False, with a text in `why`, if the row can't be read or asked for a name twice. */
bool case_decide(const struct case_row *row, struct access_result *ret, char why[CASE_WHY_SIZE]);

#endif
