/* SPDX-License-Identifier: MIT */
/* test_channels_chaos.c - two sides of a session's byte streams, joined by a wire that is cut again
 * and again, either end first, while both do anything at any time, from callbacks too.
 *
 * What must hold however it goes: each byte arrives once and in order; what ends well has arrived
 * whole on both sides; what one side resets the other hears of; nobody breaks a rule; nothing is
 * kept beyond the window. The sanitizers see to the memory. HTTPSOCKET_SEED repeats one schedule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "proto/channel_frame.h"
#include "random.h"
#include "session/channel_out.h"
#include "session/channels.h"

enum {
    SCHEDULES = 3000,
    STEPS = 1500,
    CHANNELS_MAX = 5,

    CLIENT = 0,
    SERVER = 1,
};

/* One side's end of a stream. */
struct end {
    struct list node; /* side.ends */
    struct end *other;
    struct channel *c; /* NULL: over, or reset by us */
    int side;
    uint32_t number;
    size_t wrote, read, consumed, wanted;
    bool accepted, ended, heard_end, over_well, reset;
};

struct frame {
    struct list node;
    bool welcome;
    size_t len;
    char bytes[];
};

struct side {
    struct channels *cs;
    struct channels_counts counts;
    struct list ends, all;
    struct list wire; /* frames on their way to it */
    size_t wire_bytes;
    bool attached, deaf; /* deaf: what comes and goes is lost, but it does not know that yet */
    bool tell;
};

static struct side sides[2];
static struct channels_config config;
static uint64_t seed;
static unsigned depth; /* of acts inside callbacks */
static bool calm;
static uint64_t cuts, replayed, finished, resets, frames;

static size_t below(size_t bound)
{
    return random_below(&seed, bound);
}

static char byte_at(uint32_t number, int side, size_t position)
{
    return (char)(position * 7 + position / 251 + number * 31 + (size_t)side * 101);
}

static void act(void);

static void maybe_act(void)
{
    if (depth > 3 || calm)
        return;
    depth++;
    for (size_t n = below(3); n > 0; n--)
        act();
    depth--;
}

static int side_of(const struct channels *cs)
{
    return (int)((struct side *)channels_owner(cs) - sides);
}

/* ---- the wire ---- */

static void put(int to, struct frame *f)
{
    list_append(&sides[to].wire, &f->node);
    sides[to].wire_bytes += f->len;
}

static void send_frame(struct channels *cs, struct slice head, struct shared_bytes *body, size_t at,
                       size_t len)
{
    int from = side_of(cs);
    assert_true(sides[from].attached);
    if (sides[from].deaf)
        return;
    struct frame *f = malloc(sizeof(*f) + head.len + len);
    *f = (struct frame){.len = head.len + len};
    memcpy(f->bytes, head.ptr, head.len);
    if (len)
        memcpy(f->bytes + head.len, body->bytes + at, len);
    put(!from, f);
}

static size_t room(struct channels *cs)
{
    size_t queued = sides[!side_of(cs)].wire_bytes;
    return queued < 3000 ? 3000 - queued : 0;
}

static void tell_soon(struct channels *cs)
{
    assert_false(sides[side_of(cs)].tell && sides[side_of(cs)].attached);
    sides[side_of(cs)].tell = true;
}

static void drop_wire(int to)
{
    struct list *node;
    while ((node = list_pop(&sides[to].wire)))
        free(container_of(node, struct frame, node));
    sides[to].wire_bytes = 0;
}

static void lose(int side)
{
    if (!sides[side].attached)
        return;
    sides[side].attached = sides[side].deaf = false;
    sides[side].tell = false;
    channels_detach(sides[side].cs);
}

/* One end sees it first; the other one hears what is still on its way, and speaks to nobody. */
static void cut(void)
{
    int first = (int)below(2);
    if (!sides[SERVER].attached)
        return;
    cuts++;
    lose(first);
    drop_wire(first);
    sides[!first].deaf = sides[!first].attached; /* who is not there yet hears the next welcome */
    if (below(2)) {
        lose(!first);
        drop_wire(!first);
    }
}

static void connect_wire(void)
{
    if (sides[CLIENT].attached)
        return;
    lose(SERVER); /* taken over */
    drop_wire(CLIENT);
    drop_wire(SERVER);
    struct frame *welcome = calloc(1, sizeof(*welcome));
    welcome->welcome = true;
    put(CLIENT, welcome);
    sides[SERVER].attached = true;
    channels_attach(sides[SERVER].cs);
}

static void deliver(int to)
{
    struct side *s = &sides[to];
    if (depth || list_empty(&s->wire) || (to == SERVER && !s->attached))
        return;
    struct frame *f = container_of(list_pop(&s->wire), struct frame, node);
    s->wire_bytes -= f->len;
    if (f->welcome) {
        s->attached = true;
        channels_attach(s->cs);
    } else {
        const char *why = NULL;
        char *copy = malloc(f->len); /* so that a byte too far shows */
        memcpy(copy, f->bytes, f->len);
        frames++;
        if (!channels_receive(s->cs, (struct bytes){copy, f->len}, &why))
            fail_msg("a breach: %s", why);
        free(copy);
    }
    free(f);
    channels_pump(sides[!to].cs);
}

