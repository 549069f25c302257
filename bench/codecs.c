/* SPDX-License-Identifier: MIT */
/* codecs - what the codecs cost, in nanoseconds of CPU time a byte, beside their plain twins.
 *
 *     build/bench/codecs [NAME]     only the rows whose name begins so
 *
 * Each row is the best of several runs, so that a neighbour on the machine does not count. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../tests/unit/json_oracle.h"
#include "base/utf8.h"
#include "proto/http_chunked.h"
#include "proto/http_head.h"
#include "proto/message.h"
#include "proto/ws_frame.h"

#define RUNS      7
#define RUN_BYTES (16u << 20)
#define BLOCK_MAX (1u << 20)
#define HEAD_BROWSER                                                                               \
    "GET /chat/room?name=b%C3%B8rli HTTP/1.1\r\n"                                                  \
    "Host: www.example.com\r\n"                                                                    \
    "Connection: keep-alive\r\n"                                                                   \
    "sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n"                              \
    "sec-ch-ua-mobile: ?0\r\n"                                                                     \
    "sec-ch-ua-platform: \"Linux\"\r\n"                                                            \
    "Upgrade-Insecure-Requests: 1\r\n"                                                             \
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "          \
    "Chrome/130.0.0.0 Safari/537.36\r\n"                                                           \
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*\r\n"  \
    "Sec-Fetch-Site: none\r\n"                                                                     \
    "Sec-Fetch-Mode: navigate\r\n"                                                                 \
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"                                                 \
    "Accept-Language: nb-NO,nb;q=0.9,en;q=0.8\r\n"                                                 \
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n"
#define HEAD_SHORT "GET / HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\n\r\n"

/* One codec over one input; the result goes to a sink, so that no call can be left out. */
typedef uint64_t work_fn(struct bytes block);

static volatile uint64_t sink;

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds a call, the best of RUNS. */
static double measure(work_fn *work, struct bytes block)
{
    size_t calls = RUN_BYTES / (block.len + 64) + 1;
    double best = 1e18;
    for (int run = 0; run < RUNS; run++) {
        double begin = cpu_ns();
        for (size_t i = 0; i < calls; i++)
            sink += work(block);
        double ns = (cpu_ns() - begin) / (double)calls;
        if (ns < best)
            best = ns;
    }
    return best;
}

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

static uint64_t mask_best(struct bytes b)
{
    ws_mask(b.ptr, b.len, mask, sink & 3);
    return (uint8_t)b.ptr[0];
}

static uint64_t mask_plain(struct bytes b)
{
    ws_mask_plain(b.ptr, b.len, mask, sink & 3);
    return (uint8_t)b.ptr[0];
}

static uint64_t utf8_best(struct bytes b)
{
    return utf8_valid(slice_from_bytes(b));
}

static uint64_t utf8_plain(struct bytes b)
{
    return utf8_valid_plain(slice_from_bytes(b));
}

static uint64_t json_best(struct bytes b)
{
    return json_valid(slice_from_bytes(b), JSON_DEPTH_MAX);
}

static uint64_t json_plain(struct bytes b)
{
    return json_oracle(slice_from_bytes(b), JSON_DEPTH_MAX) &&
           utf8_valid_plain(slice_from_bytes(b));
}

static uint64_t quote(struct bytes b)
{
    static char out[6 * (BLOCK_MAX + 4096) + 2];
    return json_quote(slice_from_bytes(b), out);
}

static uint64_t unquote(struct bytes b)
{
    static char out[BLOCK_MAX + 4096];
    size_t len = 0;
    return json_unquote(slice_from_bytes(b), out, &len) ? len : 0;
}

static uint64_t head_parse(struct bytes b)
{
    static struct http_head head;
    return http_head_parse(slice_from_bytes(b), 0, &head) == PARSE_OK ? head.header_count : 0;
}

static uint64_t chunked_parse(struct bytes b)
{
    struct http_chunked c;
    struct slice in = slice_from_bytes(b), data;
    uint64_t len = 0;
    http_chunked_init(&c);
    for (size_t used; in.len; in = slice_skip(in, used)) {
        if (http_chunked_next(&c, in, &used, &data) != PARSE_MORE)
            return len;
        len += data.len;
    }
    return len;
}

static uint64_t frame_parse(struct bytes b)
{
    struct ws_head head;
    return ws_head_parse(slice_from_bytes(b), &head) == PARSE_OK ? head.length : 0;
}

static uint64_t message_parse(struct bytes b)
{
    struct message m;
    return message_parse_text(slice_from_bytes(b), &m) == PARSE_OK ? m.body.len : 0;
}

static uint64_t line_parse(struct bytes b)
{
    struct message m;
    size_t used = 0, want = 0;
    return message_parse_line(slice_from_bytes(b), 0, BLOCK_MAX, &used, &want, &m) == PARSE_OK
               ? used
               : 0;
}

