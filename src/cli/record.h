/* SPDX-License-Identifier: MIT */
/* record.h - the two halves of `httpsocket policy record`: writing a record and linting one.
 *
 * The parser is the server's own (proto/access_record.h). Both print, and return an exit status.
 */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "proto/access_record.h"

#define RECORD_TEXT_SIZE (2 * ACCESS_RECORD_MAX)

/* What the options say; NULL or empty: nothing. */
struct record_draft {
    const char *name, *address, *port, *via, *max_age, *note;
    char allow[RECORD_TEXT_SIZE], deny[RECORD_TEXT_SIZE], host[RECORD_TEXT_SIZE];
};

/* Appends a pattern, its name made into A-labels. False if it is none or the list is full. */
bool record_add_pattern(char list[RECORD_TEXT_SIZE], struct slice text);

/* One line in zone-file form. */
int record_write(const struct record_draft *d);

/* Each record as it stands in the DNS, without quotes; what is wrong with it, and where. */
int record_lint(char **records, int count, bool reverse);

#endif
