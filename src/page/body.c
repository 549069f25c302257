/* SPDX-License-Identifier: MIT */
/* body.c - the request's body on its way to the program's stdin.
 *
 * With a Content-Length it goes through a pipe as it comes; the client waits while the program does
 * not read. A chunked body is spooled to a nameless file first, because CGI wants its length before
 * the program starts.
 */
#include "page/parts.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/member.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BODY_QUEUE_MAX 65536
/* A body that is complete waits this long for a program that does not read it, which is forever:
 * the program's end closes the pipe. */
#define BODY_LINGER_MS (24 * 3600 * 1000u)

static struct page *page_of(struct io *io)
{
    return container_of(io, struct page, in.io);
}

static void on_recv(struct io *io, struct bytes data)
{
    (void)io, (void)data; /* a pipe's write end gives nothing */
}

/* The program has closed its stdin: what still comes is not wanted. */
static void on_end(struct io *io, int error)
{
    (void)error;
    struct page *p = page_of(io);
    page_pipe_close(&p->in);
    if (p->x)
        exchange_resume(p->x);
}

static void on_drain(struct io *io)
{
    struct page *p = page_of(io);
    if (p->x)
        exchange_resume(p->x);
}

static void on_gone(struct io *io)
{
    struct page *p = page_of(io);
    p->in.state = PIPE_NONE;
    page_settle(p);
}

const struct io_ops page_body_io_ops = {on_recv, on_end, on_drain, on_gone};

int page_spool_open(struct page *p)
{
    const char *folder = getenv("TMPDIR");
    p->spool = open(folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (p->spool < 0)
        p->spool = memfd_create("body", MFD_CLOEXEC);
    return p->spool < 0 ? -errno : 0;
}

static void spool(struct page *p, struct slice data)
{
    while (data.len > 0) {
        ssize_t n = write(p->spool, data.ptr, data.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            log_error("page.spool_failed", log_errno("error", errno));
            struct exchange *x = p->x;
            p->x = NULL;
            exchange_answer(x, 507, SLICE_LITERAL("no room for the request's body"), NULL, 0);
            page_set_state(p, PAGE_GONE);
            return;
        }
        p->spooled += (uint64_t)n;
        data = slice_skip(data, (size_t)n);
    }
}

void page_body_data(struct page *p, struct slice data)
{
    if (p->state == PAGE_SPOOLING) {
        spool(p, data);
        return;
    }
    if (p->member) {
        page_member_body(p, data);
        return;
    }
    if (timer_active(&p->answer_timer)) /* a slow upload is not the program's fault */
        timer_start(p->host->loop, &p->answer_timer, p->host->config->answer_timeout_ms);
    if (!page_pipe_open(&p->in))
        return;
    io_write_slice(&p->in.io, data);
    if (io_queued(&p->in.io) > BODY_QUEUE_MAX)
        exchange_pause(p->x);
}

void page_body_end(struct page *p)
{
    if (p->state == PAGE_SPOOLING && p->x) {
        lseek(p->spool, 0, SEEK_SET);
        page_begin(p);
        return;
    }
    if (p->member && p->x)
        page_member_body_end(p);
    if (!page_pipe_open(&p->in))
        return;
    io_finish(&p->in.io, BODY_LINGER_MS);
}

void page_body_stop(struct page *p)
{
    page_pipe_close(&p->in);
}
