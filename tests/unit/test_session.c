/* SPDX-License-Identifier: MIT */
/* A session between a fake wire and a fake owner, on a loop with a fake clock. */
#include "core/backend.h"
#include "session/entry.h"
#include "session/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "every_backend.h"
#include "vectors.h"

#define KEY      SLICE_LITERAL("abcdefghijklmnopqrstuv")
#define ORIGIN   SLICE_LITERAL("https://a.example")
#define PATH     SLICE_LITERAL("/chat")
#define SENT_MAX 4096

struct wire {
    struct session_wire base;
    char *sent[SENT_MAX]; /* every message, as text */
    size_t sent_count;
    size_t queued; /* bytes of shared frames that do not leave */
    unsigned close_code;
    char close_reason[128];
};

static struct session_config config;
static struct session_counts counts;

static struct fixture {
    struct loop *loop;
    struct session_table *table;
    struct session *session;
    uint64_t now_ms;
    bool taking; /* the owner's program takes at once */
    char *got[SENT_MAX];
    size_t got_count;
    size_t attaches, resumes, detaches, writables, overs;
    uint64_t sequence; /* how many messages the client of a test of parts has */
    char close_reason[64], detach_reason[64];
} f;

/* ---- the fakes ---- */

static uint64_t fake_clock(void *arg)
{
    (void)arg;
    return f.now_ms;
}

static void wire_send(struct session_wire *base, bool binary, const struct slice *pieces,
                      size_t count)
{
    (void)binary;
    struct wire *w = container_of(base, struct wire, base);
    struct text text = {0};
    for (size_t i = 0; i < count; i++)
        text_put(&text, pieces[i]);
    text_put(&text, slice_make("", 1));
    assert_true(w->sent_count < SENT_MAX);
    w->sent[w->sent_count++] = text.ptr;
}

static void wire_close(struct session_wire *base, unsigned code, struct slice reason)
{
    struct wire *w = container_of(base, struct wire, base);
    w->close_code = code;
    snprintf(w->close_reason, sizeof(w->close_reason), "%.*s", SLICE_ARG(reason));
}

static const struct session_wire_ops wire_ops = {.send = wire_send, .close = wire_close};

static struct wire *wire_new(void)
{
    struct wire *w = calloc(1, sizeof(*w));
    w->base.ops = &wire_ops;
    return w;
}

static void wire_free(struct wire *w)
{
    for (size_t i = 0; i < w->sent_count; i++)
        free(w->sent[i]);
    free(w);
}

static void on_message(struct session *s, const struct message *m)
{
    struct text text = {0};
    text_put(&text, m->head);
    text_put(&text, SLICE_LITERAL(" "));
    text_put(&text, m->body);
    text_put(&text, slice_make("", 1));
    f.got[f.got_count++] = text.ptr;
    if (f.taking)
        session_taken(s);
}

static void on_attach(struct session *s, bool resumed)
{
    (void)s;
    f.attaches++;
    f.resumes += resumed;
}

static void on_detach(struct session *s, struct slice reason)
{
    (void)s;
    f.detaches++;
    snprintf(f.detach_reason, sizeof(f.detach_reason), "%.*s", SLICE_ARG(reason));
}

static void on_writable(struct session *s)
{
    (void)s;
    f.writables++;
}

static void on_close(struct session *s, struct slice reason)
{
    (void)s;
    snprintf(f.close_reason, sizeof(f.close_reason), "%.*s", SLICE_ARG(reason));
}

static void on_over(struct session *s)
{
    (void)s;
    f.overs++;
}

static const struct session_ops ops = {on_message,  on_attach, on_detach,
                                       on_writable, on_close,  on_over};

/* ---- one turn, and set-up ---- */

static void stop(struct mail *mail)
{
    (void)mail;
    loop_stop(f.loop);
}

static void pass(uint64_t ms)
{
    struct mail mail;
    f.now_ms += ms;
    loop_post(f.loop, &mail, stop);
    assert_int_equal(loop_run(f.loop), 0);
    loop_post(f.loop, &mail, stop); /* timers that were due in the first turn have fired by now */
    assert_int_equal(loop_run(f.loop), 0);
}

static int setup(void **state)
{
    (void)state;
    config = (struct session_config){
        .buffer_max = 1000,
        .window = 1000,
        .message_max = 500,
        .attach_timeout_ms = 30000,
        .detach_timeout_ms = 600000,
        .goodbye_timeout_ms = 5000,
        .ping_ms = 20000,
    };
    memset(&counts, 0, sizeof(counts));
    f = (struct fixture){.taking = true, .now_ms = 1000};
    f.loop = loop_new();
    loop_set_clock(f.loop, fake_clock, NULL);
    f.table = session_table_new(3, 10);
    pass(0);
    struct session_spec spec = {.config = &config,
                                .counts = &counts,
                                .table = f.table,
                                .ops = &ops,
                                .origin = ORIGIN,
                                .path = PATH};
    f.session = session_new(f.loop, &spec);
    assert_non_null(f.session);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (!f.overs)
        session_abort(f.session, 1000, SLICE_NONE);
    pass(0);
    assert_int_equal(f.overs, 1);
    assert_int_equal(counts.now, 0);
    assert_int_equal(counts.attached_now, 0);
    session_table_free(f.table);
    loop_free(f.loop);
    for (size_t i = 0; i < f.got_count; i++)
        free(f.got[i]);
    return 0;
}

