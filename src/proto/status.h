/* SPDX-License-Identifier: MIT */
/* status.h - how a parser answers: it has a value, it wants more bytes, or the bytes are wrong for
 * good. */
#ifndef PROTO_STATUS_H
#define PROTO_STATUS_H

enum parse_status {
    PARSE_OK,
    PARSE_MORE,
    PARSE_BAD
};

#endif
