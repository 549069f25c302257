/* SPDX-License-Identifier: MIT */
#include "page/state.h"

#include "base/log.h"
#include "base/pack.h"
#include "page/host.h"
#include "proto/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    QUIET_MS = 30000,
    LOGGED_MAX = 20 /* states of a page that are too large */
};

static void confirm(struct page *p, uint64_t count)
{
    struct page_saving *s = p->saving;
    if (count > s->coverage.confirmed)
        coverage_confirm(&s->coverage, count);
    if (p->session && !s->refused)
        session_cover(p->session, coverage_count(&s->coverage));
}

/* ---- what it is done with ---- */

void page_state_look(struct page *p)
{
    const struct seat_ops *ops = p->seat->ops;
    if (p->done_by_program == p->heard_by_program || !ops->is_waiting || !ops->is_waiting(p->seat))
        return;
    p->done_by_program = p->heard_by_program;
    if (p->saving)
        p->saving->owed = 0;
}

/* ---- quiet ---- */

static bool is_behind(const struct page_saving *s)
{
    return s->saves && !s->exact && s->page->done_by_program == 0 &&
           s->coverage.confirmed < s->page->heard_by_program;
}

static void await_quiet(struct page_saving *s, uint64_t ms)
{
    if (is_behind(s) && s->page->seat->ops->has_read && !timer_active(&s->quiet))
        timer_start(s->page->host->spec.loop, &s->quiet, ms);
}

static void on_quiet(struct timer *timer)
{
    struct page_saving *s = container_of(timer, struct page_saving, quiet);
    struct page *p = s->page;
    uint64_t silent_ms = loop_now_ms(p->host->spec.loop) - s->active_ms;
    if (!is_behind(s) || p->state >= PAGE_ENDED)
        return;
    if (silent_ms < QUIET_MS) {
        await_quiet(s, QUIET_MS - silent_ms);
    } else if (p->seat->ops->has_read(p->seat)) {
        confirm(p, p->heard_by_program);
    } else {
        await_quiet(s, QUIET_MS);
    }
}

static struct page_saving *saving_of(struct page *p)
{
    struct page_saving *s = p->saving;
    if (s)
        return s;
    s = p->saving = log_needed(calloc(1, sizeof(*s)));
    if (!s)
        return NULL;
    s->page = p;
    timer_init(&s->quiet, on_quiet);
    return s;
}

void page_state_note_activity(struct page *p)
{
    p->saving->active_ms = loop_now_ms(p->host->spec.loop);
    await_quiet(p->saving, QUIET_MS);
}

/* Without memory less is covered than could be. */
void page_state_note_problem(struct page *p)
{
    struct page_saving *s = saving_of(p);
    if (s)
        coverage_add_gap(&s->coverage, p->heard_by_program);
}

/* ---- `.save` ---- */

static void tell_too_large(struct page *p, size_t bytes, size_t max)
{
    char why[200];
    struct text line = {0};
    int len =
        snprintf(why, sizeof(why),
                 "a state of %zu bytes is not saved: state-max lets in %zu; keep large things "
                 "elsewhere, and their names in the state",
                 bytes, max);
    struct slice message = slice_make(why, (size_t)len);
    p->host->counts.saves_too_large++;
    if (p->saving->too_large++ < LOGGED_MAX)
        log_warn("program.state_too_large", page_cause(p), log_slice("program", page_file(p)),
                 log_int("pid", page_pid(p)), log_text("session", p->mark),
                 log_slice("why", message));
    text_put(&line, SLICE_LITERAL(".problem "));
    json_text_begin(&line);
    json_text_string(&line, "command", SLICE_LITERAL("save"));
    json_text_string(&line, "message", message);
    json_text_end(&line);
    text_put(&line, SLICE_LITERAL("\n"));
    page_write_text(p, &line);
}

/* All that it was done with before, and one message more, if there is one; and one for each state
 * that would not go. */
static void infer(struct page *p)
{
    struct page_saving *s = p->saving;
    uint64_t count = s->coverage.confirmed;
    if (!s->exact) {
        if (count < p->done_by_program)
            count = p->done_by_program;
        count += 1 + s->owed;
    }
    s->owed = 0;
    confirm(p, count < p->heard_by_program ? count : p->heard_by_program);
    await_quiet(s, QUIET_MS);
}

