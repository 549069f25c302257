/* SPDX-License-Identifier: MIT */
/* start.c - a program's descriptors and its process: one socket pair, two pipes, a third one if the
 * request has a body. */
#include "page/parts.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/dev.h"
#include "page/environment.h"
#include "page/events.h"
#include "page/wire.h"
#include "proto/close_code.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    END_COUNT = 4
};

/* -1: not ours to close. */
struct ends {
    int child[END_COUNT];
    int ours[END_COUNT];
};

static void close_all(int fds[END_COUNT])
{
    for (int i = 0; i < END_COUNT; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

/* `ours` does not wait; the program's end does, as programs expect. */
static int make_pipe(int *child, int *ours, int ours_index)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    *ours = fds[ours_index];
    *child = fds[!ours_index];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int make_pair(int *child, int *ours)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    *ours = fds[0];
    *child = fds[1];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int make_stdin(struct page *p, struct ends *ends)
{
    if (p->stdio)
        return make_pipe(&ends->child[0], &ends->ours[0], 1);
    if (!p->x)
        return 0; /* as below */
    const struct http_head *request = p->x->request;
    if (p->spool >= 0) {
        ends->child[0] = p->spool;
        p->spool = -1;
        return 0;
    }
    if (request->body == HTTP_BODY_LENGTH && request->content_length > 0)
        return make_pipe(&ends->child[0], &ends->ours[0], 1);
    return 0; /* /dev/null, which all programs share */
}

static int make_ends(struct page *p, struct ends *ends)
{
    *ends = (struct ends){{-1, -1, -1, -1}, {-1, -1, -1, -1}};
    int error = p->stdio ? page_stdio_open_out(p, &ends->child[1], &ends->ours[1])
                         : make_pair(&ends->child[3], &ends->ours[3]);
    if (!error && !p->stdio)
        error = make_pipe(&ends->child[1], &ends->ours[1], 0);
    if (!error)
        error = make_pipe(&ends->child[2], &ends->ours[2], 0);
    if (!error)
        error = make_stdin(p, ends);
    return error;
}

static int open_pipe(struct page *p, struct page_pipe *pipe, int *fd, enum io_kind kind,
                     const struct io_ops *ops, bool paused)
{
    if (*fd < 0)
        return 0;
    int error = io_open_known(p->host->loop, &pipe->io, *fd, kind, ops, paused);
    if (error < 0)
        return error;
    *fd = -1;
    pipe->state = PIPE_OPEN;
    return 0;
}

static int open_pipes(struct page *p, struct ends *ends)
{
    int *fds = ends->ours;
    int error = p->stdio
                    ? open_pipe(p, &p->events, &fds[1], IO_KIND_PIPE_IN, &page_events_io_ops, false)
                    : open_pipe(p, &p->events, &fds[3], IO_KIND_SOCKET, &page_events_io_ops, false);
    if (!error)
        error = open_pipe(p, &p->out, &fds[1], IO_KIND_PIPE_IN, &page_answer_io_ops, false);
    if (!error)
        error = open_pipe(p, &p->err, &fds[2], IO_KIND_PIPE_IN, &page_stderr_io_ops, false);
    if (!error)
        error = open_pipe(p, &p->in, &fds[0], IO_KIND_PIPE_OUT,
                          p->stdio ? &page_stdin_io_ops : &page_body_io_ops, true);
    return error;
}

int page_make_session(struct page *p)
{
    if (p->kind == PAGE_HEAD || p->kind == PAGE_PLAIN || p->kind == PAGE_SHARED)
        return 0;
    struct session_spec spec = {
        .config = p->host->session_config,
        .counts = &p->host->session_counts,
        .table = p->host->sessions,
        .ops = &page_session_ops,
        .owner = p,
        .origin = p->origin.ptr ? p->origin : SLICE_LITERAL(""),
        .path = p->x->path,
    };
    errno = ENOMEM;
    p->session = session_new(p->host->loop, &spec);
    if (!p->session)
        return -errno;
    session_log_id(p->session, p->mark);
    return 0;
}

/* Of a process that has many pages: what is not of a request. */
static int build_shared_environment(struct page *p, struct environment *env)
{
    struct environment_spec spec = {
        .file = p->file,
        .root = p->host->root,
        .software = p->host->server_name,
        .sdk = p->host->sdk,
    };
    return environment_build(env, &spec);
}

static int build_environment(struct page *p, struct environment *env)
{
    if (p->kind == PAGE_SHARED)
        return build_shared_environment(p, env);
    struct net_address peer = {0}, local = {0};
    int error = exchange_peer(p->x, &peer);
    if (error == 0)
        error = exchange_local(p->x, &local);
    if (error < 0) {
        *env = (struct environment){0};
        return error;
    }
    struct environment_spec spec = {
        .request = p->x->request,
        .path = p->x->path,
        .script_len = p->script_len,
        .query = p->x->query,
        .file = p->file,
        .root = p->host->root,
        .software = p->host->server_name,
        .sdk = p->host->sdk,
        .peer = &peer,
        .local = &local,
        .secure = p->x->secure,
        .has_length = p->x->request->body != HTTP_BODY_NONE,
        .content_length =
            p->x->request->body == HTTP_BODY_LENGTH ? p->x->request->content_length : p->spooled,
        .session = p->session ? session_id(p->session) : SLICE_NONE,
        .connect = p->kind == PAGE_DIRECT || p->kind == PAGE_PLAIN,
        .stdio = p->stdio,
    };
    return environment_build(env, &spec);
}

/* A file runs in its own folder, a command in ours. */
static void name_directory(const struct page *p, char ret[PATH_MAX])
{
    struct slice folder = p->command ? SLICE_LITERAL(".") : p->file;
    while (folder.len > 1 && folder.ptr[folder.len - 1] != '/')
        folder.len--;
    memcpy(ret, folder.ptr, folder.len);
    ret[folder.len] = '\0';
}

static int spawn(struct page *p, const struct ends *ends, char *const *envp)
{
    char directory[PATH_MAX];
    name_directory(p, directory);
    int fds[END_COUNT];
    memcpy(fds, ends->child, sizeof fds);
    if (fds[0] < 0)
        fds[0] = p->host->null_fd;
    struct process_spec spec = {
        .path = p->file.ptr,
        .argv = p->command ? p->command->argv : (char *const[]){(char *)p->file.ptr, NULL},
        .envp = envp,
        .directory = directory,
        .fds = fds,
        .fd_count = p->stdio ? 3 : END_COUNT,
    };
    return process_start(p->host->loop, &p->process, &spec, page_exited);
}

static int start(struct page *p, struct ends *ends)
{
    int error = make_ends(p, ends);
    if (!error)
        error = open_pipes(p, ends);
    if (!error)
        error = page_make_session(p);
    if (!error && !p->stdio && p->kind != PAGE_SHARED && !page_answer_begin(p))
        error = -ENOMEM;
    if (error)
        return error;

    struct environment env;
    error = build_environment(p, &env);
    if (!error)
        error = spawn(p, ends, env.list);
    environment_done(&env);
    return error;
}

static void undo(struct page *p)
{
    page_answer_free(p);
    page_pipe_close(&p->events);
    page_pipe_close(&p->out);
    page_pipe_close(&p->err);
    page_pipe_close(&p->in);
    if (p->session && !p->session_done) {
        p->session_done = true;
        list_remove(&p->connecting);
        session_abort(p->session, CLOSE_PROGRAM_FAILED, SLICE_LITERAL("program-failed"));
    }
}

static void say_failed(struct page *p, int error)
{
    if (error == -ENOTCONN) { /* the client has gone already: nobody has failed */
        log_debug("program.not_wanted", log_quoted("program", p->file));
        return;
    }
    p->host->counts.failed_start++;
    log_error("program.start_failed", log_quoted("program", p->file), log_errno("error", error));
}

int page_start(struct page *p)
{
    struct ends ends;
    page_dev_begin(p);
    page_console_begin(p->host);
    int error = start(p, &ends);
    p->command = NULL;
    close_all(ends.child);
    close_all(ends.ours);
    if (error) {
        say_failed(p, error);
        undo(p);
        return error;
    }

    p->started = true;
    p->host->counts.started++;
    page_set_state(p, PAGE_RUNNING);
    if (p->answer)
        timer_start(p->host->loop, &p->answer_timer, p->host->config->answer_timeout_ms);
    if (p->kind == PAGE_HEAD)
        page_events_shut(p);
    log_info("program.started", log_quoted("program", p->file), log_int("pid", p->process.pid),
             log_text("session", p->mark), log_text("client", p->address));
    return 0;
}

void page_pipe_close(struct page_pipe *pipe)
{
    if (pipe->state != PIPE_OPEN)
        return;
    pipe->state = PIPE_CLOSED;
    io_close(&pipe->io);
}

struct slice page_pipe_take(struct page_pipe *pipe, struct slice data)
{
    if (!pipe->last)
        return data;
    data = slice_first(data, pipe->left);
    pipe->left -= data.len;
    return data;
}

void page_pipe_set_last(struct page_pipe *pipe)
{
    int waiting = 0;
    if (pipe->state == PIPE_OPEN && ioctl(pipe->io.fd, FIONREAD, &waiting) < 0)
        waiting = 0;
    pipe->last = true;
    pipe->left = (size_t)waiting;
}