static struct wire *attach(uint64_t received)
{
    struct wire *w = wire_new();
    assert_int_equal(session_admits(f.session, PATH, ORIGIN, KEY, received), 0);
    session_attach(f.session, &w->base, KEY, received);
    return w;
}

static void cut(struct wire *w)
{
    session_detach(&w->base, SLICE_LITERAL("lost"));
    wire_free(w);
}

static void say(const char *line)
{
    struct message m;
    assert_int_equal(message_parse_text(slice_of(line), &m), PARSE_OK);
    session_send(f.session, &m);
}

static void hear(struct wire *w, const char *line)
{
    char *copy = strdup(line);
    session_receive(&w->base, false, (struct bytes){copy, strlen(copy)});
    free(copy);
}

static bool has_sent(const struct wire *w, const char *line)
{
    for (size_t i = 0; i < w->sent_count; i++)
        if (!strcmp(w->sent[i], line))
            return true;
    return false;
}

/* ---- the tests ---- */

static void first_attach_is_welcomed_and_gets_what_was_said_before(void **state)
{
    (void)state;
    say("hello {\"a\":1}");
    struct wire *w = attach(0);
    assert_non_null(strstr(w->sent[0], ".welcome {\"session\":\""));
    assert_non_null(
        strstr(w->sent[0], "\"resumed\":false,\"received\":0,\"window\":1000,\"maxMessage\":500"));
    assert_string_equal(w->sent[1], "hello {\"a\":1}");
    assert_int_equal(f.attaches, 1);
    assert_int_equal(f.resumes, 0);
    cut(w);
    assert_string_equal(f.detach_reason, "lost");
}

static void who_comes_in_the_turn_of_the_end_hears_of_it(void **state)
{
    (void)state;
    session_abort(f.session, 1013, SLICE_LITERAL("overload"));
    struct wire *w = wire_new();
    session_attach(f.session, &w->base, KEY, 0);
    assert_int_equal(w->close_code, 1013);
    assert_string_equal(w->close_reason, "overload");
    assert_null(w->base.session);
    wire_free(w);
}

static void a_second_connection_gets_only_what_the_first_did_not(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    say("n 1");
    say("n 2");
    cut(w);
    say("n 3");
    w = attach(1);
    assert_non_null(strstr(w->sent[0], "\"resumed\":true"));
    assert_false(has_sent(w, "n 1"));
    assert_string_equal(w->sent[1], "n 2");
    assert_string_equal(w->sent[2], "n 3");
    assert_int_equal(f.resumes, 1);
    cut(w);
}

static void received_that_cannot_be_served_is_gone(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    say("n 1");
    hear(w, ".ack 1");
    cut(w);
    assert_int_equal(session_admits(f.session, PATH, ORIGIN, KEY, 0), 4410);
    assert_int_equal(session_admits(f.session, PATH, ORIGIN, KEY, 2), 4410);
    assert_int_equal(session_admits(f.session, PATH, ORIGIN, KEY, 1), 0);
}

static void only_the_same_origin_path_and_key_are_admitted(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    assert_int_equal(session_admits(f.session, PATH, SLICE_LITERAL("https://b.example"), KEY, 0),
                     4403);
    assert_int_equal(session_admits(f.session, SLICE_LITERAL("/other"), ORIGIN, KEY, 0), 4410);
    assert_int_equal(
        session_admits(f.session, PATH, ORIGIN, SLICE_LITERAL("abcdefghijklmnopqrstuX"), 0), 4409);
    cut(w);
}

static void takeover_closes_the_old_connection_with_4000(void **state)
{
    (void)state;
    struct wire *old = attach(0);
    struct wire *new = attach(0);
    assert_int_equal(old->close_code, 4000);
    assert_null(old->base.session);
    session_detach(&old->base, SLICE_LITERAL("lost"));
    assert_true(session_attached(f.session));
    say("n 1");
    assert_true(has_sent(new, "n 1"));
    assert_false(has_sent(old, "n 1"));
    wire_free(old);
    cut(new);
}

static void a_tag_is_in_each_id_and_leaves_the_rest_random(void **state)
{
    (void)state;
    char first[SESSION_ID_LEN];
    session_table_use_tag(f.table, 0xdeadbeef);
    for (int i = 0; i < 2; i++) {
        struct entry e = {0};
        assert_int_equal(entry_add(f.table, &e), 0);
        struct slice id = slice_make(e.id, SESSION_ID_LEN);
        assert_true(session_id_valid(id));
        assert_int_equal(session_id_tag(id), 0xdeadbeef);
        assert_int_equal(session_id_worker(id), 3);
        if (i == 0)
            memcpy(first, e.id, sizeof(first));
        else
            assert_memory_not_equal(first, e.id, 8);
        entry_remove(f.table, &e);
    }
}

