/* SPDX-License-Identifier: MIT */
/* file_answer.h - one answer with a file, or with what stands for it in another coding: its
 * headers, conditions (RFC 9110, 13) and ranges (14). For static.c.
 *
 * The bytes are in a descriptor, of which the first are in `begin` too; or all of them are there.
 */
#ifndef HTTP_FILE_ANSWER_H
#define HTTP_FILE_ANSWER_H

#include "http/compressor.h"
#include "http/conditions.h"
#include "http/date.h"
#include "http/exchange.h"
#include "http/kept_files.h"

#define ETAG_MAX           96
#define ANSWER_HEADERS_MAX 10

struct file_answer {
    struct exchange *x;
    int fd; /* owned until it is written; -1: all is in `begin` */
    uint64_t size;
    struct slice begin; /* the first bytes */
    struct slice type;
    enum encoding encoding;
    struct compressor *compressor; /* of `copy` */
    struct compressed *copy;       /* owned until it is sent: holds `begin`; NULL: none */
    struct representation is;
    char etag[ETAG_MAX];
    char modified[HTTP_DATE_LEN];
    struct http_header headers[ANSWER_HEADERS_MAX];
    size_t header_count;
};

/* Tells ETag and Last-Modified of the file with this `stat`. `kept`: where it is in memory, with
 * both, once they have been told; or NULL. `mark`: what the tag has besides, in
 * another coding; or empty. */
void file_answer_describe(struct file_answer *a, const struct stat *stat, struct kept_file *kept,
                          const char *mark);
void file_answer_add(struct file_answer *a, struct slice name, struct slice value);
/* Answers, with the range that is wanted. Takes what the answer owns. */
void file_answer_send(struct file_answer *a);
/* Gives up what the answer owns: it has been answered otherwise. */
void file_answer_drop(struct file_answer *a);

/* ---- compressed_body.c ---- */

/* Sends this part of the copy as the whole body, as fast as the client takes it, and ends the
 * exchange. Takes the copy. */
void compressed_body_send(struct exchange *x, struct compressor *compressor,
                          struct compressed *copy, struct slice part);

#endif