void page_state_save(struct page *p, const struct message *m)
{
    size_t max = p->host->spec.config->state_max;
    struct page_saving *s = saving_of(p);
    if (!m->binary && m->body.len == 0) {
        page_refuse_command(p, m, "expected .save with JSON, or .save @LEN with bytes");
        return;
    }
    if (!s) {
        page_fault(p);
        return;
    }
    if (m->body.len > max) { /* what the client has is older: it covers no more than it did */
        s->owed++;
        s->refused = true;
        tell_too_large(p, m->body.len, max);
        return;
    }
    if (p->session && !session_save(p->session, m->binary, m->body)) {
        page_fault(p);
        return;
    }
    p->host->counts.saves++;
    s->saves = true;
    s->refused = false;
    infer(p);
    page_count(p);
}

/* ---- `.confirm` ---- */

void page_state_confirm(struct page *p, const struct message *m)
{
    uint64_t count;
    struct page_saving *s = saving_of(p);
    if (!s) {
        page_fault(p);
        return;
    }
    if (m->binary || !slice_to_uint(m->body, MESSAGE_CALL_MAX, &count)) {
        page_refuse_command(p, m, "expected .confirm with a number");
    } else if (count > p->heard_by_program) {
        page_refuse_command(p, m, "it confirms more messages than it was told");
    } else if (s->exact && count < s->coverage.confirmed) {
        page_refuse_command(p, m, "it confirms fewer messages than before");
    } else {
        s->exact = true;
        confirm(p, count);
    }
}

/* ---- `.restore` ---- */

static void put_restore(struct text *line, const struct session_restored *r)
{
    text_put(line, SLICE_LITERAL(".restore "));
    json_text_begin(line);
    if (!r->binary)
        json_text_value(line, "state", r->state);
    json_text_string(line, "why", slice_of(state_why_name(r->why)));
    json_text_number(line, "resent", (int64_t)r->resent);
    if (r->binary)
        json_text_flag(line, "bytes", true);
    json_text_end(line);
    text_put(line, SLICE_LITERAL("\n"));
}

void page_state_restored(struct page *p, const struct session_restored *r)
{
    struct text line = {0};
    log_info("session.restored", page_cause(p), log_slice("program", page_file(p)),
             log_int("pid", page_pid(p)), log_text("session", p->mark),
             log_text("why", state_why_name(r->why)), log_int("bytes", r->state.len),
             log_int("resent", r->resent));
    put_restore(&line, r);
    page_write_text(p, &line);
    if (!r->binary)
        return;
    line = (struct text){0};
    text_printf(&line, ".state @%zu\n", r->state.len);
    text_put(&line, r->state);
    text_put(&line, SLICE_LITERAL("\n"));
    page_write_text(p, &line);
}

/* ---- for the process that takes over ---- */

enum {
    ACTIVE_MS = 1,
    QUIET_AT_MS,
    CONFIRMED,
    PASSED,
    GAP, /* two numbers, in order */
    EXACT,
    SAVES,
    TOO_LARGE,
    OWED,
    REFUSED,
};

void page_state_pack(const struct page *p, struct pack *out)
{
    const struct page_saving *s = p->saving;
    if (!s)
        return;
    pack_number(out, ACTIVE_MS, s->active_ms);
    pack_number(out, QUIET_AT_MS, timer_due_ms(&s->quiet));
    pack_number(out, CONFIRMED, s->coverage.confirmed);
    pack_number(out, PASSED, s->coverage.passed);
    for (uint32_t i = 0; i < s->coverage.gap_count; i++)
        pack_slice(out, GAP, slice_make((const char *)&s->coverage.gaps[i], 16));
    pack_number(out, EXACT, s->exact);
    pack_number(out, SAVES, s->saves);
    pack_number(out, TOO_LARGE, s->too_large);
    pack_number(out, OWED, s->owed);
    pack_number(out, REFUSED, s->refused);
}

_Static_assert(sizeof(struct coverage_gap) == 16, "a gap is packed as two numbers");

bool page_state_unpack(struct page *p, struct slice in)
{
    if (!in.len)
        return true;
    struct page_saving *s = saving_of(p);
    if (!s)
        return false;
    s->active_ms = packed_number(in, ACTIVE_MS);
    timer_start_at(p->host->spec.loop, &s->quiet, packed_number(in, QUIET_AT_MS));
    s->coverage.confirmed = packed_number(in, CONFIRMED);
    s->coverage.passed = packed_number(in, PASSED);
    s->exact = packed_number(in, EXACT);
    s->saves = packed_number(in, SAVES);
    s->too_large = (unsigned)packed_number(in, TOO_LARGE);
    s->owed = packed_number(in, OWED);
    s->refused = packed_number(in, REFUSED);
    for (struct packed field; packed_next(&in, &field);)
        if (field.tag == GAP && field.value.len == 16 && s->coverage.gap_count < COVERAGE_GAPS)
            memcpy(&s->coverage.gaps[s->coverage.gap_count++], field.value.ptr, 16);
    return true;
}
