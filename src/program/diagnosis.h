/* SPDX-License-Identifier: MIT */
/* diagnosis.h - why a program can't be started, in the words of who wrote it.
 *
 * The kernel says "No such file" when the interpreter of the first line is missing, and "Exec
 * format error" when there is none: the file itself tells which.
 */
#ifndef PROGRAM_DIAGNOSIS_H
#define PROGRAM_DIAGNOSIS_H

#include "base/text.h"

/* Writes what is wrong and what to do about it, if the file shows it; otherwise nothing. `error` is
 * the negative errno of execve(2). Reads the beginning of the file. */
void program_diagnose(const char *file, int error, struct text *out);

#endif