static void table_finds_by_id_and_by_key(void **state)
{
    (void)state;
    char id[SESSION_ID_LEN];
    memcpy(id, session_id(f.session).ptr, sizeof(id));
    struct slice s = slice_make(id, sizeof(id));
    assert_true(session_id_valid(s));
    assert_int_equal(session_id_worker(s), 3);
    assert_ptr_equal(session_table_find(f.table, s), f.session);
    assert_null(session_table_find_key(f.table, KEY));
    struct wire *w = attach(0);
    assert_ptr_equal(session_table_find_key(f.table, KEY), f.session);
    id[0] = id[0] == 'A' ? 'B' : 'A';
    assert_null(session_table_find(f.table, s));
    cut(w);
}

static void the_longest_key_is_bound_as_short_ones_are(void **state)
{
    (void)state;
    struct slice key =
        SLICE_LITERAL("0123456789012345678901234567890123456789012345678901234567890_-A");
    assert_int_equal(key.len, SESSION_KEY_MAX);
    struct wire *w = wire_new();
    session_attach(f.session, &w->base, key, 0);
    assert_ptr_equal(session_table_find_key(f.table, key), f.session);
    assert_int_equal(session_admits(f.session, PATH, ORIGIN, key, 0), 0);
    assert_int_equal(session_admits(f.session, PATH, ORIGIN, slice_first(key, 63), 0), 4409);
    assert_int_equal(session_admits(f.session, PATH, ORIGIN, KEY, 0), 4409);
    cut(w);
}

static void ack_of_what_was_not_sent_is_a_breach(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    hear(w, ".ack 1");
    assert_int_equal(w->close_code, 4400);
    assert_string_equal(f.close_reason, "wire-protocol");
    session_end(f.session, 1000, SLICE_LITERAL("x"));
    pass(0);
    assert_int_equal(f.overs, 1);
    wire_free(w);
}

static void an_ack_that_falls_back_is_a_breach(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    say("n 1");
    say("n 2");
    hear(w, ".ack 2");
    hear(w, ".ack 1");
    assert_int_equal(w->close_code, 4400);
    wire_free(w);
}

static void rubbish_is_a_breach(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    hear(w, "hello {");
    assert_int_equal(w->close_code, 4400);
    assert_non_null(strstr(w->close_reason, "wire-protocol: "));
    wire_free(w);
}

static void a_command_of_the_server_is_a_breach_and_a_problem_is_a_message(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    hear(w, ".problem {\"command\":\"dom\"}");
    assert_int_equal(f.got_count, 1);
    assert_string_equal(f.got[0], ".problem {\"command\":\"dom\"}");
    hear(w, ".dom {}");
    assert_int_equal(w->close_code, 4400);
    assert_int_equal(f.got_count, 1);
    wire_free(w);
}

/* Two fit in the window, three do not. */
static const char *line_of_400(void)
{
    static char line[420] = "n \"";
    memset(line + 3, 'x', 400);
    strcpy(line + 403, "\"");
    return line;
}

static void more_than_the_window_is_a_breach(void **state)
{
    (void)state;
    const char *line = line_of_400();
    f.taking = false;
    struct wire *w = attach(0);
    hear(w, line);
    hear(w, line);
    assert_int_equal(w->close_code, 0);
    hear(w, line);
    assert_int_equal(w->close_code, 4400);
    assert_int_equal(f.got_count, 2);
    wire_free(w);
}

/* `.welcome` acknowledges what has been received, so the client has its whole window again. */
static void what_a_program_has_not_taken_before_a_cut_is_outside_of_the_next_window(void **state)
{
    (void)state;
    const char *line = line_of_400();
    f.taking = false;
    struct wire *w = attach(0);
    hear(w, line);
    hear(w, line);
    cut(w);
    w = attach(0);
    assert_non_null(strstr(w->sent[0], "\"received\":2"));
    hear(w, line);
    hear(w, line);
    assert_int_equal(w->close_code, 0);
    session_taken(f.session);
    hear(w, line);
    assert_int_equal(w->close_code, 4400);
    assert_int_equal(f.got_count, 4);
    wire_free(w);
}

static void what_is_acknowledged_never_decreases_over_a_cut(void **state)
{
    (void)state;
    f.taking = false;
    struct wire *w = attach(0);
    for (int i = 0; i < 3; i++)
        hear(w, "n 1");
    cut(w);
    w = attach(0);
    assert_non_null(strstr(w->sent[0], "\"received\":3"));
    hear(w, "n 1");
    for (int i = 0; i < 3; i++)
        session_taken(f.session);
    pass(5000);
    assert_int_equal(w->sent_count, 1);
    session_taken(f.session);
    pass(1000);
    assert_true(has_sent(w, ".ack 4"));
    cut(w);
}