/* `lead`, `body` repeated with commas between up to about `len` bytes, `tail`. */
struct input {
    const char *lead, *body, *comma, *tail;
    size_t len;
};

static struct bytes fill(struct input in)
{
    static char block[BLOCK_MAX + 4096];
    char *end = stpcpy(block, in.lead);
    for (bool first = true; first || (size_t)(end - block) + strlen(in.body) < in.len;
         first = false) {
        if (!first)
            end = stpcpy(end, in.comma);
        end = stpcpy(end, in.body);
    }
    end = stpcpy(end, in.tail);
    return (struct bytes){block, (size_t)(end - block)};
}

#define TEXT(body, size)                                                                           \
    {                                                                                              \
        "", (body), "", "", (size)                                                                 \
    }
#define LIST(body, size)                                                                           \
    {                                                                                              \
        "[", (body), ",", "]", (size)                                                              \
    }
#define EVENT(body, size)                                                                          \
    {                                                                                              \
        "name ", (body), "", "", (size)                                                            \
    }

static const char ascii[] = "The quick brown fox jumps over the lazy dog. ";
static const char norwegian[] =
    "Vår sære Zulu fra badeøya spilte jo whist og quickstep i min taxi. ";
static const char japanese[] = "いろはにほへとちりぬるをわかよたれそつねならむ。";
static const char object[] = "{\"id\":123,\"name\":\"Frode "
                             "Børli\",\"address\":\"Norway\",\"tags\":[\"a\",\"bc\"],\"ok\":true}";
static const char numbers[] = "{\"x\":12.5,\"y\":-3,\"t\":1700000000}";
static const char sentence[] = "\"The quick brown fox jumps over the lazy dog, \\\"again\\\".\\n\"";

static const struct row {
    const char *name;
    struct input input;
    work_fn *best, *plain;
} rows[] = {
    {"mask 20 B", TEXT("01234567890123456789", 20), mask_best, mask_plain},
    {"mask 125 B", TEXT("x", 125), mask_best, mask_plain},
    {"mask 1 KiB", TEXT("x", 1024), mask_best, mask_plain},
    {"mask 16 KiB", TEXT("x", 16384), mask_best, mask_plain},
    {"mask 1 MiB", TEXT("x", BLOCK_MAX), mask_best, mask_plain},
    {"utf8 20 B ASCII", TEXT("01234567890123456789", 20), utf8_best, utf8_plain},
    {"utf8 1 KiB ASCII", TEXT(ascii, 1024), utf8_best, utf8_plain},
    {"utf8 1 KiB Norwegian", TEXT(norwegian, 1024), utf8_best, utf8_plain},
    {"utf8 1 KiB Japanese", TEXT(japanese, 1024), utf8_best, utf8_plain},
    {"utf8 64 KiB ASCII", TEXT(ascii, 65536), utf8_best, utf8_plain},
    {"utf8 64 KiB Japanese", TEXT(japanese, 65536), utf8_best, utf8_plain},
    {"json one object", TEXT(object, 1), json_best, json_plain},
    {"json 16 KiB of objects", LIST(object, 16384), json_best, json_plain},
    {"json 16 KiB of numbers", LIST(numbers, 16384), json_best, json_plain},
    {"json 16 KiB of sentences", LIST(sentence, 16384), json_best, json_plain},
    {"json 16 KiB string", {"\"", ascii, "", "\"", 16384}, json_best, json_plain},
    {"json quote 16 KiB", TEXT(norwegian, 16384), quote, NULL},
    {"json unquote 16 KiB", {"\"", norwegian, "", "\"", 16384}, unquote, NULL},
    {"head short", TEXT(HEAD_SHORT, 1), head_parse, NULL},
    {"head of a browser", TEXT(HEAD_BROWSER, 1), head_parse, NULL},
    {"chunked 16 B chunks",
     {"", "10\r\n0123456789abcdef\r\n", "", "0\r\n\r\n", 16384},
     chunked_parse,
     NULL},
    {"frame head",
     TEXT("\x81\xfe\x01\x01"
          "mask",
          1),
     frame_parse, NULL},
    {"message event", EVENT(object, 1), message_parse, NULL},
    {"line event", {"name ", object, "", "\n", 1}, line_parse, NULL},
};

static void print_row(const struct row *row)
{
    struct bytes block = fill(row->input);
    double best = measure(row->best, block), size = (double)block.len;
    printf("%-26s %8zu B %10.1f ns %8.4f ns/B %7.2f GB/s", row->name, block.len, best, best / size,
           size / best);
    if (row->plain) {
        double plain = measure(row->plain, block);
        printf("   plain %8.4f ns/B, %5.1f times", plain / size, plain / best);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (argc < 2 || strncmp(rows[i].name, argv[1], strlen(argv[1])) == 0)
            print_row(&rows[i]);
    return 0;
}