/* ---- the ends ---- */

static struct end *new_end(int side, uint32_t number)
{
    struct end *e = calloc(1, sizeof(*e));
    e->side = side;
    e->number = number;
    e->wanted = below(4) ? below(10 * (size_t)config.window + 50) : 0;
    list_append(&sides[side].ends, &e->node);
    return e;
}

static struct end *find_end(int side, uint32_t number)
{
    for (struct list *n = sides[side].ends.next; n != &sides[side].ends; n = n->next)
        if (container_of(n, struct end, node)->number == number)
            return container_of(n, struct end, node);
    return NULL;
}

static void on_opened(struct channel *c, struct slice json)
{
    struct end *e = channel_owner(c);
    assert_true(slice_equal(json, SLICE_LITERAL("{\"a\":1}")));
    assert_false(e->accepted);
    e->accepted = true;
    maybe_act();
}

static void on_data(struct channel *c, struct bytes data)
{
    struct end *e = channel_owner(c);
    assert_ptr_equal(e->c, c);
    assert_false(e->heard_end);
    for (size_t i = 0; i < data.len; i++)
        if (data.ptr[i] != byte_at(e->number, !e->side, e->read++))
            fail_msg("a wrong byte at %zu of stream %u", e->read - 1, e->number);
    assert_true(e->read <= e->other->wrote && e->read - e->consumed <= config.window);
    if (below(3)) {
        channel_consumed(c, e->read - e->consumed);
        e->consumed = e->read;
    }
    maybe_act();
}

static void on_end(struct channel *c)
{
    struct end *e = channel_owner(c);
    assert_false(e->heard_end);
    assert_true(e->other->ended && e->read == e->other->wrote);
    e->heard_end = true;
    maybe_act();
}

static void on_writable(struct channel *c)
{
    assert_true(channel_writable(c) >= config.window / 4);
    maybe_act();
}

static void on_over(struct channel *c, struct slice json)
{
    struct end *e = channel_owner(c);
    assert_ptr_equal(e->c, c);
    e->c = NULL;
    e->over_well = json.len == 0;
    if (e->over_well) {
        finished++;
        assert_true(e->ended && e->heard_end && e->read == e->other->wrote);
        assert_true(e->other->read == e->wrote && e->other->heard_end);
    } else {
        assert_true(e->other->reset);
    }
    maybe_act();
}

static const struct channel_ops ops = {on_opened, on_data, on_end, on_writable, on_over};

static void on_open(struct channels *cs, struct channel *c, struct slice json)
{
    struct end *e = new_end(SERVER, channel_number(c));
    assert_int_equal(side_of(cs), SERVER);
    assert_true(slice_equal(json, SLICE_LITERAL("{\"kind\":\"x\"}")));
    e->c = c;
    e->other = find_end(CLIENT, e->number);
    e->other->other = e;
    channel_own(c, &ops, e);
    maybe_act();
}

static const struct channels_ops client_ops = {send_frame, room, NULL, tell_soon};
static const struct channels_ops server_ops = {send_frame, room, on_open, tell_soon};

/* ---- what they do ---- */

static struct end *any_end(int side)
{
    size_t count = 0;
    struct end *e = NULL;
    for (struct list *n = sides[side].ends.next; n != &sides[side].ends; n = n->next)
        if (container_of(n, struct end, node)->c && below(++count) == 0)
            e = container_of(n, struct end, node);
    return e;
}

static void open_stream(void)
{
    if (channels_count(sides[CLIENT].cs) >= config.channels_max)
        return;
    struct end *e = new_end(CLIENT, 0);
    e->c = channel_open(sides[CLIENT].cs, SLICE_LITERAL("{\"kind\":\"x\"}"), &ops, e);
    assert_non_null(e->c);
    e->number = channel_number(e->c);
}

/* Until it is accepted `other` of a client's end may not be there: it wrote nothing. */
static void write_some(struct end *e)
{
    size_t n = e->wanted - e->wrote, can = channel_writable(e->c);
    n = n < can ? n : can;
    if (e->ended || n == 0)
        return;
    n = 1 + below(n);
    struct shared_bytes *shared = shared_new(n + 3);
    for (size_t i = 0; i < n; i++)
        shared->bytes[i + 1] = byte_at(e->number, e->side, e->wrote + i);
    e->wrote += n;
    if (below(2))
        assert_true(channel_write(e->c, slice_make(shared->bytes + 1, n)));
    else
        assert_true(channel_write_shared(e->c, shared, 1, n));
    shared_unref(shared);
}

static void accept_stream(struct end *e)
{
    if (e->side == CLIENT || e->accepted)
        return;
    e->accepted = true;
    channel_accept(e->c, SLICE_LITERAL("{\"a\":1}"));
}

