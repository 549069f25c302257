/* SPDX-License-Identifier: MIT */
/* command.c - the `.NAME` lines of a program: what it wants from the server.
 *
 * One row a command. What no row knows is an error of the program: a command that was passed over
 * in silence would leave it waiting. `.answer` and `.shared` are the business of seats, which know
 * whose program may say them; here they are refused.
 */
#include "page/hear.h"

#include "base/log.h"
#include "page/host.h"
#include "page/state.h"
#include "page/streams.h"
#include "page/topics.h"
#include "program/command.h"
#include "proto/close_code.h"

struct command {
    const char *name; /* with a slash at its end: more follows */
    bool bytes;       /* it may carry bytes in the place of JSON */
    void (*run)(struct page *p, const struct message *m);
};

static void close_session(struct page *p, const struct message *m)
{
    char text[COMMAND_REASON_MAX];
    struct slice reason;
    if (command_read_close(m, text, &reason))
        page_stop(p, CLOSE_NORMAL, reason);
    else
        page_refuse_command(p, m, COMMAND_CLOSE_EXPECTED);
}

/* `.listen {…}`, `.unlisten {…}`, `.dom {…}`, `.dom […]`. What is in there the page checks. */
static void pass_to_page(struct page *p, const struct message *m)
{
    bool several = slice_equal(m->name, SLICE_LITERAL("dom")) && m->body.ptr[0] == '[';
    if (m->body.ptr[0] != '{' && !several)
        page_refuse_command(p, m, "the command takes a JSON object");
    else if (!p->client->command(p, m))
        page_refuse_command(p, m, "a client of the plain form is no page");
}

static void run_topic(struct page *p, const struct message *m,
                      const char *(*run)(struct page *p, struct slice json))
{
    const char *why = run(p, m->body);
    if (why)
        page_refuse_command(p, m, why);
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

static void refuse_answer(struct page *p, const struct message *m)
{
    page_refuse_command(p, m, "only a shared program answers on descriptor 3");
}

static void refuse_shared(struct page *p, const struct message *m)
{
    page_refuse_command(p, m, "a program says it of itself, without @SESSION");
}

static const struct command commands[] = {
    /* clang-format off */
    {"accept", .run = page_stream_accept},
    {"answer", .bytes = true, .run = refuse_answer},
    {"close", .run = close_session},
    {"confirm", .run = page_state_confirm},
    {"dom", .run = pass_to_page},
    {"end", .run = page_stream_end},
    {"listen", .run = pass_to_page},
    {"publish", .run = publish},
    {"reset", .run = page_stream_reset},
    {"save", .bytes = true, .run = page_state_save},
    {"shared", .run = refuse_shared},
    {"stream/", .bytes = true, .run = page_stream_bytes},
    {"subscribe", .run = subscribe},
    {"tcp", .run = page_tcp_command},
    {"unlisten", .run = pass_to_page},
    {"unsubscribe", .run = unsubscribe},
    /* clang-format on */
};

static bool is_command(struct slice name, const struct command *c)
{
    struct slice whole = slice_of(c->name);
    bool open = whole.ptr[whole.len - 1] == '/';
    return open ? slice_starts_with(name, whole) : slice_equal(name, whole);
}

static void refuse_unknown(struct page *p, const struct message *m)
{
    program_host_counts(p->host->spec.programs)->protocol_errors++;
    log_error("program.unsupported", page_cause(p), log_slice("program", page_file(p)),
              log_int("pid", page_pid(p)), log_text("session", p->mark),
              log_slice("command", m->name),
              log_text("why", "this server does not know the command"));
    page_fail(p, SLICE_LITERAL("program-failed reason=protocol"));
}

void page_command(struct page *p, const struct message *m)
{
    const struct command *found = NULL;
    for (size_t i = 0; !found && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (is_command(m->name, &commands[i]))
            found = &commands[i];
    if (!found)
        refuse_unknown(p, m);
    else if (m->binary && !found->bytes)
        page_refuse_command(p, m, "a command that carries no bytes");
    else
        found->run(p, m);
}
