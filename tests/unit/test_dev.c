/* SPDX-License-Identifier: MIT */
/* What a developer gets without a page: delayed messages, a failed page's wait for a change, and
 * the answer in the place of a program's. */
#include "http_harness.h"
#include "notes.h"

#include "dev/delay.h"
#include "dev/parts.h"

#include <sys/stat.h>

/* ---- delayed messages ---- */

static struct dev_delay delay;
static char delivered[256];
static int connection_lasts; /* so many messages */

static bool deliver(struct dev_delay *d, bool to_page, bool binary, struct bytes data)
{
    assert_ptr_equal(d, &delay);
    note(delivered, sizeof(delivered), "%s%s %.*s|", to_page ? "page" : "program",
         binary ? " bytes" : "", (int)data.len, data.ptr);
    memset(data.ptr, 'x', data.len); /* it may be changed */
    if (--connection_lasts > 0)
        return true;
    dev_delay_drop(d);
    return false;
}

static bool takes(bool to_page, const char *text)
{
    struct slice pieces[] = {slice_first(slice_of(text), 1), slice_skip(slice_of(text), 1)};
    return dev_delay_take(&delay, to_page, false, pieces, 2);
}

static void begin_delay(uint32_t latency_ms)
{
    delivered[0] = '\0';
    connection_lasts = 100;
    dev_delay_init(&delay, loop, deliver);
    delay.latency_ms = latency_ms;
}

static void without_latency_nothing_waits(void **state)
{
    (void)state;
    begin_delay(0);
    assert_false(takes(true, "a"));
    dev_delay_drop(&delay);
}

static void each_message_waits_as_long(void **state)
{
    (void)state;
    begin_delay(300);
    assert_true(takes(true, "one"));
    pass_time(100);
    assert_true(takes(false, "two"));
    pass_time(199);
    assert_string_equal(delivered, "");
    pass_time(1);
    assert_string_equal(delivered, "page one|");
    pass_time(99);
    assert_string_equal(delivered, "page one|");
    pass_time(1);
    assert_string_equal(delivered, "page one|program two|");
    dev_delay_drop(&delay);
}

static void none_overtakes_another_when_the_latency_shrinks(void **state)
{
    (void)state;
    begin_delay(300);
    takes(true, "one");
    delay.latency_ms = 0;
    assert_true(takes(true, "two"));
    pass_time(299);
    assert_string_equal(delivered, "");
    pass_time(1);
    assert_string_equal(delivered, "page one|page two|");
    assert_false(takes(true, "three"));
    dev_delay_drop(&delay);
}

static void before_a_close_the_page_gets_what_is_its_own(void **state)
{
    (void)state;
    begin_delay(300);
    takes(true, "one");
    takes(false, "lost");
    takes(true, "two");
    dev_delay_hurry(&delay);
    assert_string_equal(delivered, "page one|page two|");
    pass_time(1000);
    assert_string_equal(delivered, "page one|page two|");
    dev_delay_drop(&delay);
}

static void a_connection_that_ends_by_a_message_gets_no_other(void **state)
{
    (void)state;
    begin_delay(300);
    connection_lasts = 2;
    takes(false, "one");
    takes(false, "two");
    takes(false, "three");
    pass_time(300);
    assert_string_equal(delivered, "program one|program two|");

    begin_delay(300);
    connection_lasts = 1;
    takes(true, "one");
    takes(true, "two");
    dev_delay_hurry(&delay);
    assert_string_equal(delivered, "page one|");
}

/* ---- a failed page waits ---- */

static struct hub hub;
static struct dev *dev;
static struct site_found found;
static char version[DEV_VERSION_MAX];

static void handle_wait(struct exchange *x)
{
    seen.x = NULL;
    if (!dev_wait(dev, x, &found))
        exchange_answer(x, 404, SLICE_LITERAL("no such question"), NULL, 0);
}