static void end_stream(struct end *e)
{
    e->ended = true;
    channel_end(e->c);
}

static void consume(struct end *e)
{
    size_t n = e->read - e->consumed;
    if (n)
        n = 1 + below(n);
    e->consumed += n;
    channel_consumed(e->c, n);
}

static void reset_stream(struct end *e)
{
    struct channel *c = e->c;
    e->c = NULL;
    e->reset = true;
    resets++;
    channel_reset(c, SLICE_LITERAL("{\"reason\":\"tired\"}"));
}

static void act_on(struct end *e)
{
    size_t dice = below(60);
    if (dice < 20)
        write_some(e);
    else if (dice < 30)
        accept_stream(e);
    else if (dice < 50)
        consume(e);
    else if (dice < 52 && e->wrote == e->wanted)
        end_stream(e);
    else if (dice == 52 && below(6) == 0)
        reset_stream(e);
}

static void tell(int side)
{
    if (!sides[side].tell)
        return;
    sides[side].tell = false;
    channels_tell(sides[side].cs);
}

static void act(void)
{
    size_t dice = below(40);
    struct end *e = any_end(dice & 1);
    if (dice < 2 && depth == 0)
        cut();
    else if (dice < 5 && depth == 0)
        connect_wire();
    else if (dice < 7)
        tell((int)dice & 1);
    else if (dice < 10)
        open_stream();
    else if (dice < 26)
        deliver((int)dice & 1);
    else if (e)
        act_on(e);
}

/* ---- one schedule ---- */

static void begin(uint64_t number)
{
    seed = number;
    config = (struct channels_config){
        .window = (uint32_t)(1 + below(below(2) ? 64 : 8000)),
        .channels_max = (uint32_t)(1 + below(CHANNELS_MAX)),
        .message_max = below(2) ? (uint32_t)(16 + below(2000)) : 0,
    };
    memset(sides, 0, sizeof(sides));
    calm = false;
    for (int i = 0; i < 2; i++) {
        list_init(&sides[i].ends);
        list_init(&sides[i].wire);
        sides[i].cs =
            channels_new(&config, &sides[i].counts, i ? &server_ops : &client_ops, &sides[i]);
    }
}

/* Every stream to its good end. */
static bool calm_down(void)
{
    bool busy = false;
    for (int side = 0; side < 2; side++) {
        for (struct list *n = sides[side].ends.next; n != &sides[side].ends; n = n->next) {
            struct end *e = container_of(n, struct end, node);
            if (!e->c)
                continue;
            busy = true;
            accept_stream(e);
            write_some(e);
            consume(e);
            if (e->wrote == e->wanted && !e->ended)
                end_stream(e);
        }
        deliver(side);
        tell(side);
    }
    return busy || !list_empty(&sides[0].wire) || !list_empty(&sides[1].wire);
}

static void finish(void)
{
    cut();
    lose(CLIENT);
    lose(SERVER);
    connect_wire();
    calm = true;
    for (int i = 0; calm_down(); i++)
        if (i > 1000000)
            fail_msg("it never comes to an end");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(channels_count(sides[i].cs), 0);
        assert_int_equal(sides[i].counts.now, 0);
        replayed += sides[i].counts.replayed_bytes;
        channels_free(sides[i].cs, SLICE_NONE);
        struct list *node;
        while ((node = list_pop(&sides[i].ends)))
            free(container_of(node, struct end, node));
    }
}

static void check_bounds(void)
{
    for (int i = 0; i < 2; i++) {
        assert_true(channels_count(sides[i].cs) <= config.channels_max);
        for (struct list *n = sides[i].ends.next; n != &sides[i].ends; n = n->next) {
            struct end *e = container_of(n, struct end, node);
            size_t received = e->other ? e->other->read : 0;
            assert_true(!e->c || e->wrote - received <= config.window);
        }
    }
}

static void run(uint64_t number)
{
    begin(number);
    for (int i = 0; i < STEPS; i++) {
        act();
        check_bounds();
    }
    finish();
}

static void every_byte_exactly_once_however_the_wire_is_cut(void **state)
{
    (void)state;
    const char *given = getenv("HTTPSOCKET_SEED");
    uint64_t first = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000003 + 1;
    for (uint64_t i = 0; i < (given ? 1 : SCHEDULES); i++) {
        print_message("\rHTTPSOCKET_SEED=%llu ", (unsigned long long)(first + i));
        run(first + i);
    }
    print_message("\n%llu cuts, %llu bytes sent again, %llu frames, %llu ends well, %llu resets\n",
                  (unsigned long long)cuts, (unsigned long long)replayed,
                  (unsigned long long)frames, (unsigned long long)finished,
                  (unsigned long long)resets);
    assert_true(given || (cuts > SCHEDULES && replayed > SCHEDULES && finished > SCHEDULES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_exactly_once_however_the_wire_is_cut)};
    return cmocka_run_group_tests_name("channels_chaos", tests, NULL, NULL);
}
