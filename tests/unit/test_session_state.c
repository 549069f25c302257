/* SPDX-License-Identifier: MIT */
/* A program's state on its way to a client that comes and goes, beside a model: what the client has
 * is a state that was saved, covers no more than was confirmed for that, and is the last one once
 * all is quiet. */
#include "core/backend.h"
#include "net/seal.h"
#include "session/sealed.h"
#include "session/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "every_backend.h"
#include "random.h"

#define KEY    SLICE_LITERAL("abcdefghijklmnopqrstuv")
#define ORIGIN SLICE_LITERAL("https://a.example")
#define PATH   SLICE_LITERAL("/chat")

enum {
    SAVES_MAX = 400,
    LARGE = 50000
};

static struct session_config config;
static struct session_counts counts;
static struct sealer sealer;

static struct fixture {
    struct loop *loop;
    struct session_table *table;
    struct session *session;
    struct session_wire wire; /* of the client, when it is there */
    bool is_there, closed;
    uint64_t now_ms;
    size_t overs;
    /* the program */
    size_t saves;
    uint64_t confirmed[SAVES_MAX]; /* the most that was confirmed while this state was the last */
    uint64_t counted;
    /* the client */
    struct text pieces, state; /* sealed */
    uint64_t covers;
    bool has_state, owes_stored;
    unsigned owes_pongs;
} f;

/* ---- the client ---- */

static size_t number_of(struct slice sealed)
{
    struct sealed_place place = {ORIGIN, PATH};
    struct sealed_state opened;
    char *bytes;
    uint64_t number = 0;
    const char *why =
        sealed_open(&sealer, &place, sealed, sealed_clock_ms(), 60000, &opened, &bytes);
    assert_null(why);
    struct slice digits = slice_first(opened.state, slice_find(opened.state, ' '));
    assert_true(slice_to_uint(digits, SAVES_MAX, &number));
    free(bytes);
    return number;
}

static void judge(void)
{
    size_t number = number_of(text_slice(&f.state));
    assert_true(number < f.saves && f.covers <= f.confirmed[number]);
}

static void take_saved(bool binary, struct slice in)
{
    size_t lf = slice_find(in, '\n');
    struct slice digits = slice_skip(slice_first(in, lf), 7);
    uint64_t covers;
    assert_true(slice_to_uint(digits, UINT64_MAX, &covers) && covers >= f.covers);
    assert_true(!f.owes_stored || f.closed); /* one at a time, but at the end */
    f.covers = covers;
    f.owes_stored = true;
    if (binary) {
        text_put(&f.pieces, slice_skip(in, lf + 1));
        text_done(&f.state);
        f.state = f.pieces;
        f.pieces = (struct text){0};
        f.has_state = true;
    }
    assert_true(f.has_state);
    judge();
}

static void wire_send(struct session_wire *base, bool binary, const struct slice *pieces,
                      size_t count)
{
    struct text whole = {0};
    (void)base;
    for (size_t i = 0; i < count; i++)
        text_put(&whole, pieces[i]);
    struct slice in = text_slice(&whole);
    if (slice_starts_with(in, SLICE_LITERAL(".saved?")))
        take_saved(binary, in);
    else if (binary && in.ptr[0] == 19)
        text_put(&f.pieces, slice_skip(in, 1));
    else if (slice_equal(in, SLICE_LITERAL(".ping")))
        f.owes_pongs++;
    text_done(&whole);
}

static void wire_close(struct session_wire *base, unsigned code, struct slice reason)
{
    (void)base, (void)code, (void)reason;
    f.is_there = false;
}

static void keep_shallow(struct session_wire *base)
{
    (void)base;
}

static const struct session_wire_ops wire_ops = {
    .send = wire_send, .close = wire_close, .keep_shallow = keep_shallow};

static void hear(const char *line)
{
    char text[64];
    snprintf(text, sizeof(text), "%s", line);
    session_receive(&f.wire, false, (struct bytes){text, strlen(text)});
}

static void answer(void)
{
    char text[64];
    if (f.owes_stored) {
        f.owes_stored = false;
        snprintf(text, sizeof(text), ".stored %llu", (unsigned long long)f.covers);
        hear(text);
    } else if (f.owes_pongs > 0) {
        f.owes_pongs--;
        hear(".pong");
    }
}

static void come(bool keeps)
{
    f.wire = (struct session_wire){.ops = &wire_ops, .state = keeps};
    f.is_there = true;
    f.owes_stored = false;
    f.owes_pongs = 0;
    text_done(&f.pieces);
    assert_int_equal(session_admits(f.session, PATH, ORIGIN, KEY, 0), 0);
    session_attach(f.session, &f.wire, KEY, 0);
}

static void go(void)
{
    f.is_there = false;
    session_detach(&f.wire, SLICE_LITERAL("lost"));
}

/* ---- the owner ---- */

static void on_message(struct session *s, const struct message *m)
{
    (void)s, (void)m;
}

static void on_attach(struct session *s, bool resumed)
{
    (void)s, (void)resumed;
}

static void on_slice(struct session *s, struct slice reason)
{
    (void)s, (void)reason;
}

static void on_writable(struct session *s)
{
    (void)s;
}

