/* SPDX-License-Identifier: MIT */
#include "access/recorded.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

static bool ends_below(const char *name, const char *parent)
{
    size_t len = strlen(name), below = strlen(parent);
    return len > below && name[len - below - 1] == '.' && strcmp(name + len - below, parent) == 0;
}

/* Whether a name is in the zone: it has records, or names below it do. */
static bool exists(const struct recorded *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->rows[i].name, name) == 0 || ends_below(r->rows[i].name, name))
            return true;
    return false;
}

/* The owner of the records that answer for `name`: itself, or the wildcard below its closest
 * existing ancestor (RFC 4592, 3.3.1). In `wild` if it is that. */
static const char *owner_of(const struct recorded *r, const char *name,
                            char wild[DNS_NAME_SIZE + 2])
{
    if (exists(r, name))
        return name;
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        if (!exists(r, dot + 1))
            continue;
        strcpy(stpcpy(wild, "*."), dot + 1);
        return wild;
    }
    return name;
}

static unsigned count_turn(struct recorded *r, const struct dns_question *q)
{
    for (size_t i = 0; i < r->asked_count; i++)
        if (r->asked[i].type == q->type && strcmp(r->asked[i].name, q->name) == 0)
            return ++r->asked[i].times;
    if (r->asked_count == RECORDED_MAX)
        return 1;
    struct recorded_asked *asked = &r->asked[r->asked_count++];
    strcpy(asked->name, q->name);
    asked->type = q->type;
    return asked->times = 1;
}

/* Which `@N` answers in turn `turn`: the highest there is that does not lie ahead. */
static unsigned pick_turn(const struct recorded *r, const char *owner, enum dns_type type,
                          unsigned turn)
{
    unsigned best = 1;
    for (size_t i = 0; i < r->count; i++)
        if (r->rows[i].type == type && strcmp(r->rows[i].name, owner) == 0 &&
            r->rows[i].turn <= turn && r->rows[i].turn > best)
            best = r->rows[i].turn;
    return best;
}

struct draft {
    struct dns_answer answer;
    struct slice data[RECORDED_MAX + 1];
    char *filler;
    const char *cname;
    bool found;
};

static void add_filler(struct draft *d, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < d->answer.count; i++)
        used += d->data[i].len;
    if (size <= used || d->filler)
        return;
    d->filler = log_needed(malloc(size - used));
    if (!d->filler)
        return;
    memset(d->filler, 'x', size - used);
    d->data[d->answer.count++] = slice_make(d->filler, size - used);
}

static void add_row(struct draft *d, const struct recorded_row *row)
{
    d->found = true;
    d->answer.secure &= row->secure;
    d->answer.ttl = row->ttl < d->answer.ttl ? row->ttl : d->answer.ttl;
    if (row->timeout)
        d->answer.status = DNS_TIMEOUT;
    else if (row->servfail)
        d->answer.status = DNS_FAILED;
    else if (row->bogus)
        d->answer.status = DNS_BOGUS;
    else if (row->type == DNS_CNAME)
        d->cname = row->target;
    else
        d->data[d->answer.count++] = row->data;
}

static void collect(const struct recorded *r, struct draft *d, const char *name, enum dns_type type,
                    unsigned turn)
{
    char wild[DNS_NAME_SIZE + 2];
    const char *owner = owner_of(r, name, wild);
    unsigned picked = pick_turn(r, owner, type, turn);
    size_t size = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct recorded_row *row = &r->rows[i];
        if (row->type != type || row->turn != picked || strcmp(row->name, owner) != 0)
            continue;
        add_row(d, row);
        size = row->size > size ? row->size : size;
    }
    add_filler(d, size);
}

static void answer(struct recorded *r, struct dns_question *q)
{
    struct draft d = {.answer = {.secure = true, .ttl = UINT32_MAX}};
    unsigned turn = count_turn(r, q);
    const char *name = q->name;
    for (;;) {
        collect(r, &d, name, q->type, turn);
        if (d.found || d.answer.cnames == DNS_CNAMES_SEEN)
            break;
        d.cname = NULL;
        collect(r, &d, name, DNS_CNAME, turn);
        d.found = false;
        if (!d.cname || d.answer.status != DNS_OK)
            break;
        name = d.cname;
        d.answer.cnames++;
    }
    if (!d.found)
        d.answer.secure = false;
    if (d.answer.ttl == UINT32_MAX)
        d.answer.ttl = 300;
    if (d.answer.status != DNS_OK)
        d.answer.count = 0;
    d.answer.data = d.data;
    d.answer.total = d.answer.count;
    q->answered(q, &d.answer);
    free(d.filler);
}

static int ask(struct resolver *resolver, struct dns_question *question)
{
    struct recorded *r = container_of(resolver, struct recorded, resolver);
    list_append(&r->queue, &question->node);
    return 0;
}

static void cancel(struct resolver *resolver, struct dns_question *question)
{
    (void)resolver;
    list_remove(&question->node);
}

bool recorded_run(struct recorded *r)
{
    struct list due, *node;
    if (list_empty(&r->queue))
        return false;
    list_init(&due);
    list_splice(&due, &r->queue);
    while ((node = list_pop(&due)))
        answer(r, container_of(node, struct dns_question, node));
    return true;
}

int recorded_init(struct recorded *r, struct slice text, const char **why)
{
    *r = (struct recorded){.resolver = {.ask = ask, .cancel = cancel}};
    list_init(&r->queue);
    if (slice_equal(text, SLICE_LITERAL("-")))
        return 0;
    while (text.len) {
        struct slice record = slice_first(text, recorded_length(text));
        text = slice_skip(text, record.len);
        text = slice_skip(text, text.len > 0);
        *why = "too many records";
        if (r->count == RECORDED_MAX ||
            !recorded_parse_row(slice_trim(record), &r->rows[r->count++], why))
            return -EINVAL;
    }
    return 0;
}

void recorded_done(struct recorded *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->rows[i].name);
        free((char *)r->rows[i].data.ptr);
    }
    r->count = 0;
}

unsigned recorded_times(const struct recorded *r, struct slice name, enum dns_type type)
{
    for (size_t i = 0; i < r->asked_count; i++)
        if (r->asked[i].type == type && slice_equal(slice_of(r->asked[i].name), name))
            return r->asked[i].times;
    return 0;
}