static void a_page_that_filled_its_window_before_a_reload_lowered_it_breaks_no_rule(void **state)
{
    (void)state;
    const char *line = line_of_400();
    f.taking = false;
    struct wire *w = attach(0);
    hear(w, line);
    config.window = 500; /* a reload */
    hear(w, line);
    assert_int_equal(w->close_code, 0);
    cut(w);
    w = attach(0);
    assert_non_null(strstr(w->sent[0], "\"window\":1000"));
    cut(w);
}

static void acknowledges_within_a_second_and_after_64_messages_at_once(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    for (int i = 0; i < 63; i++)
        hear(w, "n 1");
    assert_false(has_sent(w, ".ack 63"));
    hear(w, "n 1");
    assert_true(has_sent(w, ".ack 64"));
    hear(w, "n 1");
    pass(999);
    assert_true(has_sent(w, ".ack 65"));
    cut(w);
}

static void an_acknowledgement_that_is_soon_due_goes_with_an_answer(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    for (int i = 0; i < 31; i++)
        hear(w, "n 1");
    say("n 1");
    assert_false(has_sent(w, ".ack 31"));
    hear(w, "n 1");
    assert_false(has_sent(w, ".ack 32"));
    say("n 2");
    assert_string_equal(w->sent[w->sent_count - 2], ".ack 32");
    assert_string_equal(w->sent[w->sent_count - 1], "n 2");
    size_t sent = w->sent_count;
    pass(999);
    assert_int_equal(w->sent_count, sent);
    cut(w);
}

static void acknowledges_at_once_after_a_quarter_of_the_window(void **state)
{
    (void)state;
    char line[300] = "n \"";
    memset(line + 3, 'x', 250);
    strcpy(line + 253, "\"");
    struct wire *w = attach(0);
    hear(w, line);
    assert_true(has_sent(w, ".ack 1"));
    cut(w);
}

static void what_is_not_taken_is_not_acknowledged(void **state)
{
    (void)state;
    f.taking = false;
    struct wire *w = attach(0);
    hear(w, "n 1");
    pass(5000);
    assert_false(has_sent(w, ".ack 1"));
    session_taken(f.session);
    pass(1000);
    assert_true(has_sent(w, ".ack 1"));
    cut(w);
}

static void the_owner_waits_at_the_buffers_bound(void **state)
{
    (void)state;
    char line[300] = "n \"";
    memset(line + 3, 'x', 250);
    strcpy(line + 253, "\"");
    struct wire *w = attach(0);
    for (int i = 0; i < 4; i++) {
        assert_true(session_writable(f.session));
        say(line);
    }
    assert_false(session_writable(f.session));
    hear(w, ".ack 1");
    assert_int_equal(f.writables, 0);
    hear(w, ".ack 3");
    assert_int_equal(f.writables, 1);
    assert_true(session_writable(f.session));
    cut(w);
}

static void
a_connection_that_was_given_up_before_the_attached_one_was_made_is_overtaken(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    w->base.arrived_ms = 100000;
    assert_true(session_overtaken(f.session, 99000));
    assert_false(session_overtaken(f.session, 99990)); /* as precise as the times are */
    assert_false(session_overtaken(f.session, 101000));
    cut(w);
    assert_false(session_overtaken(f.session, 99000));
}

static void messages_that_many_sessions_share_are_sent_again_from_where_the_client_is(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    static const char bytes[] = "\x81\x03"
                                "e 1"
                                "\x81\x03"
                                "e 2"
                                "\x81\x03"
                                "e 3";
    struct outbox_frames frames = {.shared = shared_new(15), .count = 3, .payload = 9};
    memcpy(frames.shared->bytes, bytes, 15);
    session_send_frames(f.session, &frames);
    shared_unref(frames.shared);
    say("n");
    assert_true(has_sent(w, "e 1") && has_sent(w, "e 2") && has_sent(w, "e 3"));
    assert_string_equal(w->sent[4], "n");
    assert_int_equal(counts.messages_out, 4);
    hear(w, ".ack 1");
    assert_int_equal(session_unacknowledged(f.session), 7);
    cut(w);
    w = attach(2);
    assert_int_equal(w->sent_count, 3); /* with `.welcome` */
    assert_string_equal(w->sent[1], "e 3");
    assert_string_equal(w->sent[2], "n");
    hear(w, ".ack 4");
    assert_int_equal(session_held(f.session), 0);
    assert_int_equal(w->close_code, 0);
    cut(w);
}

static void stuck_frames(struct session_wire *base, struct shared_bytes *frames, size_t at,
                         size_t len, uint32_t count)
{
    (void)frames, (void)at, (void)count;
    container_of(base, struct wire, base)->queued += len;
}

static size_t stuck_queued(const struct session_wire *base)
{
    return container_of(base, const struct wire, base)->queued;
}

/* It has them by a reference, which the outbox counted. */
static size_t stuck_held(const struct session_wire *base)
{
    (void)base;
    return 0;
}

