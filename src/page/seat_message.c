/* SPDX-License-Identifier: MIT */
/* seat_message.c - a message for a program, as a line of descriptor 3. */
#include "page/lifecycle.h"

#include "base/log.h"
#include "proto/close_code.h"

#include <stdlib.h>

/* From this size on a body is not copied, and a text not quoted at once. */
#define LONG_BODY 65536

static void write_line(struct seat *s, const struct message *m)
{
    struct message_line line;
    message_line_head(m, &line);
    if (m->whole && m->body.len >= LONG_BODY && s->ops->write_long) {
        s->ops->write_long(s, slice_make(line.before, line.before_len), m->whole,
                           (size_t)(m->body.ptr - m->whole->bytes), m->body.len);
        return;
    }
    struct slice pieces[] = {slice_make(line.before, line.before_len), m->body,
                             SLICE_LITERAL("\n")};
    s->ops->write(s, pieces, 3);
}

/* Nothing in it has to be escaped, as in most texts. */
static void write_plain_text(struct seat *s, const struct message *m)
{
    struct slice pieces[] = {m->head, SLICE_LITERAL(" \""), m->body, SLICE_LITERAL("\"\n")};
    s->ops->write(s, pieces, 4);
}

static void write_text(struct seat *s, struct message m)
{
    if (json_is_plain(m.body)) {
        write_plain_text(s, &m);
        return;
    }
    char *json = log_needed(malloc(JSON_QUOTED_MAX(m.body.len)));
    if (!json) {
        page_stop(s->page, CLOSE_INTERNAL_ERROR, SLICE_LITERAL("out of memory"));
        return;
    }
    m.body = slice_make(json, json_quote(m.body, json));
    m.whole = NULL; /* that holds the text as it came */
    write_line(s, &m);
    free(json);
}

void seat_send_message(struct seat *s, const struct message *m)
{
    if (!s->ops->open(s))
        return;
    if (m->text && m->body.len >= LONG_BODY && s->ops->write_text)
        s->ops->write_text(s, m);
    else if (m->text)
        write_text(s, *m);
    else
        write_line(s, m);
}
