/* SPDX-License-Identifier: MIT */
/* environment.h - the environment of a page program: the meta-variables of CGI/1.1 (RFC 3875,
 * section 4.1), and ours.
 *
 * A request header becomes HTTP_NAME; one that occurs several times is one value. Left out are
 * `Proxy` (it would become HTTP_PROXY, which programs take for their own proxy), names with other
 * bytes than letters, digits and `-` (`X_A` and `X-A` would be the same variable), the connection's
 * own headers, and Sec-WebSocket-*, which hold the key of the session: Sec-WebSocket-Protocol is
 * kept if it offers no session. Authorization is kept: it is the program that answers
 * 401.
 *
 * SERVER_NAME, SERVER_PORT, REQUEST_SCHEME, HTTP_HOST, SCRIPT_NAME and REQUEST_URI are those that
 * the browser sees, if a trusted proxy has told (http/forwarded.h). REDIRECT_STATUS is what php-cgi
 * wants to see before it runs a file.
 *
 * HTTPSOCKET_PROGRAM marks the program and all that descend from it (net/mark.h).
 *
 * Where there are helpers for programs, HTTPSOCKET_SDK says so, and PYTHONPATH leads to Python's.
 *
 * What a stdio program gets beside these is in stdio_variables.h.
 *
 * Of the server's own environment a program gets PATH, HOME, USER, LANG, LC_ALL, LC_CTYPE, TZ and
 * TMPDIR.
 *
 * Pure but for getenv(3), which is asked once.
 */
#ifndef PROGRAM_ENVIRONMENT_H
#define PROGRAM_ENVIRONMENT_H

#include "program/request.h"

/* The program and the server: equal for all requests. */
struct environment_place {
    struct slice file;     /* of the program */
    struct slice root;     /* DOCUMENT_ROOT; may be empty */
    struct slice software; /* SERVER_SOFTWARE */
    struct slice sdk;      /* folder of the helpers; may be empty */
    bool stdio;            /* no descriptor 3 */
    bool terminal;         /* its stdout is one */
    struct slice lines;    /* stdio_variables.h; may be empty */
    struct slice mark;     /* NAME=VALUE, net/mark.h */
};

struct environment {
    char *text; /* NAME=VALUE NUL, one after the other */
    size_t len, size, count;
    char **list; /* for execve: pointers into `text`, NULL-terminated */
    bool failed; /* without memory */
};

/* Is the header of this index one that a program gets? Then all values of its name as one (RFC
 * 9110, 5.3) are appended to *ret; of Host, the one that the browser sees. */
bool environment_header(const struct program_request *r, size_t index, struct text *ret);
enum {
    ENVIRONMENT_URI_PARTS = 3
};
/* The target as the browser sees it, in origin form (`/path?query`), in so many parts. */
void environment_uri(const struct program_request *r, struct slice ret[ENVIRONMENT_URI_PARTS]);
struct slice environment_host(const struct program_request *r);

/* `request` NULL: of a process for many pages. 0 or -ENOMEM; environment_done() in both cases. */
int environment_build(struct environment *env, const struct environment_place *place,
                      const struct program_request *request);
void environment_done(struct environment *env);

#endif