static void what_is_acknowledged_before_it_left_still_counts(void **state)
{
    (void)state;
    struct session_wire_ops stuck = wire_ops;
    struct wire *w = attach(0);
    stuck.send_frames = stuck_frames;
    stuck.queued = stuck_queued;
    stuck.held = stuck_held;
    w->base.ops = &stuck;
    say("n \"xxxxxxxxxxxxxxxxxxxx\"");
    size_t kept = session_held(f.session);
    assert_true(kept >= w->queued);
    hear(w, ".ack 1");
    assert_int_equal(session_held(f.session), w->queued);
    w->queued = 0;
    assert_int_equal(session_held(f.session), 0);
    cut(w);
}

static void queue_event(const char *head)
{
    struct message m = {.kind = MESSAGE_EVENT, .head = slice_of(head), .name = slice_of(head)};
    session_queue(f.session, &m);
}

static void what_is_queued_leaves_together_and_before_what_is_said_after_it(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    queue_event("a");
    queue_event("b");
    assert_int_equal(w->sent_count, 1); /* `.welcome` */
    session_flush(f.session);
    assert_string_equal(w->sent[1], "a");
    assert_string_equal(w->sent[2], "b");
    queue_event("c");
    session_tell(f.session, SLICE_LITERAL(".told"));
    assert_string_equal(w->sent[3], "c");
    assert_string_equal(w->sent[4], ".told");
    queue_event("d");
    say("e");
    assert_string_equal(w->sent[6], "e");
    queue_event("f");
    cut(w);
    session_flush(f.session);
    w = attach(5);
    assert_string_equal(w->sent[1], "f");
    queue_event("g");
    session_abort(f.session, 1000, SLICE_NONE);
    assert_string_equal(w->sent[2], "g");
    assert_true(strstr(w->sent[3], ".close") == w->sent[3]);
    wire_free(w);
}

static void what_would_fill_the_buffer_has_no_room(void **state)
{
    (void)state;
    assert_true(session_has_room(f.session, 1000));
    assert_false(session_has_room(f.session, 1001));
    say("n \"xxxxxxxxxx\"");
    assert_true(session_has_room(f.session, 986));
    assert_false(session_has_room(f.session, 987));
}

