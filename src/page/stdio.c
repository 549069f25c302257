/* SPDX-License-Identifier: MIT */
/* stdio.c - programs that read lines and write lines, as websocketd runs them: a message is a line.
 *
 *   the client's message ──> stdin, and LF          a line of stdout, without its LF ──> a message
 *
 * They know of no descriptor 3, no page and no session. Stdout is a terminal unless the operator
 * wants a pipe (docs/decisions/stdio-terminal.md), in raw mode, which is read as if it were
 * descriptor 3; stdin is a pipe. A line that is no UTF-8 is bytes, in both forms of the wire.
 */
#include "page/parts.h"

#include "base/log.h"
#include "base/utf8.h"
#include "net/pty.h"
#include "page/events.h"
#include "proto/close_code.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* More than the kernel keeps for a terminal. Who still writes when the program is gone has left its
 * group, and is not waited for. */
#define LAST_MAX (1024 * 1024)

/* ---- which programs ---- */

bool page_is_stdio(const struct page_host *host, const struct site_found *found)
{
    return found->kind == SITE_PROGRAM &&
           page_programs_is_stdio_file(host->config->programs, page_below_root(host, found->file));
}

/* ---- its output ---- */

static int open_pipe(int *child, int *ours)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    *ours = fds[0];
    *child = fds[1];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int page_stdio_open_out(struct page *p, int *child, int *ours)
{
    return p->host->config->stdio_pipe ? open_pipe(child, ours) : pty_open(ours, child);
}

static const struct message outgoing = {
    .kind = MESSAGE_EVENT,
    .head = {"message", 7},
    .name = {"message", 7},
};

static bool fits(const struct page *p, const struct message *m)
{
    return m->head.len + 1 + m->body.len <= p->host->config->line_max;
}

