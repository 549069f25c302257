/* SPDX-License-Identifier: MIT */
/* access_record.h - the script-access record, TXT at `_script-access.<host>`: who may connect to
 * this name.
 *
 *     record  = "v=sa1" *( *WSP ";" *WSP tag ) *WSP [ ";" *WSP ]
 *     tag     = "allow=" pats / "deny=" pats
 *             / "port=" pitem *("," pitem)
 *             / "via=" ("tcp"/"web") *("," ("tcp"/"web"))
 *             / "max-age=" 1*6DIGIT           ; seconds, at most 86400
 *             / "host=" pats                  ; in reverse zones only
 *             / "note=" *(any octet but ";")
 *     pitem   = "*" / port ["-" port]
 *
 * Words are matched without case (RFC 5234, 2.3). A record is either understood whole or it is a
 * fault, and a fault refuses everything: to skip an unknown `deny` would weaken a policy. Several
 * records of one name are a union in which any matching `deny` wins, whatever the `port` and `via`
 * of its record. `port` and `via` restrict only what their own record allows.
 *
 * Pure; a record borrows the text it was read from. Cost: one pass to parse, one pass over the
 * lists to match.
 */
#ifndef PROTO_ACCESS_RECORD_H
#define PROTO_ACCESS_RECORD_H

#include "proto/access_pattern.h"

#define ACCESS_RECORD_MAX  1024 /* octets of one record */
#define ACCESS_RECORDS_MAX 8    /* records of one name */
#define ACCESS_OCTETS_MAX  4096 /* octets of all of them */
#define ACCESS_TXT_MAX     16   /* TXT records of the name, foreign ones included */
#define ACCESS_TXT_OCTETS  8192 /* octets of all of those */
#define ACCESS_MAX_AGE_MAX 86400
#define ACCESS_NO_MAX_AGE  UINT32_MAX

enum access_via {
    ACCESS_VIA_TCP = 1,
    ACCESS_VIA_WEB = 2
};
enum access_zone {
    ACCESS_FORWARD,
    ACCESS_REVERSE
};

struct access_record {
    /* Lists as written, checked; ptr is NULL without the tag. */
    struct slice allow, deny, port, host;
    int via; /* a set of enum access_via; both without the tag */
    uint32_t max_age;
};

enum access_record_status {
    ACCESS_RECORD_OK,
    ACCESS_RECORD_FOREIGN, /* another version or no script-access record at all: as if absent */
    ACCESS_RECORD_BAD,
};

/* Reads one TXT record whose strings have been joined. With ACCESS_RECORD_BAD, *fault says where
 * and what was expected; *ret is set only with ACCESS_RECORD_OK. */
enum access_record_status access_record_parse(struct slice text, enum access_zone zone,
                                              struct access_record *ret,
                                              struct access_fault *fault);

/* Whether `port=` covers a port. The ports that browsers block (Fetch, "bad port") count only when
 * listed singly. */
bool access_ports_have(struct slice port_tag, uint16_t port);

bool access_port_is_bad(uint16_t port);

/* Which origin wants to connect to which target. */
struct access_question {
    const struct origin *origin;
    enum access_via via;
    struct slice host; /* the target's, lower case; looked at in reverse zones only */
    uint16_t port;     /* not looked at for ACCESS_VIA_WEB */
    const struct public_suffixes *suffixes;
};

enum access_match {
    ACCESS_MATCH_ALLOWED,
    ACCESS_MATCH_NO_RECORD,
    ACCESS_MATCH_BAD_RECORD,
    ACCESS_MATCH_TOO_LARGE,
    ACCESS_MATCH_ORIGIN_DENIED,      /* a `deny` names the origin */
    ACCESS_MATCH_ORIGIN_NOT_ALLOWED, /* no record allows the origin for this `via` */
    ACCESS_MATCH_PORT_NOT_LISTED,
    ACCESS_MATCH_HOST_NOT_NAMED, /* in reverse zones only */
};

struct access_answer {
    enum access_match match;
    size_t record;             /* the index of the deciding record, if one decided */
    struct access_fault fault; /* with ACCESS_MATCH_BAD_RECORD, in that record */
    uint32_t max_age;          /* the longest that the records name, or ACCESS_NO_MAX_AGE */
};

/* Evaluates the whole TXT set of one name; the order of the records does not matter. In a reverse
 * zone a record needs `host`; without `port` it means every port there, without `allow` every
 * origin. */
struct access_answer access_records_match(const struct slice *txt, size_t count,
                                          enum access_zone zone,
                                          const struct access_question *question);

#endif