static void an_owner_that_waits_since_the_bound_was_lowered_is_told_to_go_on(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    for (int i = 0; i < 4; i++)
        say("n \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"");
    assert_true(session_writable(f.session));
    config.buffer_max = 100; /* a reload */
    assert_false(session_writable(f.session));
    hear(w, ".ack 4");
    assert_int_equal(f.writables, 1);
    cut(w);
}

static void messages_of_a_few_bytes_are_counted_with_what_each_of_them_takes(void **state)
{
    (void)state;
    config.buffer_max = 1 << 20;
    uint64_t said = 0;
    for (; session_writable(f.session); said++)
        say("n");
    assert_true(session_held(f.session) >= said * 3);             /* with the head of its frame */
    assert_true(session_held(f.session) < 3 * config.buffer_max); /* the owner waits */
}

static void
a_lost_page_is_waited_for_ten_minutes_and_one_that_said_goodbye_for_seconds(void **state)
{
    (void)state;
    cut(attach(0));
    pass(599000);
    assert_string_equal(f.close_reason, "");
    struct wire *w = attach(0);
    hear(w, ".bye {\"reason\":\"pagehide\"}");
    cut(w);
    assert_string_equal(f.detach_reason, "goodbye");
    pass(5001);
    assert_string_equal(f.close_reason, "grace-over");
}

static void a_page_that_never_attaches_is_given_up(void **state)
{
    (void)state;
    pass(30001);
    assert_string_equal(f.close_reason, "never-attached");
}

static void the_clients_close_ends_it(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    hear(w, ".close {\"reason\":\"done\"}");
    assert_int_equal(w->close_code, 1000);
    assert_string_equal(f.close_reason, "client-closed");
    assert_int_equal(session_table_count(f.table), 0);
    wire_free(w);
}

static void an_end_with_nothing_left_closes_at_once(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    session_end(f.session, 1000, SLICE_LITERAL("program-exit"));
    assert_true(has_sent(w, ".close {\"code\":1000,\"reason\":\"program-exit\"}"));
    assert_int_equal(w->close_code, 1000);
    pass(0);
    assert_int_equal(f.overs, 1);
    wire_free(w);
}

static void an_end_waits_for_the_last_messages_to_be_acknowledged(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    say("last 1");
    session_end(f.session, 4500, SLICE_LITERAL("program-failed"));
    assert_int_equal(w->close_code, 0);
    hear(w, ".ack 1");
    assert_int_equal(w->close_code, 4500);
    pass(0);
    assert_int_equal(f.overs, 1);
    wire_free(w);
}

static void an_end_while_the_page_is_away_is_told_when_it_returns(void **state)
{
    (void)state;
    cut(attach(0));
    say("last 1");
    session_end(f.session, 1000, SLICE_LITERAL("say \"bye\""));
    pass(1000);
    struct wire *w = attach(0);
    assert_true(has_sent(w, "last 1"));
    assert_int_equal(w->close_code, 0);
    hear(w, ".ack 1");
    assert_true(has_sent(w, ".close {\"code\":1000,\"reason\":\"say \\\"bye\\\"\"}"));
    assert_int_equal(w->close_code, 1000);
    wire_free(w);
}

static void an_end_without_any_page_leaves_nothing(void **state)
{
    (void)state;
    session_end(f.session, 1000, SLICE_LITERAL("program-exit"));
    assert_int_equal(session_table_count(f.table), 0);
}

static void a_failure_before_the_page_came_is_told_when_it_comes(void **state)
{
    (void)state;
    session_end(f.session, 4500, SLICE_LITERAL("program-failed status=1"));
    struct wire *w = attach(0);
    assert_int_equal(w->close_code, 4500);
    wire_free(w);
}

static void a_page_that_is_there_and_acknowledges_nothing_is_not_kept_for_ever(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    say("last 1");
    session_end(f.session, 1000, SLICE_LITERAL("program-exit"));
    for (int i = 0; i < 120 && !w->close_code; i++) {
        hear(w, ".ping");
        pass(10001);
    }
    assert_int_equal(w->close_code, 1000);
    wire_free(w);
}

static void silence_is_broken_by_a_ping_and_a_dead_peer_is_dropped_within_a_minute(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    for (int i = 0; i < 3; i++)
        pass(10001);
    assert_true(has_sent(w, ".ping"));
    assert_int_equal(w->close_code, 0);
    for (int i = 0; i < 2; i++)
        pass(10001);
    assert_int_equal(w->close_code, 1011);
    assert_string_equal(f.detach_reason, "dead-peer");
    wire_free(w);
}

static void a_peer_that_answers_pings_lives(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    for (int i = 0; i < 30; i++) {
        hear(w, ".pong");
        pass(10001);
    }
    assert_int_equal(w->close_code, 0);
    hear(w, ".ping");
    assert_true(has_sent(w, ".pong"));
    cut(w);
}

/* ---- large messages in parts ---- */

static size_t queued;

static size_t wire_queued(const struct session_wire *base)
{
    (void)base;
    return queued;
}

static void wire_keep_shallow(struct session_wire *base)
{
    (void)base;
}

static const struct session_wire_ops parts_ops = {.send = wire_send,
                                                  .close = wire_close,
                                                  .queued = wire_queued,
                                                  .keep_shallow = wire_keep_shallow};

static struct wire *attach_with_parts(uint64_t received)
{
    struct wire *w = wire_new();
    w->base.ops = &parts_ops;
    w->base.parts = true;
    session_attach(f.session, &w->base, KEY, received);
    return w;
}

static void send_large(size_t len)
{
    char *json = malloc(len);
    memset(json, '1', len);
    struct message m = {.kind = MESSAGE_EVENT,
                        .head = SLICE_LITERAL("n"),
                        .name = SLICE_LITERAL("n"),
                        .body = slice_make(json, len)};
    session_send(f.session, &m);
    free(json);
}

static void a_large_message_goes_in_parts_and_what_the_wire_has_no_room_for_waits(void **state)
{
    (void)state;
    struct wire *w = attach_with_parts(0);
    queued = 0;
    send_large(40000);
    assert_int_equal(w->sent_count, 4);
    assert_int_equal(w->sent[1][0], MESSAGE_PART_MORE);
    assert_int_equal(w->sent[3][0], MESSAGE_PART_LAST_TEXT);
    queued = 65536;
    send_large(20000);
    send_large(5);
    assert_int_equal(w->sent_count, 4);
    hear(w, ".ping"); /* gets through between parts */
    assert_string_equal(w->sent[4], ".pong");
    queued = 0;
    session_drained(&w->base);
    assert_int_equal(w->sent_count, 8);
    assert_string_equal(w->sent[7], "n 11111");
    hear(w, ".ack 3");
    assert_int_equal(w->close_code, 0);
    cut(w);
}

static void a_client_can_not_acknowledge_a_message_that_is_under_way(void **state)
{
    (void)state;
    struct wire *w = attach_with_parts(0);
    queued = 65536;
    send_large(20000);
    hear(w, ".ack 1");
    assert_int_equal(w->close_code, 4400);
    session_drained(&w->base);
    wire_free(w);
}

static void a_message_that_was_cut_between_its_parts_comes_again_as_a_whole(void **state)
{
    (void)state;
    struct wire *w = attach_with_parts(0);
    queued = 65536;
    send_large(20000);
    cut(w);
    queued = 0;
    struct wire *again = attach_with_parts(0);
    assert_int_equal(again->sent_count, 3);
    assert_int_equal(again->sent[1][0], MESSAGE_PART_MORE);
    struct wire *other = attach(0); /* takes over, and knows no parts */
    assert_int_equal(other->sent_count, 2);
    assert_int_equal(strlen(other->sent[1]), 20002);
    cut(other);
    wire_free(again);
}

static struct wire *attach_having(bool parts, uint64_t has_of_next)
{
    struct wire *w = wire_new();
    w->base.ops = &parts_ops;
    w->base.parts = parts;
    w->base.has_of_next = has_of_next;
    session_attach(f.session, &w->base, KEY, f.sequence);
    return w;
}

/* A message of `size` bytes, each of its place. */
static void send_marked(size_t size, bool binary)
{
    char *body = malloc(size - 2);
    for (size_t i = 2; i < size; i++)
        body[i - 2] = (char)('0' + i * 7919 % 10);
    struct message m = {.kind = MESSAGE_EVENT,
                        .binary = binary,
                        .head = SLICE_LITERAL("n"),
                        .name = SLICE_LITERAL("n"),
                        .body = slice_make(body, size - 2)};
    session_send(f.session, &m);
    free(body);
}

static uint64_t continued_at(const struct wire *w)
{
    const char *parts = strstr(w->sent[0], "\"parts\":");
    return parts ? strtoull(parts + 8, NULL, 10) : 0;
}

/* The bytes of the message that has been sent, from `at` on; checks that they are those. */
static size_t follow_parts(const struct wire *w, size_t at)
{
    for (size_t i = 1; i < w->sent_count; i++)
        for (const char *c = w->sent[i] + 1; *c; c++, at++)
            if (at >= 2 && *c != (char)('0' + at * 7919 % 10))
                fail_msg("a wrong byte at %zu", at);
    return at;
}

static void run_parts_row(size_t number, const json_t *row)
{
    size_t size = (size_t)json_integer_value(json_object_get(row, "size"));
    const json_t *parts = json_object_get(row, "parts");
    queued = 0;
    send_marked(size, json_is_true(json_object_get(row, "binary")));
    struct wire *w = attach_having(json_is_true(json_object_get(row, "offers")),
                                   (uint64_t)json_integer_value(json_object_get(row, "has")));
    uint64_t from = (uint64_t)json_integer_value(json_object_get(row, "from"));
    if (continued_at(w) != from)
        fail_msg("row %zu: from %llu", number, (unsigned long long)continued_at(w));
    size_t count = json_array_size(parts);
    assert_int_equal(w->sent_count - 1, count ? count : 1);
    for (size_t i = 0; i < count; i++) {
        const json_t *part = json_array_get(parts, i);
        assert_int_equal(w->sent[1 + i][0], json_integer_value(json_array_get(part, 0)));
        assert_int_equal(strlen(w->sent[1 + i]) - 1, json_integer_value(json_array_get(part, 2)));
    }
    if (count)
        assert_int_equal(follow_parts(w, from), size);
    else
        assert_int_equal(strlen(w->sent[1]), size);
    char ack[32];
    snprintf(ack, sizeof(ack), ".ack %llu", (unsigned long long)++f.sequence);
    hear(w, ack);
    assert_int_equal(w->close_code, 0);
    cut(w);
}

static void every_row_of_the_vectors_of_parts(void **state)
{
    (void)state;
    vectors_each(PARTS_VECTORS, 10, run_parts_row);
}

static void a_message_goes_on_at_whatever_byte_it_was_cut_also_when_it_is_taken_over(void **state)
{
    (void)state;
    enum {
        SIZE = 20000
    };
    send_marked(SIZE, false);
    struct wire *older = wire_new();
    for (size_t has = 0; has < SIZE; has++) {
        queued = has % 3 ? 0 : 65536; /* or it waits, and goes when there is room */
        struct wire *w = attach_having(true, has);
        wire_free(older);
        queued = 0;
        session_drained(&w->base);
        assert_int_equal(continued_at(w), has);
        assert_int_equal(follow_parts(w, has), SIZE);
        if (has % 2) /* otherwise the next one takes over */
            session_detach(&w->base, SLICE_LITERAL("lost"));
        older = w;
    }
    session_detach(&older->base, SLICE_LITERAL("lost"));
    wire_free(older);
}

static void unknown_control_messages_are_ignored(void **state)
{
    (void)state;
    struct wire *w = attach(0);
    hear(w, ".future {\"x\":1}");
    assert_int_equal(w->close_code, 0);
    assert_int_equal(f.got_count, 0);
    cut(w);
}

/* ---- any number of cuts anywhere ---- */

/* A client that is cut after a random part of what each side sent. */
struct client {
    uint64_t received; /* numbers seen, in order */
    uint64_t sent;     /* numbers sent so far */
    uint64_t to_send;  /* the next one that the server may not have */
};

static void client_read(struct client *c, struct wire *w, size_t upto)
{
    for (size_t i = 0; i < upto; i++) {
        unsigned long long n;
        if (sscanf(w->sent[i], "n %llu", &n) == 1)
            assert_int_equal(n, c->received++);
        else if (!strncmp(w->sent[i], ".welcome", 8)) {
            assert_int_equal(sscanf(strstr(w->sent[i], "\"received\":"), "\"received\":%llu", &n),
                             1);
            assert_true(n <= c->sent);
            c->to_send = n;
        }
    }
}

static void exactly_once_and_in_order_over_a_thousand_random_cuts(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("# seed %u\n", seed);
    srand(seed);
    config.buffer_max = config.window = 1 << 20;
    struct client c = {0};
    uint64_t said = 0;
    char line[64];
    for (int round = 0; round < 1000; round++) {
        struct wire *w = attach(c.received);
        size_t welcome = 1;
        client_read(&c, w, welcome); /* always comes first */
        for (int step = rand() % 8; step > 0; step--) {
            snprintf(line, sizeof(line), "n %llu", (unsigned long long)said++);
            say(line);
            if (c.to_send <= c.sent) {
                snprintf(line, sizeof(line), "c %llu", (unsigned long long)c.to_send++);
                hear(w, line); /* what is heard may yet be unknown to the client as taken */
                if (c.to_send > c.sent)
                    c.sent = c.to_send;
            }
        }
        size_t reached = welcome + (size_t)rand() % (w->sent_count - welcome + 1);
        for (size_t i = welcome; i < reached; i++) {
            unsigned long long n;
            if (sscanf(w->sent[i], "n %llu", &n) == 1)
                assert_int_equal(n, c.received++);
        }
        if (rand() % 2) {
            snprintf(line, sizeof(line), ".ack %llu", (unsigned long long)c.received);
            hear(w, line);
        }
        assert_int_equal(w->close_code, 0);
        cut(w);
    }
    struct wire *w = attach(c.received);
    client_read(&c, w, w->sent_count);
    assert_int_equal(c.received, said);
    assert_int_equal(f.got_count, c.sent);
    for (size_t i = 0; i < f.got_count; i++) {
        snprintf(line, sizeof(line), "c %zu", i);
        assert_string_equal(f.got[i], line);
    }
    cut(w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(first_attach_is_welcomed_and_gets_what_was_said_before),
        T(who_comes_in_the_turn_of_the_end_hears_of_it),
        T(a_second_connection_gets_only_what_the_first_did_not),
        T(received_that_cannot_be_served_is_gone),
        T(only_the_same_origin_path_and_key_are_admitted),
        T(takeover_closes_the_old_connection_with_4000),
        T(a_tag_is_in_each_id_and_leaves_the_rest_random),
        T(table_finds_by_id_and_by_key),
        T(the_longest_key_is_bound_as_short_ones_are),
        T(ack_of_what_was_not_sent_is_a_breach),
        T(an_ack_that_falls_back_is_a_breach),
        T(rubbish_is_a_breach),
        T(a_command_of_the_server_is_a_breach_and_a_problem_is_a_message),
        T(more_than_the_window_is_a_breach),
        T(what_a_program_has_not_taken_before_a_cut_is_outside_of_the_next_window),
        T(what_is_acknowledged_never_decreases_over_a_cut),
        T(a_page_that_filled_its_window_before_a_reload_lowered_it_breaks_no_rule),
        T(acknowledges_within_a_second_and_after_64_messages_at_once),
        T(an_acknowledgement_that_is_soon_due_goes_with_an_answer),
        T(acknowledges_at_once_after_a_quarter_of_the_window),
        T(what_is_not_taken_is_not_acknowledged),
        T(the_owner_waits_at_the_buffers_bound),
        T(a_connection_that_was_given_up_before_the_attached_one_was_made_is_overtaken),
        T(an_owner_that_waits_since_the_bound_was_lowered_is_told_to_go_on),
        T(messages_that_many_sessions_share_are_sent_again_from_where_the_client_is),
        T(what_is_acknowledged_before_it_left_still_counts),
        T(what_is_queued_leaves_together_and_before_what_is_said_after_it),
        T(what_would_fill_the_buffer_has_no_room),
        T(messages_of_a_few_bytes_are_counted_with_what_each_of_them_takes),
        T(a_lost_page_is_waited_for_ten_minutes_and_one_that_said_goodbye_for_seconds),
        T(a_page_that_never_attaches_is_given_up),
        T(the_clients_close_ends_it),
        T(an_end_with_nothing_left_closes_at_once),
        T(an_end_waits_for_the_last_messages_to_be_acknowledged),
        T(an_end_while_the_page_is_away_is_told_when_it_returns),
        T(an_end_without_any_page_leaves_nothing),
        T(a_failure_before_the_page_came_is_told_when_it_comes),
        T(a_page_that_is_there_and_acknowledges_nothing_is_not_kept_for_ever),
        T(silence_is_broken_by_a_ping_and_a_dead_peer_is_dropped_within_a_minute),
        T(a_peer_that_answers_pings_lives),
        T(a_large_message_goes_in_parts_and_what_the_wire_has_no_room_for_waits),
        T(a_client_can_not_acknowledge_a_message_that_is_under_way),
        T(a_message_that_was_cut_between_its_parts_comes_again_as_a_whole),
        T(every_row_of_the_vectors_of_parts),
        T(a_message_goes_on_at_whatever_byte_it_was_cut_also_when_it_is_taken_over),
        T(unknown_control_messages_are_ignored),
        T(exactly_once_and_in_order_over_a_thousand_random_cuts),
    };
    return run_on_every_backend("session", tests);
}
