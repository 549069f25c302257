/* SPDX-License-Identifier: MIT */
/* streams.c - byte streams between a page and its program (docs/protocol.md, section 10, kind
 * `stream`), as lines on descriptor 3.
 *
 *   to the program   `.stream {"id":1,"name":…,"data":…}`   the page wants one
 *                    `.stream/1 @LEN`, bytes   `.end {"id":1}`   `.reset {"id":1,"reason":…}`
 *   from it          `.accept {"id":1,"data":…}` or `.reset` first; then the same three
 *
 * A program that knows nothing of streams accepts none, and is sent no bytes.
 *
 * Bounds  To the program: the page may send on what descriptor 3 has taken. To the page: what a
 *         program writes beyond the window is held, one message of it, and its next ones wait.
 */
#include "page/streams.h"

#include "base/log.h"
#include "base/pack.h"
#include "page/host.h"
#include "session/pack.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_OVERHEAD 32 /* of memory for a line, beside its text */

struct page_stream {
    struct list node; /* page_streams.all */
    struct page *page;
    struct channel *channel;
    struct timer timer; /* until it is accepted */
    bool accepted, ended;
    size_t untaken; /* bytes that descriptor 3 has not taken */
    char *held;     /* owned: what the page's window has no room for; NULL: nothing */
    size_t held_at, held_len;
};

static void free_stream(struct page_stream *s)
{
    timer_stop(&s->timer);
    if (s->held)
        s->page->streams->held--;
    s->page->streams->held_bytes -= s->held_len - s->held_at;
    free(s->held);
    list_remove(&s->node);
    free(s);
}

static void reset(struct page_stream *s, const char *reason, const char *message)
{
    json_t *object = json_pack("{s:s, s:s*}", "reason", reason, "message", message);
    char *json = object ? json_dumps(object, JSON_COMPACT) : NULL;
    channel_reset(s->channel, json ? slice_of(json) : SLICE_LITERAL("{\"reason\":\"overload\"}"));
    free(json);
    json_decref(object);
    free_stream(s);
}

/* ---- to the program ---- */

/* A line that no window bounds: if the program does not read such lines, the client is not read. */
static void note_told(struct page *p, size_t len)
{
    p->streams->told += len + LINE_OVERHEAD;
    if (p->session && p->streams->told > p->host->spec.config->out_max)
        session_hold_off(p->session, true);
    page_count(p);
}

static void note_taken(struct page *p)
{
    p->streams->told = 0;
    if (p->session)
        session_hold_off(p->session, false);
}

/* Takes the object. */
static void tell(struct page *p, const char *head, json_t *object)
{
    char *json = object ? json_dumps(object, JSON_COMPACT) : NULL;
    struct message m = {.kind = MESSAGE_CONTROL, .head = slice_of(head)};
    if (json) {
        m.body = slice_of(json);
        page_send_program(p, &m);
        note_told(p, m.head.len + m.body.len);
    }
    free(json);
    json_decref(object);
}

static json_t *named(const struct page_stream *s)
{
    return json_pack("{s:I}", "id", (json_int_t)channel_number(s->channel));
}

static void on_data(struct channel *c, struct bytes data)
{
    struct page_stream *s = channel_owner(c);
    struct page *p = s->page; /* the stream may end by this */
    char head[sizeof(".stream/4294967295")];
    int len = snprintf(head, sizeof(head), ".stream/%u", channel_number(c));
    struct message m = {.kind = MESSAGE_CONTROL,
                        .binary = true,
                        .head = slice_make(head, (size_t)len),
                        .body = slice_from_bytes(data)};
    s->untaken += data.len;
    page_send_program(p, &m);
    note_told(p, m.head.len);
    page_streams_taken(p);
}

static void on_end(struct channel *c)
{
    const struct page_stream *s = channel_owner(c);
    tell(s->page, ".end", named(s));
}

