/* SPDX-License-Identifier: MIT */
/* program.c - a program is made and started: one socket pair, two pipes, a third one if the request
 * has a body; of PROGRAM_LINES a terminal or a pipe in place of the socket pair. */
#include "program/parts.h"

#include "base/log.h"
#include "net/pty.h"
#include "program/diagnosis.h"
#include "program/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- made ---- */

static bool count_in(struct program_host *host, const struct program_spec *spec,
                     struct room_place *place)
{
    if (host->draining)
        return false;
    if (program_limits_take(host->spec.limits, &host->room, &spec->client, place))
        return true;
    host->counts.refused_limit++;
    log_warn("program.refused", log_cause(net_client_slice(&spec->client)),
             log_slice("program", slice_of(spec->file)), log_text("reason", "too many programs"));
    return false;
}

struct program *program_make(struct program_host *host, enum program_kind kind, struct slice file,
                             const struct program_ops *ops, void *owner)
{
    struct program *p = log_needed(calloc(1, sizeof(*p)));
    char *copy = log_needed(slice_to_string(file));
    if (!p || !copy) {
        free(copy);
        free(p);
        return NULL;
    }
    p->host = host;
    p->ops = ops;
    p->owner = owner;
    p->kind = kind;
    p->file = slice_of(copy);
    program_ending_init(p);
    program_stderr_init(p);
    list_append(&host->programs, &p->node);
    host->counts.now++;
    return p;
}

struct program *program_new(const struct program_spec *spec, const struct program_ops *ops,
                            void *owner)
{
    struct room_place place = {0};
    const char *file = spec->command ? spec->command->file : spec->file;
    if (!count_in(spec->host, spec, &place))
        return NULL;
    struct program *p = program_make(spec->host, spec->kind, slice_of(file), ops, owner);
    if (!p) {
        room_release(&place);
        return NULL;
    }
    p->place = place;
    list_init(&p->place.node);
    p->command = spec->command;
    p->answering = spec->kind == PROGRAM_PAGE;
    return p;
}

void program_own(struct program *p, const struct program_ops *ops, void *owner)
{
    p->ops = ops;
    p->owner = owner;
}

/* ---- nobody's ---- */

static enum program_reading read_nothing(const struct program *p)
{
    (void)p;
    return PROGRAM_DROP;
}

static void ignore_bytes(struct program *p, struct slice data)
{
    (void)p, (void)data;
}

static void ignore(struct program *p)
{
    (void)p;
}

static void ignore_fault(struct program *p, int error)
{
    (void)p, (void)error;
}

/* While nothing is read no line comes. */
static const struct program_ops nobodys_ops = {
    .reading = read_nothing,
    .on_fault = ignore_fault,
    .on_output = ignore_bytes,
    .on_output_end = ignore,
    .on_stderr = ignore_bytes,
    .on_drain = ignore,
    .on_body_drain = ignore,
    .on_settle = ignore,
    .on_over = ignore,
};

void program_disown(struct program *p)
{
    program_own(p, &nobodys_ops, NULL);
    if (p->state == PROGRAM_NEW) {
        program_set_state(p, PROGRAM_GONE);
    } else {
        program_output_pause(p, false);
        program_answered(p);
        program_let_go(p);
    }
    program_settle(p);
}

/* ---- descriptors ---- */

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

static bool wants_terminal(const struct program *p)
{
    const struct program_config *config = p->host->spec.config;
    enum program_stdout out =
        p->command ? p->command->out
                   : program_kinds_file_stdout(config->kinds, below_root(p->host, p->file.ptr));
    return out == PROGRAM_STDOUT_AS_SET ? config->stdio_terminal : out == PROGRAM_STDOUT_TERMINAL;
}

static int make_lines(const struct program *p, struct ends *ends)
{
    if (p->kind != PROGRAM_LINES)
        return make_pair(&ends->child[3], &ends->ours[3]);
    return wants_terminal(p) ? pty_open(&ends->ours[1], &ends->child[1])
                             : make_pipe(&ends->child[1], &ends->ours[1], 0);
}

/* /dev/null, which all programs share, unless there is something to read. */
static int make_stdin(const struct program *p, const struct program_request *request, int body,
                      struct ends *ends)
{
    ends->child[0] = body;
    bool has_body =
        request && request->head->body == HTTP_BODY_LENGTH && request->head->content_length > 0;
    if (p->kind == PROGRAM_LINES || (body < 0 && has_body))
        return make_pipe(&ends->child[0], &ends->ours[0], 1);
    return 0;
}

static int make_ends(const struct program *p, const struct program_request *request, int body,
                     struct ends *ends)
{
    *ends = (struct ends){{-1, -1, -1, -1}, {-1, -1, -1, -1}};
    int error = make_stdin(p, request, body, ends);
    if (!error)
        error = make_lines(p, ends);
    if (!error && p->kind != PROGRAM_LINES)
        error = make_pipe(&ends->child[1], &ends->ours[1], 0);
    if (!error)
        error = make_pipe(&ends->child[2], &ends->ours[2], 0);
    return error;
}

/* Of a page without a body: that one is written while it is read. */
static int open_resting(struct program *p, int *fds)
{
    struct loop *loop = p->host->spec.loop;
    p->resting = true;
    int error = pipe_open_resting(loop, &p->lines, &fds[3], IO_KIND_SOCKET, &program_lines_io_ops);
    if (!error)
        error =
            pipe_open_resting(loop, &p->output, &fds[1], IO_KIND_PIPE_IN, &program_output_io_ops);
    if (!error)
        error = pipe_open_resting(loop, &p->err, &fds[2], IO_KIND_PIPE_IN, &program_stderr_io_ops);
    return error;
}