static void write_program(const char *text)
{
    int fd = open(found.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void begin_waits(void)
{
    handle = handle_wait;
    dev = dev_new(loop, &hub);
    assert_non_null(dev);
    found = (struct site_found){.kind = SITE_PROGRAM, .fd = -1};
    strcpy(found.file, "/tmp/dev-XXXXXX");
    assert_non_null(mkdtemp(found.file));
    strcat(found.file, "/program");
    write_program("one");
    dev_version(found.file, version);
}

static void end_waits(void)
{
    turn_while_busy();
    assert_true(list_empty(&dev->waits));
    assert_int_equal(dev->wait_count, 0);
    dev_free(dev);
    unlink(found.file);
    *strrchr(found.file, '/') = '\0';
    assert_int_equal(rmdir(found.file), 0);
}

static const char *asks(struct client *c, const char *accept, const char *known)
{
    char request[300];
    snprintf(request, sizeof(request),
             "GET / HTTP/1.1\r\nHost: a\r\nAccept: %s\r\nIf-None-Match: %s\r\n\r\n", accept, known);
    return say(c, request);
}

#define CHANGE "application/httpsocket-change"

static void who_knows_another_version_is_answered_at_once(void **state)
{
    (void)state;
    begin_waits();
    struct client *c = client_new();
    assert_status(asks(c, CHANGE, "0"), 204);
    assert_status(asks(c, "text/html", version), 404);
    unlink(found.file);
    assert_status(asks(c, CHANGE, version), 204);
    dev_version(found.file, version);
    assert_string_equal(version, "none");
    client_free(c);
    end_waits();
}

static void who_knows_this_version_waits_for_the_next(void **state)
{
    (void)state;
    begin_waits();
    struct client *c = client_new();
    assert_string_equal(asks(c, CHANGE, version), "");
    assert_int_equal(dev->wait_count, 1);
    write_program("two");
    for (uint64_t end = real_ms() + 20000; c->len == 0 && real_ms() < end;) {
        loop_turn(loop, 10);
        pass_time(DEV_SETTLE_MS);
        hear(c);
    }
    assert_status(c->text, 204);
    client_free(c);
    end_waits();
}

static void who_waits_is_turned_away_by_a_drain(void **state)
{
    (void)state;
    begin_waits();
    struct client *c = client_new();
    asks(c, CHANGE, version);
    dev_drain(dev);
    assert_status(hear(c), 503);
    assert_status(asks(c, CHANGE, version), 503);
    client_free(c);
    end_waits();
}

static void no_more_wait_than_may(void **state)
{
    (void)state;
    begin_waits();
    static struct client *clients[65];
    for (int i = 0; i < 65; i++) {
        clients[i] = client_new();
        asks(clients[i], CHANGE, version);
    }
    assert_int_equal(dev->wait_count, 64);
    assert_status(clients[64]->text, 503);
    dev_drain(dev);
    for (int i = 0; i < 65; i++)
        client_free(clients[i]);
    end_waits();
}

/* ---- the answer in the place of a program's ---- */

static struct dev_page failed_page;
static const char *failure_reason;

static void handle_failure(struct exchange *x)
{
    seen.x = NULL;
    dev_answer_failure(NULL, &failed_page, x, 502, "the program ended without an answer",
                       slice_of(failure_reason));
}

static void write_line(const char *text)
{
    uint64_t at = failed_page.lines++ % DEV_LINES;
    failed_page.lens[at] = strlen(text);
    memcpy(failed_page.texts[at], text, strlen(text));
}

static void a_failure_shows_its_last_lines_as_text(void **state)
{
    (void)state;
    failed_page = (struct dev_page){.file = {.name = "a<b"}, .version = "0123"};
    failure_reason = "<script>alert(1)</script>";
    handle = handle_failure;
    struct client *c = client_new();
    write_line("line left out");
    for (int i = 1; i < DEV_LINES; i++)
        write_line("between");
    write_line("<img> & last");
    say(c, GET("/"));
    assert_status(c->text, 502);
    assert_has(c->text, "text/html");
    assert_has(c->text, "a&lt;b");
    assert_has(c->text, "&lt;img> &amp; last\n");
    assert_has(c->text, "'If-None-Match': '0123'");
    assert_has_not(c->text, "left out");
    assert_has(c->text, "&lt;script>alert(1)&lt;/script>");
    assert_int_equal(count_text(c->text, "between\n"), DEV_LINES - 1);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        http_test(without_latency_nothing_waits),
        http_test(each_message_waits_as_long),
        http_test(none_overtakes_another_when_the_latency_shrinks),
        http_test(before_a_close_the_page_gets_what_is_its_own),
        http_test(a_connection_that_ends_by_a_message_gets_no_other),
        http_test(who_knows_another_version_is_answered_at_once),
        http_test(who_knows_this_version_waits_for_the_next),
        http_test(who_waits_is_turned_away_by_a_drain),
        http_test(no_more_wait_than_may),
        http_test(a_failure_shows_its_last_lines_as_text),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return run_on_every_backend("dev", tests);
}
