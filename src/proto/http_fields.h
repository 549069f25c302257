/* SPDX-License-Identifier: MIT */
/* http_fields.h - what the header fields of a request mean for its framing (RFC 9112, 6 and 9.3;
 * RFC 9110, 7.2). For http_head.c, which has parsed the lines: here they are judged together. */
#ifndef PROTO_HTTP_FIELDS_H
#define PROTO_HTTP_FIELDS_H

#include "proto/http_head.h"

/* Reads method, target, minor and headers; sets keep_alive, upgrade, expect_continue, body,
 * content_length and host. PARSE_BAD sets status and why. */
enum parse_status http_fields_judge(struct http_head *head);

#endif
