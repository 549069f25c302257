/* SPDX-License-Identifier: MIT */
/* line.c - messages as lines, the form of a page program's descriptor 3,
 * for users of the library. */
#include "client/parts.h"

#include <errno.h>
#include <stdio.h>

_Static_assert(HTTPSOCKET_LINE_MAX > MESSAGE_LINE_MAX, "a head and what announces bytes fit");

int httpsocket_line_read(const char *in, size_t len, size_t seen, size_t max,
                         char name[HTTPSOCKET_LINE_MAX], size_t *used,
                         struct httpsocket_message *ret, const char **why)
{
    struct message m = {0};
    size_t want;
    switch (message_parse_line(slice_make(in, len), seen, max, used, &want, &m)) {
    case PARSE_MORE:
        return 0;
    case PARSE_BAD:
        *why = m.why;
        return -EINVAL;
    case PARSE_OK:
        break;
    }
    if (m.kind == MESSAGE_CONTROL || m.kind == MESSAGE_COMMAND) {
        *why = "a message that begins with a dot is the protocol's own";
        return -EINVAL;
    }
    *ret = form_public(&m, name);
    return 1;
}

size_t httpsocket_line_head(const struct httpsocket_message *m, char out[HTTPSOCKET_LINE_MAX])
{
    int len = form_head(m, out, HTTPSOCKET_LINE_MAX);
    size_t room = HTTPSOCKET_LINE_MAX - (size_t)len;
    if (m->bytes)
        len += snprintf(out + len, room, " @%zu\n", m->size);
    else if (m->size)
        len += snprintf(out + len, room, " ");
    return (size_t)len;
}