static void on_over(struct channel *c, struct slice json)
{
    struct page_stream *s = channel_owner(c);
    struct page *p = s->page;
    json_t *said = json_loadb(json.ptr, json.len, 0, NULL), *object = named(s);
    const char *reason = json_string_value(json_object_get(said, "reason"));
    if (json.len && object) {
        json_object_set_new(object, "reason", json_string(reason ? reason : "aborted"));
        json_object_set(object, "message", json_object_get(said, "message"));
        tell(p, ".reset", json_incref(object));
    }
    json_decref(object);
    json_decref(said);
    bool held = s->held;
    free_stream(s);
    if (held && p->session && !session_ends(p->session)) /* else nothing is read for it any more */
        page_resume(p);
}

void page_streams_taken(struct page *p)
{
    if (!p->streams || !p->seat->ops->has_taken(p->seat))
        return;
    if (p->streams->told > 0)
        note_taken(p);
    if (!page_program_open(p))
        return;
    for (struct list *node = p->streams->all.next; node != &p->streams->all; node = node->next) {
        struct page_stream *s = container_of(node, struct page_stream, node);
        size_t taken = s->untaken;
        s->untaken = 0;
        if (taken > 0)
            channel_consumed(s->channel, taken);
    }
}

/* ---- from the program: bytes ---- */

/* False without memory. */
static bool make_streams(struct page *p)
{
    if (p->streams)
        return true;
    p->streams = log_needed(calloc(1, sizeof(*p->streams)));
    if (p->streams)
        list_init(&p->streams->all);
    return p->streams;
}

static bool hold(struct page_stream *s, struct slice data)
{
    if (data.len == 0)
        return true;
    char *held = log_needed(realloc(s->held, s->held_len + data.len));
    if (!held)
        return false;
    s->page->streams->held += !s->held;
    memcpy(held + s->held_len, data.ptr, data.len);
    s->held = held;
    s->held_len += data.len;
    s->page->streams->held_bytes += data.len;
    return true;
}

/* As much as the window has room for. Returns how much that was; SIZE_MAX without memory: then the
 * channel is gone. */
static size_t write_some(struct page_stream *s, struct slice data)
{
    data = slice_first(data, channel_writable(s->channel));
    return data.len == 0 || channel_write(s->channel, data) ? data.len : SIZE_MAX;
}

static void write_bytes(struct page_stream *s, struct slice data)
{
    size_t written = s->held ? 0 : write_some(s, data);
    if (written == SIZE_MAX)
        free_stream(s);
    else if (!hold(s, slice_skip(data, written)))
        reset(s, "overload", NULL);
}

static void on_writable(struct channel *c)
{
    struct page_stream *s = channel_owner(c);
    struct page *p = s->page;
    if (p->seat->ops->stream_room)
        p->seat->ops->stream_room(p->seat, channel_number(c));
    if (!s->held)
        return;
    size_t written = write_some(s, slice_make(s->held + s->held_at, s->held_len - s->held_at));
    p->streams->held_bytes -= written == SIZE_MAX ? 0 : written;
    if (written == SIZE_MAX) {
        free_stream(s);
    } else if ((s->held_at += written) == s->held_len) {
        free(s->held);
        s->held = NULL;
        s->held_at = s->held_len = 0;
        p->streams->held--;
        if (s->ended)
            channel_end(c);
    }
    page_resume(p);
    page_settle(p);
}

static const struct channel_ops channel_ops = {
    .on_data = on_data, .on_end = on_end, .on_writable = on_writable, .on_over = on_over};

/* ---- from the program: commands ---- */

/* There has been one of this number. */
static bool is_known(const struct page *p, uint64_t id)
{
    return id > 0 && p->streams && id <= p->streams->last;
}

/* NULL: it has ended. */
static struct page_stream *find(const struct page *p, uint64_t id)
{
    for (struct list *node = p->streams->all.next; node != &p->streams->all; node = node->next) {
        struct page_stream *s = container_of(node, struct page_stream, node);
        if (channel_number(s->channel) == id)
            return s;
    }
    return NULL;
}

static bool writable(const struct page_stream *s)
{
    return s->accepted && !s->ended;
}

static const char *const no_such = "there has been no such stream";
static const char *const not_writable = "the stream is not open for writing";

enum field {
    FIELD_DATA = 1,
    FIELD_REASON = 2 /* and "message" */
};

struct word {
    json_t *value;         /* owned: the rest is of it */
    struct page_stream *s; /* NULL: it is over */
    json_t *data;
    const char *reason, *message;
};

