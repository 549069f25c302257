/* SPDX-License-Identifier: MIT */
#include "cluster/reply_reader.h"

#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    MAX = 1 << 20
};

static struct reply_reader reader;

static int begin(void **state)
{
    (void)state;
    return reply_reader_init(&reader, MAX) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    reply_reader_done(&reader);
    return 0;
}

static void write_reply(const redisReply *reply, char *out)
{
    char *at = out + strlen(out);
    switch (reply->type) {
    case REDIS_REPLY_ARRAY:
        strcat(out, "[");
        for (size_t i = 0; i < reply->elements; i++)
            write_reply(reply->element[i], out);
        strcat(out, "]");
        return;
    case REDIS_REPLY_INTEGER:
        sprintf(at, ":%lld ", reply->integer);
        return;
    case REDIS_REPLY_NIL:
        strcat(out, "nil ");
        return;
    default:
        sprintf(at, "%d%.*s ", reply->type, (int)reply->len, reply->str);
    }
}

/* Feeds `text` in pieces of `piece` bytes and writes down what comes. */
static void read_all(const char *text, size_t len, size_t piece, char *out)
{
    out[0] = '\0';
    for (size_t at = 0; at < len; at += piece) {
        redisReply *reply;
        if (!reply_reader_feed(&reader, slice_first(slice_make(text + at, len - at), piece)))
            return;
        while ((reply = reply_reader_next(&reader))) {
            write_reply(reply, out);
            freeReplyObject(reply);
        }
    }
}

static void replies_come_alike_however_they_are_cut(void **state)
{
    (void)state;
    static const char text[] = "+OK\r\n-ERR no\r\n:12\r\n$5\r\na\r\nbc\r\n$-1\r\n$0\r\n\r\n"
                               "*3\r\n$7\r\nmessage\r\n*2\r\n:1\r\n*-1\r\n+x\r\n*0\r\n";
    static const char expected[] = "5OK 6ERR no :12 1a\r\nbc nil 1 [1message [:1 nil ]5x ][]";
    char out[256];
    for (size_t piece = 1; piece <= sizeof(text); piece++) {
        read_all(text, sizeof(text) - 1, piece, out);
        assert_string_equal(out, expected);
        assert_null(reader.why);
    }
}

static void expect_broken(const char *text, const char *why)
{
    char out[4096];
    end(NULL);
    begin(NULL);
    read_all(text, strlen(text), 1 << 16, out);
    if (!reader.why || !strstr(reader.why, why))
        fail_msg("%.20s: %s", text, reader.why ? reader.why : "(taken)");
    assert_null(reply_reader_next(&reader));
}

static void what_is_no_reply_breaks(void **state)
{
    (void)state;
    expect_broken("HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol error");
    expect_broken("%1\r\n+a\r\n+b\r\n", "Protocol error"); /* RESP3 */
    expect_broken("$-2\r\n", "out of range");
    expect_broken("*-2\r\n", "out of range");
    expect_broken("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+x\r\n", "nested");
    expect_broken("*2147483647\r\n", "too large");
    expect_broken("*2147483648\r\n", "out of range");
    expect_broken("*100000\r\n*100000\r\n", "too large");
}

/* Announced lengths allocate nothing: what has come is what is held. */
static void what_is_too_large_breaks_as_it_comes(void **state)
{
    (void)state;
    static const char *const heads[] = {"$9223372036854775807\r\n", "$2000000\r\n",
                                        "*2\r\n$2000000\r\n"};
    char *noise = malloc(1 << 16);
    memset(noise, 'x', 1 << 16);
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        size_t fed = 0;
        end(NULL);
        begin(NULL);
        assert_true(reply_reader_feed(&reader, slice_of(heads[i])));
        for (; !reader.why; fed += 1 << 16) {
            assert_true(fed <= MAX + (1 << 16));
            reply_reader_feed(&reader, slice_make(noise, 1 << 16));
            assert_null(reply_reader_next(&reader));
        }
        assert_string_equal(reader.why, "a reply that is too large");
    }
    end(NULL);
    begin(NULL);
    assert_true(reply_reader_feed(&reader, slice_of("+")));
    for (int i = 0; i < 2; i++) {
        reply_reader_feed(&reader, slice_make(noise, 1 << 16));
        assert_null(reply_reader_next(&reader));
    }
    assert_string_equal(reader.why, "an endless line");
    free(noise);
}

/* Small objects cost more than their bytes. */
static void objects_count_as_what_they_take(void **state)
{
    (void)state;
    assert_true(reply_reader_feed(&reader, slice_of("*60000\r\n")));
    for (int i = 0; i < 60000 && !reader.why; i++) {
        reply_reader_feed(&reader, slice_of(":1\r\n"));
        assert_null(reply_reader_next(&reader));
    }
    assert_string_equal(reader.why, "a reply that is too large");
}

/* What one reply has spent the next one has. */
static void many_replies_are_read_at_a_time(void **state)
{
    (void)state;
    char *text = malloc(20 * 100000), *at = text;
    size_t len = 0;
    for (int i = 0; i < 100000; i++)
        len += (size_t)sprintf(at + len, "$5\r\n%05d\r\n", i);
    int count = 0;
    for (size_t fed = 0; fed < len; fed += 1 << 16) {
        redisReply *reply;
        reply_reader_feed(&reader, slice_first(slice_make(text + fed, len - fed), 1 << 16));
        for (; (reply = reply_reader_next(&reader)); count++) {
            assert_int_equal(atoi(reply->str), count);
            freeReplyObject(reply);
        }
    }
    assert_null(reader.why);
    assert_int_equal(count, 100000);
    free(text);
}

static void random_bytes_break_or_wait(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "+",      "-",      ":",      "$",  "*",      "\r\n", "1",
        "-1",     "12",     "abc",    "\r", "\n",     "999",  "$3\r\nabc\r\n",
        ":1\r\n", "*2\r\n", "+x\r\n", "0",  "%2\r\n", "\xff"};
    uint64_t r = 11;
    for (int round = 0; round < 20000; round++) {
        end(NULL);
        begin(NULL);
        for (int n = 0; n < 30; n++) {
            redisReply *reply;
            if (!reply_reader_feed(&reader, slice_of(pieces[random_below(&r, COUNT_OF(pieces))])))
                break;
            while ((reply = reply_reader_next(&reader)))
                freeReplyObject(reply);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(replies_come_alike_however_they_are_cut), TEST(what_is_no_reply_breaks),
        TEST(what_is_too_large_breaks_as_it_comes),    TEST(objects_count_as_what_they_take),
        TEST(many_replies_are_read_at_a_time),         TEST(random_bytes_break_or_wait),
    };
    return cmocka_run_group_tests_name("reply_reader", tests, NULL, NULL);
}