static int open_pipes(struct program *p, struct ends *ends)
{
    struct loop *loop = p->host->spec.loop;
    int *fds = ends->ours;
    if (fds[0] < 0 && program_is_brief(p))
        return open_resting(p, fds);
    int error = p->kind == PROGRAM_LINES
                    ? pipe_open(loop, &p->lines, &fds[1], IO_KIND_PIPE_IN, &program_lines_io_ops)
                    : pipe_open(loop, &p->lines, &fds[3], IO_KIND_SOCKET, &program_lines_io_ops);
    if (!error)
        error = pipe_open(loop, &p->output, &fds[1], IO_KIND_PIPE_IN, &program_output_io_ops);
    if (!error)
        error = pipe_open(loop, &p->err, &fds[2], IO_KIND_PIPE_IN, &program_stderr_io_ops);
    if (!error)
        error = pipe_open(loop, &p->body, &fds[0], IO_KIND_PIPE_OUT, &program_body_io_ops);
    return error;
}

/* ---- the process ---- */

/* A file runs in its own folder, a command in ours. */
static void name_directory(const struct program *p, char ret[PATH_MAX])
{
    struct slice folder = p->command ? SLICE_LITERAL(".") : p->file;
    while (folder.len > 1 && folder.ptr[folder.len - 1] != '/')
        folder.len--;
    memcpy(ret, folder.ptr, folder.len);
    ret[folder.len] = '\0';
}

static int spawn(struct program *p, const struct ends *ends, char *const *envp,
                 const struct mark *mark)
{
    char directory[PATH_MAX];
    name_directory(p, directory);
    int fds[END_COUNT];
    memcpy(fds, ends->child, sizeof(fds));
    if (fds[0] < 0)
        fds[0] = p->host->null_fd;
    const char *path = p->command ? p->file.ptr : below_root(p->host, p->file.ptr);
    struct process_spec spec = {
        .path = p->file.ptr,
        .argv = p->command ? p->command->argv : (char *const[]){(char *)p->file.ptr, NULL},
        .envp = envp,
        .directory = directory,
        .fds = fds,
        .fd_count = p->kind == PROGRAM_LINES ? 3 : END_COUNT,
        .rights = program_rights_of(p->host->spec.config->rights, path),
        .mark = mark,
        .cgroup = p->host->spec.cgroup,
    };
    return process_start(p->host->spec.loop, &p->process, &spec, program_exited);
}

static int start(struct program *p, const struct program_request *request, int body,
                 struct ends *ends)
{
    const struct program_host_spec *host = &p->host->spec;
    struct mark mark;
    mark_make(&mark);
    struct environment_place place = {
        .file = p->file,
        .root = host->root,
        .software = host->server_name,
        .sdk = host->sdk,
        .lines = host->lines,
        .stdio = p->kind == PROGRAM_LINES,
        .terminal = p->kind == PROGRAM_LINES && wants_terminal(p),
        .mark = slice_of(mark.text),
    };
    int error = make_ends(p, request, body, ends);
    if (!error)
        error = open_pipes(p, ends);
    if (error)
        return error;
    struct environment env;
    error = environment_build(&env, &place, request);
    if (!error)
        error = spawn(p, ends, env.list, &mark);
    environment_done(&env);
    return error;
}

static void log_failed_start(const struct program *p, int error)
{
    char bytes[512];
    struct text hint = TEXT_IN(bytes);
    program_diagnose(p->file.ptr, error, &hint);
    log_error("program.start_failed", log_slice("program", p->file), log_errno("error", error),
              log_slice("hint", text_slice(&hint)));
}

/* ---- its file ---- */

static bool look_at(const char *path, struct program_version *ret)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return false;
    ret->device = st.st_dev;
    ret->inode = st.st_ino;
    ret->size = (uint64_t)st.st_size;
    ret->changed_s = st.st_mtim.tv_sec;
    ret->changed_ns = (uint32_t)st.st_mtim.tv_nsec;
    return true;
}

static void note_version(struct program *p)
{
    size_t below = strlen(below_root(p->host, p->file.ptr));
    p->version = (struct program_version){.root_len = (uint32_t)(p->file.len - below)};
    look_at(p->file.ptr, &p->version);
}

bool program_file_changed(const struct program *p)
{
    char path[PATH_MAX];
    const struct program_version *then = &p->version;
    struct program_version now = {.root_len = then->root_len};
    struct slice root = then->root_len ? p->host->spec.root : SLICE_NONE;
    int len = snprintf(path, sizeof(path), "%.*s%s", SLICE_ARG(root), p->file.ptr + then->root_len);
    return len > 0 && len < (int)sizeof(path) && look_at(path, &now) &&
           (now.device != then->device || now.inode != then->inode || now.size != then->size ||
            now.changed_s != then->changed_s || now.changed_ns != then->changed_ns);
}

int program_start(struct program *p, const struct program_request *request, int body)
{
    struct ends ends;
    const struct program_watcher *watcher = p->host->spec.watcher;
    if (watcher)
        watcher->on_start(watcher, p);
    note_version(p);
    int error = start(p, request, body, &ends);
    p->command = NULL;
    close_all(ends.child);
    close_all(ends.ours);
    if (error) {
        p->host->counts.failed_start++;
        log_failed_start(p, error);
        pipe_close(&p->lines);
        pipe_close(&p->output);
        pipe_close(&p->err);
        pipe_close(&p->body);
        return error;
    }
    p->pid = p->process.pid;
    p->host->counts.started++;
    program_set_state(p, PROGRAM_RUNNING);
    program_brief_start(p);
    return 0;
}
