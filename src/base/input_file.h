/* SPDX-License-Identifier: MIT */
/* input_file.h - whether a file that the operator names can be read at once.
 *
 * Whoever opens a FIFO waits for its writer. Settings, certificates and tokens are read by the
 * thread that hears SIGTERM, also while the server runs.
 */
#ifndef BASE_INPUT_FILE_H
#define BASE_INPUT_FILE_H

#include <stdbool.h>

#define INPUT_FILE_WAITS "it is a FIFO: reading it could wait for ever"

/* A FIFO that has a name. The pipe behind `<(command)` of a shell has its writer. */
bool input_file_waits(const char *path);

#endif