static void on_over(struct session *s)
{
    (void)s;
    f.overs++;
}

static const struct session_ops ops = {.on_message = on_message,
                                       .on_attach = on_attach,
                                       .on_detach = on_slice,
                                       .on_writable = on_writable,
                                       .on_close = on_slice,
                                       .on_over = on_over};

static void save(bool large)
{
    static char text[LARGE];
    int len = snprintf(text, sizeof(text), "%zu ", f.saves);
    memset(text + len, 'x', sizeof(text) - (size_t)len);
    f.confirmed[f.saves++] = f.counted;
    assert_true(session_save(f.session, true, slice_make(text, large ? LARGE : (size_t)len)));
}

static void confirm(uint64_t more)
{
    f.counted += more;
    if (f.saves > 0)
        f.confirmed[f.saves - 1] = f.counted;
    session_cover(f.session, f.counted);
}

/* ---- set-up ---- */

static uint64_t fake_clock(void *arg)
{
    (void)arg;
    return f.now_ms;
}

static void stop(struct mail *mail)
{
    (void)mail;
    loop_stop(f.loop);
}

static void pass(void)
{
    struct mail mail;
    f.now_ms++;
    for (int i = 0; i < 2; i++) {
        loop_post(f.loop, &mail, stop);
        assert_int_equal(loop_run(f.loop), 0);
    }
}

static int setup(void **state)
{
    static const unsigned char key[SEAL_KEY_SIZE] = {7};
    (void)state;
    struct seal_keys *keys = seal_keys_new();
    assert_true(seal_keys_add(keys, key));
    assert_int_equal(sealer_use(&sealer, keys), 0);
    seal_keys_unref(keys);
    config = (struct session_config){.buffer_max = 100000,
                                     .window = 1000,
                                     .message_max = 100000,
                                     .attach_timeout_ms = 30000000,
                                     .detach_timeout_ms = 30000000,
                                     .goodbye_timeout_ms = 5000,
                                     .ping_ms = 20000000,
                                     .sealer = &sealer,
                                     .state_age_ms = 60000};
    f = (struct fixture){.now_ms = 1000};
    f.loop = loop_new();
    loop_set_clock(f.loop, fake_clock, NULL);
    f.table = session_table_new(0, 10);
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
        session_abort(f.session, 1000, SLICE_LITERAL("over"));
    pass();
    assert_int_equal(f.overs, 1);
    session_table_free(f.table);
    loop_free(f.loop);
    sealer_done(&sealer);
    text_done(&f.pieces);
    text_done(&f.state);
    return 0;
}

static void settle(void)
{
    for (int i = 0; i < 50; i++) {
        pass();
        answer();
    }
}

static void has(size_t number, uint64_t covers)
{
    assert_true(f.has_state);
    assert_int_equal(number_of(text_slice(&f.state)), number);
    assert_int_equal(f.covers, covers);
}

/* ---- tests ---- */

static void a_state_that_the_client_lost_the_answer_of_comes_again(void **state)
{
    (void)state;
    come(true);
    save(true);
    pass();
    answer();
    go();
    confirm(3);
    come(true);
    settle();
    has(0, 3);
}

static void a_client_that_kept_nothing_for_a_while_is_not_told_that_more_is_covered(void **state)
{
    (void)state;
    come(true);
    save(false);
    confirm(1);
    settle();
    has(0, 1);
    go();
    come(false);
    save(false);
    confirm(4);
    pass();
    go();
    come(true);
    settle();
    has(0, 1);
    save(false);
    settle();
    has(2, 5);
}

static void the_last_state_arrives_with_the_end(void **state)
{
    (void)state;
    for (int large = 0; large < 2; large++) {
        come(true);
        save(true);
        pass();
        answer(); /* some pieces are there */
        save(large);
        confirm(2);
        f.closed = true;
        session_end(f.session, 4500, SLICE_LITERAL("program-failed"));
        has(1, 2);
        pass();
        teardown(NULL);
        setup(NULL);
    }
}

static void whatever_happens_the_client_has_what_fits(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 150; i++) {
            switch (random_below(&seed, 8)) {
            case 0:
                save(random_below(&seed, 3) == 0);
                break;
            case 1:
                confirm(random_below(&seed, 3));
                break;
            case 2:
                if (f.is_there && random_below(&seed, 3) == 0)
                    go();
                break;
            case 3:
                if (!f.is_there)
                    come(random_below(&seed, 6) > 0);
                break;
            case 4:
            case 5:
                if (f.is_there)
                    answer();
                break;
            default:
                pass();
            }
        }
        if (f.is_there)
            go();
        come(true);
        save(false);
        settle();
        has(f.saves - 1, f.counted);
        confirm(1);
        settle();
        has(f.saves - 1, f.counted);
        teardown(NULL);
        setup(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_state_that_the_client_lost_the_answer_of_comes_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_client_that_kept_nothing_for_a_while_is_not_told_that_more_is_covered, setup,
            teardown),
        cmocka_unit_test_setup_teardown(the_last_state_arrives_with_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_happens_the_client_has_what_fits, setup, teardown),
    };
    return run_on_every_backend("session_state", tests);
}
