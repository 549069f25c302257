/* SPDX-License-Identifier: MIT */
/* Pages of a shared process: a real one, whose lines wait while a page publishes more than the hub
 * has passed on. The hub's requests come back when the test says so. */
#include "page_fixture.h"

#include "program/shared.h"

/* The first page says `go`: then the process does what the test is about. Each `.join` is answered
 * by `joined`, of which $n is the number and $id the page. */
#define PROGRAM(joined, go)                                                                        \
    "n=0; while read -r id what rest <&3; do case $what in "                                       \
    ".join) n=$((n+1)); eval id$n=$id; " joined ";; go) " go ";; esac; done"
#define HEAD_OF                                                                                    \
    "printf '%s .answer \"Content-Type: text/html\\\\n\\\\n<head></head>hello\"\\n' $id >&3"
#define WHOLE      HEAD_OF "; echo $id .answer >&3"
#define PUBLISHES  "%s .publish {\"topic\":\"t\",\"event\":\"e\",\"data\":1}\\n"
#define PAGE_IN(c) (asks((c), GET("/app")), is_answered((c), "hello"))

/* ---- the hub ---- */

static struct hub_request *under_way[16];
static size_t under_way_count;

static void keep_request(struct hub *at, struct hub_request *r)
{
    (void)at;
    assert_true(under_way_count < 16);
    under_way[under_way_count++] = r;
}

static struct session_counts session_counts;
static const struct hub_route route = {keep_request};
static const struct hub_config hub_config = {.subscriptions_max = 10, .message_max = 1000};

static void requests_come_back(void)
{
    for (size_t i = 0; i < under_way_count; i++)
        hub_request_return(&hub, under_way[i]);
    under_way_count = 0;
}

/* ---- the program ---- */

static struct shared_process *process(uint32_t *ret_wait_s)
{
    int error;
    return shared_pick(programs, script_path, 1, ret_wait_s, &error);
}

static struct seat *find_shared_seat(struct seat_source *source, struct page_host *host,
                                     const struct seat_wish *wish, enum seat_refusal *ret_refusal,
                                     uint32_t *ret_wait_s)
{
    (void)source, (void)ret_refusal;
    return seat_shared_new(host, wish, process(ret_wait_s));
}

static void is_answered(struct client *c, const char *text)
{
    TURN_UNTIL(strstr(hear(c), text));
}

static void is_told(struct client *c, const char *text)
{
    TURN_UNTIL(strstr(hears(c), text));
}

/* The process has said all that a `go` makes it say, up to where its reading stops. */
static void goes(struct client *c)
{
    sends(c, WS_OP_TEXT, "go");
    TURN_UNTIL(under_way_count > 0);
}

static int begin_shared(void **state)
{
    begin(state);
    hub = (struct hub){.route = &route, .loop = loop, .config = &hub_config};
    hub_init(&hub);
    under_way_count = 0;
    page_config.shared_per_client = 100;
    seat_source.find = find_shared_seat;
    return 0;
}

static int finish_shared(void **state)
{
    requests_come_back();
    finish(state);
    hub_done(&hub);
    return 0;
}

/* ---- what happens ---- */

/* The next page in the host's list was over by the first one's end, and was looked for for ever. */
static void a_drain_goes_on_behind_a_page_whose_end_lets_another_one_end(void **state)
{
    (void)state;
    script(PROGRAM("[ $n = 1 ] && { " WHOLE "; }",
                   "printf '" PUBLISHES "%s .answer \"Content-Type: text/html\\\\n\\\\n\"\\n' "
                   "$id1 $id2 >&3"));
    PAGE_IN(client);
    connects(client, second);
    asks(third, "HEAD /app HTTP/1.1\r\nHost: a\r\n\r\n");
    TURN_UNTIL(program_host_counts(programs)->shared_pages_now == 2);
    goes(second);
    alarm(30); /* it may turn in a circle */
    page_host_drain(pages, 3, 0);
    alarm(0);
    is_answered(third, "HTTP/1.1 200");
    is_told(second, "draining");
}

static void a_page_that_ends_while_it_publishes_holds_up_no_other_page(void **state)
{
    (void)state;
    script(PROGRAM("[ $n = 1 ] && { " HEAD_OF "; } || { " WHOLE "; }",
                   "printf '" PUBLISHES "%s hello 1\\n' $id1 $id2 >&3"));
    PAGE_IN(client);
    connects(client, second);
    struct client *other = connect_client();
    PAGE_IN(third);
    connects(third, other);
    is_told(other, ".welcome");
    goes(second);
    sends(second, WS_OP_TEXT, ".close"); /* its answer is not complete: it has not left */
    requests_come_back();
    is_told(other, "hello 1");
    hangs_up(other);
    client_free(other);
}

static bool never(const struct session *s)
{
    (void)s;
    return false;
}

static void ignore_session(struct session *s)
{
    (void)s;
}

/* Only one session more finds room. */
static void fill_table(struct session *all[99])
{
    static const struct session_ops ops = {.may_go = never, .on_over = ignore_session};
    for (int i = 0; i < 99; i++)
        all[i] = session_new(loop, &(struct session_spec){.config = &session_config,
                                                          .counts = &session_counts,
                                                          .table = sessions,
                                                          .ops = &ops,
                                                          .origin = SLICE_LITERAL(""),
                                                          .path = SLICE_LITERAL("")});
}

static void empty_table(struct session *all[99])
{
    for (int i = 0; i < 99; i++)
        session_abort(all[i], CLOSE_NORMAL, SLICE_LITERAL("over"));
}

/* The newcomer joined a process that had just ended all its pages, and was told nothing, ever. */
static void a_newcomer_whose_room_was_a_busy_pages_hears_of_the_programs_end(void **state)
{
    (void)state;
    struct session *others[99];
    script(PROGRAM("[ $n = 1 ] && { " WHOLE "; }", "printf '" PUBLISHES ".close\n' $id1 >&3"));
    PAGE_IN(client);
    connects(client, second);
    goes(second);
    hangs_up(second);
    fill_table(others);
    asks(third, GET("/app"));
    is_answered(third, "HTTP/1.1 502");
    empty_table(others);
}

#define shared_test(f) cmocka_unit_test_setup_teardown(f, begin_shared, finish_shared)

int main(void)
{
    const struct CMUnitTest tests[] = {
        shared_test(a_drain_goes_on_behind_a_page_whose_end_lets_another_one_end),
        shared_test(a_page_that_ends_while_it_publishes_holds_up_no_other_page),
        shared_test(a_newcomer_whose_room_was_a_busy_pages_hears_of_the_programs_end),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return run_on_every_backend("pages of a shared process", tests);
}
