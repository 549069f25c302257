/* SPDX-License-Identifier: MIT */
/* Each allocation that a link to a broker makes fails once: nothing breaks but the link, and it
 * comes up again. The linker puts these functions between our objects and the C library. */
#include "played_broker.h"

#include "base/log.h"

static unsigned allocations, failing; /* 0: none fails */

static bool fails(void)
{
    return failing && ++allocations == failing;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

static struct noted_call asked;

static void come_up(void)
{
    for (int i = 0; i < 100 && !broker_is_up(broker); i++)
        pass_ms(250);
    assert_true(broker_is_up(broker));
}

static void answer_call(void)
{
    call(&asked, "a");
    settle();
    if (asked.call.on_reply)
        say(calls_line(), "+1\r\n");
    settle();
    assert_null(asked.call.on_reply);
}

/* What the link is for, while one allocation fails. */
static void use_link(void)
{
    make_broker(&noting);
    if (!broker)
        return;
    broker_subscribe(broker, SLICE_LITERAL("x"));
    come_up();
    settle();
    if (broker_is_up(broker))
        answer_call();
    broker_unsubscribe(broker, SLICE_LITERAL("x"));
    broker_subscribe(broker, SLICE_LITERAL("y"));
    settle();
}

static void whatever_allocation_fails_the_link_comes_up_again(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        broker_free(broker);
        settle();
        allocations = 0;
        failing = n;
        use_link();
        failing = 0;
        if (!broker)
            make_broker(&noting);
        events[0] = '\0';
        come_up();
        settle();
        assert_true(broker_subscribe(broker, SLICE_LITERAL("z")));
        settle();
        assert_non_null(strstr(events, "subscribed z|"));
        answer_call();
        if (allocations < n)
            break;
        for (int i = 0; i < played.count; i++)
            cut(&played.connections[i]);
        played.count = 0;
        settle();
        come_up();
    }
    assert_true(allocations > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        link_test(whatever_allocation_fails_the_link_comes_up_again),
    };
    log_setup(LOG_NOTHING, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests_name("broker_memory", tests, NULL, NULL);
}