/* Reads an object of "id" and these fields. False: the program has been refused. */
static bool read_word(struct page *p, const struct message *m, enum field fields,
                      const char *expected, struct word *ret)
{
    json_int_t id = 0;
    *ret =
        (struct word){.value = json_loadb(m->body.ptr, m->body.len, JSON_REJECT_DUPLICATES, NULL)};
    int error = json_unpack(ret->value, "{s:I, s?o, s?s, s?s!}", "id", &id, "data", &ret->data,
                            "reason", &ret->reason, "message", &ret->message);
    bool more = (ret->data && !(fields & FIELD_DATA)) ||
                ((ret->reason || ret->message) && !(fields & FIELD_REASON));
    bool known = !error && is_known(p, (uint64_t)id);
    if (error || more)
        page_refuse_command(p, m, expected);
    else if (!known)
        page_refuse_command(p, m, no_such);
    else
        ret->s = find(p, (uint64_t)id);
    bool good = !error && !more && known;
    if (!good)
        json_decref(ret->value);
    return good;
}

static void let_in(struct page_stream *s, json_t *data)
{
    json_t *opened = json_object();
    json_object_set(opened, "data", data);
    char *json = opened ? json_dumps(opened, JSON_COMPACT) : NULL;
    timer_stop(&s->timer);
    s->accepted = true;
    channel_accept(s->channel, json ? slice_of(json) : SLICE_LITERAL("{}"));
    free(json);
    json_decref(opened);
}

static void end(struct page_stream *s)
{
    s->ended = true;
    if (!s->held)
        channel_end(s->channel);
}

void page_stream_accept(struct page *p, const struct message *m)
{
    struct word word;
    if (!read_word(p, m, FIELD_DATA, "expected .accept {\"id\":N}, perhaps with \"data\"", &word))
        return;
    if (word.s && word.s->accepted)
        page_refuse_command(p, m, "the stream has been accepted already");
    else if (word.s)
        let_in(word.s, word.data);
    json_decref(word.value);
}

void page_stream_end(struct page *p, const struct message *m)
{
    struct word word;
    if (!read_word(p, m, 0, "expected .end {\"id\":N}", &word))
        return;
    if (word.s && !writable(word.s))
        page_refuse_command(p, m, not_writable);
    else if (word.s)
        end(word.s);
    json_decref(word.value);
}

void page_stream_reset(struct page *p, const struct message *m)
{
    struct word word;
    if (!read_word(p, m, FIELD_REASON, "expected .reset {\"id\":N,\"reason\":\"...\"}", &word))
        return;
    if (word.s)
        reset(word.s, word.reason ? word.reason : "refused", word.message);
    json_decref(word.value);
}

void page_stream_bytes(struct page *p, const struct message *m)
{
    uint64_t id;
    struct slice prefix = SLICE_LITERAL("stream/");
    if (!m->binary || !slice_to_uint(slice_skip(m->name, prefix.len), UINT32_MAX, &id)) {
        page_refuse_command(p, m, "expected .stream/N @LEN and bytes");
        return;
    }
    struct page_stream *s = is_known(p, id) ? find(p, id) : NULL;
    if (!is_known(p, id))
        page_refuse_command(p, m, no_such);
    else if (s && !writable(s))
        page_refuse_command(p, m, not_writable);
    else if (s)
        write_bytes(s, m->body);
}

/* ---- from a handler ---- */

bool page_has_stream(const struct page *p, uint32_t number)
{
    return p->streams && find(p, number);
}

ssize_t page_stream_write(struct page *p, uint32_t number, struct slice data)
{
    struct page_stream *s = p->streams ? find(p, number) : NULL;
    if (!s)
        return -ENOENT;
    if (!writable(s))
        return -EPIPE;
    size_t written = s->held ? 0 : write_some(s, data);
    if (written != SIZE_MAX)
        return (ssize_t)written;
    free_stream(s);
    return -ENOMEM;
}

/* ---- from the page ---- */

static void on_timeout(struct timer *timer)
{
    reset(container_of(timer, struct page_stream, timer), "program-timeout", NULL);
}