static bool deliver_text(struct page *p, struct slice line)
{
    struct message m = outgoing;
    char *json = malloc(6 * line.len + 2);
    if (!json) {
        page_end_session(p, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"));
        return true;
    }
    m.body = slice_make(json, json_quote(line, json));
    bool sent = fits(p, &m);
    if (sent)
        session_send(p->session, &m);
    free(json);
    return sent;
}

static bool deliver_bytes(struct page *p, struct slice line)
{
    struct message m = outgoing;
    m.binary = true;
    m.body = line;
    bool sent = fits(p, &m);
    if (sent)
        session_send(p->session, &m);
    return sent;
}

bool page_stdio_deliver(struct page *p, struct slice line)
{
    bool is_text = utf8_valid(line);
    if (is_text && slice_ends_with(line, SLICE_LITERAL("\r")))
        line.len--;
    p->spoke = true;
    if (!p->plain)
        return is_text ? deliver_text(p, line) : deliver_bytes(p, line);
    ws_peer_send(p->plain, is_text ? WS_OP_TEXT : WS_OP_BINARY, &line, 1);
    return true;
}

void page_stdio_last(struct page *p)
{
    char buffer[65536];
    size_t left = LAST_MAX;
    if (!page_pipe_open(&p->events))
        return;
    while (left > 0 && page_pipe_open(&p->events)) {
        ssize_t n = read(p->events.io.fd, buffer, sizeof buffer < left ? sizeof buffer : left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* EIO: that was all. EAGAIN: somebody else holds the other end */
            break;
        left -= (size_t)n;
        page_events_take(p, slice_make(buffer, (size_t)n));
    }
    p->events.last = true;
}

/* ---- its input ---- */

static struct page *page_of(struct io *io)
{
    return container_of(io, struct page, in.io);
}

static void write_pieces(struct page *p, const struct slice *pieces, int count)
{
    struct iovec vec[2];
    if (p->shut || !page_pipe_open(&p->in))
        return;
    for (int i = 0; i < count; i++)
        vec[i] = (struct iovec){(void *)pieces[i].ptr, pieces[i].len};
    io_write(&p->in.io, vec, count);
}

void page_stdio_write_line(struct page *p, struct slice line)
{
    write_pieces(p, (struct slice[]){line, SLICE_LITERAL("\n")}, 2);
}

/* A string is its text, any other JSON is itself, nothing at all is an empty line. */
static void write_json(struct page *p, struct slice json)
{
    char *text = malloc(json.len + 1);
    size_t len;
    if (text && json_unquote(json, text, &len))
        json = slice_make(text, len);
    page_stdio_write_line(p, json);
    free(text);
}

/* A client that takes it for a program with events has to learn of it. */
static void refuse(struct page *p, const struct message *m)
{
    log_warn("program.stdio_event", log_quoted("program", p->file), log_int("pid", p->process.pid),
             log_text("session", p->mark), log_quoted("line", m->head),
             log_text("why", "a stdio program takes only events `message`"));
    page_end_session(p, CLOSE_WIRE_PROTOCOL,
                     SLICE_LITERAL("wire-protocol: this program takes only events `message`"));
    page_let_go(p);
}

void page_stdio_write(struct page *p, const struct message *m)
{
    if (m->kind != MESSAGE_EVENT || !slice_equal(m->name, outgoing.name))
        refuse(p, m);
    else if (m->binary)
        page_stdio_write_line(p, m->body);
    else
        write_json(p, m->body);
}

static void on_recv(struct io *io, struct bytes data)
{
    (void)io, (void)data; /* a pipe's write end gives nothing */
}

static void go_on(struct page *p)
{
    page_events_taken(p);
    if (p->plain)
        ws_peer_resume(p->plain);
    page_settle(p);
}

/* The program has closed its stdin: what still comes is not wanted, and counts as taken. */
static void on_end(struct io *io, int error)
{
    (void)error;
    struct page *p = page_of(io);
    page_pipe_close(&p->in);
    go_on(p);
}

static void on_drain(struct io *io)
{
    go_on(page_of(io));
}

static void on_gone(struct io *io)
{
    struct page *p = page_of(io);
    p->in.state = PIPE_NONE;
    page_settle(p);
}

const struct io_ops page_stdin_io_ops = {on_recv, on_end, on_drain, on_gone};

/* ---- who comes without a WebSocket ---- */

static const char page_text[] =
    "<!doctype html>\n"
    "<meta charset=\"utf-8\">\n"
    "<title>A program that speaks WebSocket</title>\n"
    "<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 2em; max-width: 60em }\n"
    "pre, input { font: 14px/1.5 monospace } pre { white-space: pre-wrap } input { width: 100% }\n"
    "i { color: #777 }</style>\n"
    "<h1>A program that speaks WebSocket</h1>\n"
    "<p>It reads lines and writes lines. Enter one:\n"
    "<form><input autofocus autocomplete=\"off\"></form>\n"
    "<pre></pre>\n"
    "<script type=\"module\">\n"
    "import { ServerConnection } from '/.httpsocket/client.mjs';\n"
    "const [form, input, output] = ['form', 'input', 'pre'].map((n) => "
    "document.querySelector(n));\n"
    "const connection = new ServerConnection(location.pathname + location.search);\n"
    "const show = (text, kind = 'span') => {\n"
    "  const line = document.createElement(kind);\n"
    "  line.textContent = `${text}\\n`;\n"
    "  output.append(line);\n"
    "  line.scrollIntoView({ block: 'nearest' });\n"
    "};\n"
    "connection.addEventListener('message', ({ data }) =>\n"
    "  show(data instanceof ArrayBuffer ? `(${data.byteLength} bytes)` : data));\n"
    "connection.addEventListener('suspend', () => show('connection lost, trying again', 'i'));\n"
    "connection.addEventListener('close', ({ code, reason }) => show(`closed: ${code} ${reason}`, "
    "'i'));\n"
    "form.onsubmit = () => {\n"
    "  connection.send('message', input.value);\n"
    "  input.value = '';\n"
    "  return false;\n"
    "};\n"
    "</script>\n";

void page_stdio_answer(struct exchange *x)
{
    const struct http_header headers[] = {
        {SLICE_LITERAL("Upgrade"), SLICE_LITERAL("websocket")},
        {SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/html; charset=utf-8")},
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
    };
    struct slice text = SLICE_LITERAL(page_text);
    exchange_respond(x, 426, SLICE_NONE, headers, 3, text.len);
    exchange_write(x, text);
    exchange_end(x);
}

bool page_open_none(struct page_host *host, struct exchange *x)
{
    if (!page_programs_stdio(host->config->programs, x->path))
        return false;
    page_stdio_answer(x);
    return true;
}
