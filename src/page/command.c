/* SPDX-License-Identifier: MIT */
/* command.c - the `.NAME` lines of a program: what it wants from the server.
 *
 * One row a command. What no row knows is an error of the program: a command that was passed over in
 * silence would leave it waiting.
 */
#include "page/parts.h"

#include "base/log.h"
#include "base/utf8.h"
#include "page/events.h"
#include "page/member.h"
#include "page/streams.h"
#include "page/topics.h"
#include "proto/close_code.h"

#include <jansson.h>

/* A close frame holds 123 bytes. */
#define REASON_MAX 120

struct command {
    const char *name; /* with a slash at its end: more follows */
    bool bytes;       /* it may carry bytes in the place of JSON */
    bool whole;       /* a shared program may say it of itself, without a page */
    void (*run)(struct page *p, const struct message *m);
};

static void refuse(struct page *p, const char *event, const char *why, struct slice name)
{
    p->host->counts.protocol_errors++;
    log_error(event, log_quoted("program", p->file), log_int("pid", p->process.pid),
              log_text("session", p->mark), log_quoted("command", name), log_text("why", why));
    page_fail(p, SLICE_LITERAL("program-failed reason=protocol"));
}

void page_command_refuse(struct page *p, const struct message *m, const char *why)
{
    refuse(p, "program.protocol_error", why, m->name);
}

static void close_session(struct page *p, const struct message *m)
{
    if (m->body.len == 0) {
        page_end_session(p, CLOSE_NORMAL, SLICE_LITERAL("program-exit"));
        page_let_go(p);
        return;
    }
    json_t *value = json_loadb(m->body.ptr, m->body.len, JSON_DECODE_ANY, NULL);
    json_t *reason = json_object_get(value, "reason");
    if (json_is_object(value) && (!reason || json_is_string(reason))) {
        struct slice text = reason
                                ? slice_make(json_string_value(reason), json_string_length(reason))
                                : SLICE_LITERAL("program-exit");
        page_end_session(p, CLOSE_NORMAL, utf8_first(text, REASON_MAX));
        page_let_go(p);
    } else {
        refuse(p, "program.protocol_error", "expected .close {\"reason\":\"...\"}", m->name);
    }
    json_decref(value);
}

/* `.listen {…}`, `.unlisten {…}`, `.dom {…}`, `.dom […]`. What is in there the page checks. */
static void pass_to_page(struct page *p, const struct message *m)
{
    bool several = slice_equal(m->name, SLICE_LITERAL("dom")) && m->body.ptr[0] == '[';
    if (p->plain)
        refuse(p, "program.protocol_error", "a client of the plain form is no page", m->name);
    else if (m->body.ptr[0] != '{' && !several)
        refuse(p, "program.protocol_error", "the command takes a JSON object", m->name);
    else
        session_send(p->session, m);
}

static void run_topic(struct page *p, const struct message *m,
                      const char *(*run)(struct page *p, struct slice json))
{
    const char *why = run(p, m->body);
    if (why)
        refuse(p, "program.protocol_error", why, m->name);
}

static void subscribe(struct page *p, const struct message *m)
{
    run_topic(p, m, page_topic_subscribe);
}

static void unsubscribe(struct page *p, const struct message *m)
{
    run_topic(p, m, page_topic_unsubscribe);
}

static void publish(struct page *p, const struct message *m)
{
    run_topic(p, m, page_topic_publish);
}

static const struct command commands[] = {
    {"accept", .run = page_stream_accept},
    {"answer", .bytes = true, .run = page_member_answer},
    {"close", .whole = true, .run = close_session},
    {"dom", .run = pass_to_page},
    {"end", .run = page_stream_end},
    {"listen", .run = pass_to_page},
    {"publish", .run = publish},
    {"reset", .run = page_stream_reset},
    {"shared", .whole = true, .run = page_shared_command},
    {"stream/", .bytes = true, .run = page_stream_bytes},
    {"subscribe", .run = subscribe},
    {"tcp", .run = page_tcp_command},
    {"unlisten", .run = pass_to_page},
    {"unsubscribe", .run = unsubscribe},
};

static bool is_command(struct slice name, const struct command *c)
{
    struct slice whole = slice_of(c->name);
    bool open = whole.ptr[whole.len - 1] == '/';
    return open ? slice_starts_with(name, whole) : slice_equal(name, whole);
}

void page_command(struct page *p, const struct message *m)
{
    const struct command *found = NULL;
    for (size_t i = 0; !found && i < sizeof commands / sizeof commands[0]; i++)
        if (is_command(m->name, &commands[i]))
            found = &commands[i];
    if (!found)
        refuse(p, "program.unsupported", "this server does not know the command", m->name);
    else if (m->binary && !found->bytes)
        refuse(p, "program.protocol_error", "a command that carries no bytes", m->name);
    else if (p->shared && !found->whole)
        refuse(p, "program.protocol_error", "a command for a page, without @SESSION", m->name);
    else
        found->run(p, m);
}
