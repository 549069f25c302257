/* SPDX-License-Identifier: MIT */
/* access - what a decision of script access costs without a question to DNS, in nanoseconds of CPU
 * time, and what a flood of refused attempts from ever new addresses leaves in memory.
 *
 *     build/bench/access
 */
#include "access/access.h"
#include "access/recorded.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    RUNS = 5,
    CHECKS = 200000,
    TABLE = 65536
};

struct bench {
    struct access_config config;
    struct recorded recorded;
    struct access access;
    struct access_check check;
    enum access_reason reason;
    uint64_t now_ms;
    uint32_t client;
};

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void on_verdict(struct access_check *check, const struct access_result *result)
{
    container_of(check, struct bench, check)->reason = result->reason;
}

static void ask_program(struct access_check *check)
{
    access_program_answer(check->access, check, false, BAN_SECONDS, SLICE_NONE);
}

static void run_check(struct bench *b)
{
    access_check(&b->access, &b->check, b->now_ms);
    access_run(&b->access, b->now_ms);
    while (recorded_run(&b->recorded))
        access_run(&b->access, b->now_ms);
}

static void same_client(struct bench *b)
{
    (void)b;
}

/* Another address for every attempt. */
static void next_client(struct bench *b)
{
    b->client++;
    memcpy(b->check.request.client.bytes, &b->client, sizeof(b->client));
}

static void measure(struct bench *b, const char *what, void (*prepare)(struct bench *))
{
    double best = 1e18;
    for (int run = 0; run < RUNS; run++) {
        double begin = cpu_ns();
        for (int i = 0; i < CHECKS; i++) {
            prepare(b);
            run_check(b);
        }
        double ns = (cpu_ns() - begin) / CHECKS;
        best = ns < best ? ns : best;
    }
    printf("%-48s %6.0f ns   %s\n", what, best, access_reason_row(b->reason)->token);
}

static void web_request(struct bench *b, const char *page, const char *path)
{
    struct access_request *q = &b->check.request;
    *q = (struct access_request){.path = ACCESS_PATH_WEB, .here_known = true};
    origin_parse(slice_of("https://b.test"), &q->here);
    q->origin = slice_of(page);
    q->url_path = slice_of(path);
    b->check.ask_program = NULL;
    b->check.on_verdict = on_verdict;
}

int main(void)
{
    const char *why;
    struct bench *b = calloc(1, sizeof(*b));
    struct bans *bans = bans_new(TABLE);
    struct rates *rates = rates_new(TABLE);
    if (!b || !bans || !rates)
        return 1;
    b->now_ms = 1000;
    access_config_init(&b->config);
    access_config_set(&b->config, slice_of("rate-client"), slice_of("off"), &why);
    access_config_set(&b->config, slice_of("rate-origin"), slice_of("off"), &why);
    recorded_init(&b->recorded, slice_of("_script-access.b.test TXT \"v=sa1; allow=a.example\""),
                  &why);
    access_init(&b->access, &b->config, &b->recorded.resolver, bans, rates, NULL);

    web_request(b, "https://b.test", "/chat/room");
    measure(b, "same origin", same_client);
    web_request(b, "https://a.example", "/chat/room");
    measure(b, "another origin, record known", same_client);
    b->check.ask_program = ask_program;
    run_check(b);
    measure(b, "refused by a ban", same_client);
    web_request(b, "https://evil.example", "/chat/room");
    measure(b, "refused by a known record, new addresses", next_client);

    b->config.rate_client = (struct rate){.per_minute = 60, .burst = 5};
    measure(b, "refused by the rate", same_client);

    web_request(b, "https://a.example", "/chat/room");
    size_t before = mallinfo2().uordblks;
    b->check.ask_program = ask_program;
    measure(b, "a 401 of the program and its ban, new addresses", next_client);
    printf("heap after %d attempts: %+zd bytes; bans %zu, rates %zu bytes in all\n", RUNS * CHECKS,
           mallinfo2().uordblks - before, bans_bytes(bans), rates_bytes(rates));

    access_done(&b->access);
    recorded_done(&b->recorded);
    access_config_done(&b->config);
    bans_free(bans);
    rates_free(rates);
    free(b);
    return 0;
}