/* The line's object, or NULL: not what the protocol says. */
static json_t *announcement(const struct json_t *wish, uint32_t number)
{
    const char *name = json_string_value(json_object_get(wish, "name"));
    if (!name || !message_is_name(slice_of(name)))
        return NULL;
    json_t *object = json_pack("{s:I, s:s}", "id", (json_int_t)number, "name", name);
    json_object_set(object, "data", json_object_get(wish, "data"));
    return object;
}

void page_stream_open(struct page *p, struct channel *c, const struct json_t *wish)
{
    json_t *object = announcement(wish, channel_number(c));
    struct page_stream *s = object && make_streams(p) ? log_needed(malloc(sizeof(*s))) : NULL;
    if (!s || p->seat->ops->only_messages || !page_program_open(p)) {
        channel_reset(c, object && !s ? SLICE_LITERAL("{\"reason\":\"overload\"}")
                         : object     ? SLICE_LITERAL("{\"reason\":\"stream-unsupported\"}")
                                      : SLICE_LITERAL("{\"reason\":\"stream-malformed\"}"));
        json_decref(object);
        free(s);
        return;
    }
    *s = (struct page_stream){.page = p, .channel = c};
    timer_init(&s->timer, on_timeout);
    timer_start(p->host->spec.loop, &s->timer, p->host->spec.config->answer_timeout_ms);
    channel_own(c, &channel_ops, s);
    list_append(&p->streams->all, &s->node);
    p->streams->last = channel_number(c);
    tell(p, ".stream", object);
    page_streams_taken(p);
}

/* ---- for the process that takes over ---- */

enum {
    LAST = 1,
    TOLD,
    STREAM,
    /* of a stream */
    NUMBER = 1,
    DUE_MS,
    ACCEPTED,
    ENDED,
    UNTAKEN,
    HELD,
};

static void pack_stream(const struct page_stream *s, struct pack *p)
{
    pack_number(p, NUMBER, channel_number(s->channel));
    pack_number(p, DUE_MS, timer_due_ms(&s->timer));
    pack_number(p, ACCEPTED, s->accepted);
    pack_number(p, ENDED, s->ended);
    pack_number(p, UNTAKEN, s->untaken);
    if (s->held)
        pack_slice(p, HELD, slice_make(s->held + s->held_at, s->held_len - s->held_at));
}

void page_streams_pack(const struct page *page, struct pack *p)
{
    if (!page->streams)
        return;
    pack_number(p, LAST, page->streams->last);
    pack_number(p, TOLD, page->streams->told);
    const struct list *all = &page->streams->all;
    for (const struct list *node = all->next; node != all; node = node->next) {
        size_t field = pack_begin(p, STREAM);
        pack_stream(container_of(node, const struct page_stream, node), p);
        pack_end(p, field);
    }
}

static void unpack_stream(struct page *page, struct slice in)
{
    struct page_stream *s = log_needed(malloc(sizeof(*s)));
    struct channel *c =
        s ? session_reclaim(page->session, (uint32_t)packed_number(in, NUMBER), &channel_ops, s)
          : NULL;
    if (!c) { /* it is reset, since nobody has reclaimed it */
        free(s);
        return;
    }
    *s = (struct page_stream){
        .page = page,
        .channel = c,
        .accepted = packed_number(in, ACCEPTED),
        .ended = packed_number(in, ENDED),
        .untaken = (size_t)packed_number(in, UNTAKEN),
    };
    timer_init(&s->timer, on_timeout);
    timer_start_at(page->host->spec.loop, &s->timer, packed_number(in, DUE_MS));
    list_append(&page->streams->all, &s->node);
    if (!hold(s, packed_slice(in, HELD)))
        reset(s, "overload", NULL);
}

void page_streams_unpack(struct page *page, struct slice in)
{
    uint32_t last = (uint32_t)packed_number(in, LAST);
    if (last == 0 || !make_streams(page))
        return; /* without memory they are reset, since nobody has reclaimed them */
    page->streams->last = last;
    page->streams->told = (size_t)packed_number(in, TOLD);
    for (struct packed field; page->session && packed_next(&in, &field);)
        if (field.tag == STREAM)
            unpack_stream(page, field.value);
}
