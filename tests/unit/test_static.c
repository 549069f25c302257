/* SPDX-License-Identifier: MIT */
/* Files as answers: types, tags, conditions, ranges, and files that change meanwhile. */
#include "http_harness.h"

#include <ftw.h>
#include <sys/stat.h>

static char root[64];
static char big[1 << 20];

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *bytes, size_t len)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static int begin(void **state)
{
    http_begin(state);
    strcpy(root, "/tmp/httpsocket-static-XXXXXX");
    assert_non_null(mkdtemp(root));
    put("digits.txt", "0123456789", 10);
    put("empty.txt", "", 0);
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 31 + i / 251);
    put("big.bin", big, sizeof(big));
    struct timespec then[2] = {{1000000000, 5}, {1000000000, 5}};
    assert_int_equal(utimensat(AT_FDCWD, path_of("digits.txt"), then, 0), 0);
    site = site_new(root);
    handle = handle_static;
    return 0;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
    (void)stat;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int finish(void **state)
{
    site_free(site);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return http_finish(state);
}

#define static_test(f) cmocka_unit_test_setup_teardown(f, begin, finish)

static const char *get(struct client *c, const char *method, const char *path, const char *fields)
{
    char request[2048];
    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, path, fields);
    return say(c, request);
}

static char *header_of(const char *text, const char *name)
{
    static char value[256];
    char line[64];
    snprintf(line, sizeof(line), "\r\n%s: ", name);
    const char *at = strstr(text, line);
    assert_non_null(at);
    at += strlen(line);
    snprintf(value, sizeof(value), "%.*s", (int)(strstr(at, "\r\n") - at), at);
    return value;
}

static void a_file_is_sent_with_all_that_is_known_of_it(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = get(c, "GET", "/digits.txt", "");
    assert_status(text, 200);
    assert_has(text, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
    assert_has(text, "\r\nLast-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n");
    assert_has(text, "\r\nETag: \"de0b6b3a7640005-a-");
    assert_has(text, "\r\nAccept-Ranges: bytes\r\n");
    assert_has(text, "\r\nX-Content-Type-Options: nosniff\r\n");
    assert_has(text, "\r\nContent-Length: 10\r\n");
    assert_string_equal(body_of(text), "0123456789");
    text = get(c, "GET", "/empty.txt", "");
    assert_has(text, "\r\nContent-Length: 0\r\n");
    assert_string_equal(body_of(text), "");
    client_free(c);
}

static void a_small_file_leaves_in_one_send(void **state)
{
    (void)state;
    struct client *c = client_new();
    uint64_t before = loop_counts(loop)->sends;
    get(c, "GET", "/digits.txt", "");
    assert_int_equal(loop_counts(loop)->sends - before, 1);
    client_free(c);
}

static void head_and_options_have_no_body(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = get(c, "HEAD", "/big.bin", "Range: bytes=0-1\r\n");
    assert_status(text, 200); /* Range is for GET */
    assert_has(text, "\r\nContent-Length: 1048576\r\n");
    assert_string_equal(body_of(text), "");
    text = get(c, "OPTIONS", "/big.bin", "");
    assert_status(text, 204);
    assert_string_equal(header_of(text, "Allow"), "GET, HEAD, OPTIONS");
    text = get(c, "DELETE", "/big.bin", "");
    assert_status(text, 405);
    assert_string_equal(header_of(text, "Allow"), "GET, HEAD, OPTIONS");
    assert_status(get(c, "GET", "/digits.txt", ""), 200);
    client_free(c);
}

static void what_the_client_has_is_not_sent_again(void **state)
{
    (void)state;
    struct client *c = client_new();
    char fields[300];
    snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n",
             header_of(get(c, "GET", "/digits.txt", ""), "ETag"));
    const char *text = get(c, "GET", "/digits.txt", fields);
    assert_status(text, 304);
    assert_has(text, "\r\nETag: ");
    assert_has_not(text, "Content-Length");
    assert_has_not(text, "Content-Type");
    assert_string_equal(body_of(text), "");
    put("digits.txt", "9876543210", 10); /* the same length, another time */
    assert_status(get(c, "GET", "/digits.txt", fields), 200);
    assert_status(get(c, "GET", "/digits.txt", "If-Match: \"x\"\r\n"), 412);
    client_free(c);
}

static void one_range_is_206(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = get(c, "GET", "/digits.txt", "Range: bytes=2-4\r\n");
    assert_status(text, 206);
    assert_string_equal(header_of(text, "Content-Range"), "bytes 2-4/10");
    assert_string_equal(header_of(text, "Content-Length"), "3");
    assert_string_equal(body_of(text), "234");
    text = get(c, "GET", "/big.bin", "Range: bytes=-100000\r\n");
    assert_status(text, 206);
    assert_string_equal(header_of(text, "Content-Range"), "bytes 948576-1048575/1048576");
    assert_memory_equal(body_of(text), big + 948576, 100000);
    assert_int_equal(c->len, (size_t)(body_of(text) - text) + 100000);
    client_free(c);
}

static void no_range_inside_is_416(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = get(c, "GET", "/digits.txt", "Range: bytes=10-\r\n");
    assert_status(text, 416);
    assert_string_equal(header_of(text, "Content-Range"), "bytes */10");
    assert_status(get(c, "GET", "/digits.txt", "Range: bytes=10-\r\nIf-Range: \"x\"\r\n"), 200);
    assert_status(get(c, "GET", "/digits.txt", "Range: bytes=1-1\r\nRange: bytes=2-2\r\n"), 200);
    client_free(c);
}

static void several_ranges_are_multipart(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = get(c, "GET", "/digits.txt", "Range: bytes=0-1, 5-6, -1\r\n");
    assert_status(text, 206);
    char *type = header_of(text, "Content-Type");
    assert_int_equal(strncmp(type, "multipart/byteranges; boundary=", 31), 0);
    char boundary[64], expected[1024];
    strcpy(boundary, type + 31);
    static const char part[] = "\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                               "Content-Range: bytes %s/10\r\n\r\n%s";
    char *at = expected;
    at += sprintf(at, part, boundary, "0-1", "01");
    at += sprintf(at, part, boundary, "5-6", "56");
    at += sprintf(at, part, boundary, "9-9", "9");
    at += sprintf(at, "\r\n--%s--\r\n", boundary);
    assert_string_equal(body_of(text), expected);
    assert_int_equal(atoi(header_of(text, "Content-Length")), at - expected);
    assert_status(get(c, "GET", "/digits.txt", ""), 200); /* the length was right */
    client_free(c);
}

static void a_large_file_arrives_whole(void **state)
{
    (void)state;
    struct client *c = client_new();
    const char *text = get(c, "GET", "/big.bin", "");
    assert_status(text, 200);
    assert_int_equal(c->len, (size_t)(body_of(text) - text) + sizeof(big));
    assert_memory_equal(body_of(text), big, sizeof(big));
    text = get(c, "GET", "/digits.txt", "");
    assert_string_equal(body_of(text), "0123456789");
    client_free(c);
}

/* The client sees that something is missing, and nothing that belongs to another answer. */
static void a_file_that_shrinks_while_it_is_sent_ends_the_connection(void **state)
{
    (void)state;
    struct client *c = client_new();
    client_send(c, SLICE_LITERAL("GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "GET /digits.txt HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(truncate(path_of("big.bin"), 300000), 0);
    client_read(c);
    assert_true(c->eof || c->error == ECONNRESET);
    size_t head = (size_t)(body_of(c->text) - c->text);
    assert_in_range(c->len - head, 1, sizeof(big) - 1);
    assert_memory_equal(body_of(c->text), big, c->len - head);
    assert_int_equal(server.counts.connections_now, 0);
    client_free(c);
}

static void an_aborted_download_leaves_nothing_open(void **state)
{
    (void)state;
    int before = count_descriptors();
    for (int i = 0; i < 20; i++) {
        struct client *c = client_new();
        client_send(c, SLICE_LITERAL("GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n"));
        client_free(c);
    }
    turn_while_busy();
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(server.counts.connections_now, 0);
}

static void handle_bytes(struct exchange *x)
{
    seen.x = NULL;
    static_answer_bytes(
        x, &(struct static_bytes){
               .variants =
                   {
                       [ENCODING_IDENTITY] = {SLICE_LITERAL("var x;"), SLICE_LITERAL("\"v1\"")},
                       [ENCODING_GZIP] = {SLICE_LITERAL("(gz)"), SLICE_LITERAL("\"v1-gzip\"")},
                   },
               .type = SLICE_LITERAL("text/javascript; charset=utf-8"),
           });
}

static void bytes_are_served_with_conditions(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_bytes;
    const char *text = get(c, "GET", "/client.js", "Range: bytes=0-0\r\n");
    assert_status(text, 200);
    assert_has(text, "\r\nETag: \"v1\"\r\n");
    assert_has(text, "\r\nCache-Control: no-cache\r\n");
    assert_string_equal(body_of(text), "var x;");
    assert_status(get(c, "GET", "/client.js", "If-None-Match: \"v1\"\r\n"), 304);
    assert_status(get(c, "HEAD", "/client.js", ""), 200);
    assert_status(get(c, "POST", "/client.js", ""), 405);
    client_free(c);
}

static void bytes_are_served_by_gzip_to_who_takes_it(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool gzip;
    } rows[] = {
        {"gzip", true},
        {"GZIP", true},
        {"br, gzip;q=0.5", true},
        {"deflate , gzip ; q=1", true},
        {"br\r\nAccept-Encoding: gzip", true},
        {"gzip;q=0", false},
        {"gzip; Q=0.000", false},
        {"identity", false},
        {"*", false},
        {"gzipped", false},
        {"", false},
    };
    struct client *c = client_new();
    handle = handle_bytes;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char header[96];
        snprintf(header, sizeof(header), "Accept-Encoding: %s\r\n", rows[i].accept);
        const char *text = get(c, "GET", "/client.js", header);
        assert_has(text, "\r\nVary: Accept-Encoding\r\n");
        if (!strstr(text, "\r\nContent-Encoding: gzip\r\n") == rows[i].gzip)
            fail_msg("%s", rows[i].accept);
        assert_string_equal(body_of(text), rows[i].gzip ? "(gz)" : "var x;");
    }
    const char *match = "Accept-Encoding: gzip\r\nIf-None-Match: \"v1-gzip\"\r\n";
    assert_status(get(c, "GET", "/client.js", match), 304);
    client_free(c);
}

/* `names` has a letter for each coding that there is: i, g, b. */
static void the_best_coding_that_the_client_takes_is_chosen(void **state)
{
    (void)state;
    static const struct {
        const char *accept, *names;
        enum encoding chosen;
    } rows[] = {
        {"gzip, br", "igb", ENCODING_BROTLI},
        {"br, gzip", "ig", ENCODING_GZIP},
        {"gzip;q=1, br;q=0.9", "igb", ENCODING_GZIP},
        {"gzip;q=0.001, br;q=0.002", "igb", ENCODING_BROTLI},
        {"x-gzip", "igb", ENCODING_GZIP},
        {"identity, gzip;q=0.5", "ig", ENCODING_IDENTITY},
        {"identity;q=0.5, gzip;q=0.5", "ig", ENCODING_GZIP},
        {"gzip;q=0.1", "ig", ENCODING_GZIP},       /* rather than none, which is not named */
        {"identity;q=0", "ig", ENCODING_IDENTITY}, /* there is nothing better */
        {"identity;q=0, *", "igb", ENCODING_BROTLI},
        {"identity;q=0, *;q=0.5, br;q=0", "igb", ENCODING_GZIP},
        {"*;q=0, gzip", "igb", ENCODING_GZIP},
        {"*;q=0", "igb", ENCODING_IDENTITY},
        {"identity, *;q=0", "igb", ENCODING_IDENTITY},
        {"br;q=0, gzip;q=0", "igb", ENCODING_IDENTITY},
        {"br;q=", "igb", ENCODING_IDENTITY},
        {"br;q=1.001", "igb", ENCODING_IDENTITY},
        {"br;q=0.5555", "igb", ENCODING_IDENTITY},
        {"br;q=yes, gzip;x=1; q=0.1", "igb", ENCODING_GZIP},
        {"br;q=0, br", "igb", ENCODING_IDENTITY}, /* the first counts */
        {"", "igb", ENCODING_IDENTITY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct http_head head = {.header_count = 1};
        head.headers[0] =
            (struct http_header){SLICE_LITERAL("Accept-Encoding"), slice_of(rows[i].accept)};
        unsigned offered = (strchr(rows[i].names, 'g') ? 1u << ENCODING_GZIP : 0) |
                           (strchr(rows[i].names, 'b') ? 1u << ENCODING_BROTLI : 0);
        if (encoding_choose(&head, offered) != rows[i].chosen)
            fail_msg("%s of %s", rows[i].accept, rows[i].names);
    }
}

static void handle_redirect(struct exchange *x)
{
    seen.x = NULL;
    static_redirect_to_folder(x);
}

static void a_redirect_never_names_another_host(void **state)
{
    (void)state;
    struct client *c = client_new();
    handle = handle_redirect;
    static const char *const cases[][2] = {
        {"/sub", "./sub/"},
        {"/sub?a=b&c", "./sub/?a=b&c"},
        {"//evil.example", "./evil.example/"},
        {"//evil.example/../sub", "./sub/"},
        {"///evil.example/a/..//sub", "./sub/"},
        {"/%0d%0aX-Evil:1", "./%0D%0AX-Evil:1/"},
        {"/a%20b%3fc%23d%25", "./a%20b%3Fc%23d%25/"},
        {"/\xc3\xa9", "./%C3%A9/"},
        {"/a/b:c", "./b:c/"}, /* no scheme */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *text = get(c, "GET", cases[i][0], "");
        if (!has_status(text, 301))
            continue; /* the parser may refuse raw bytes */
        assert_string_equal(header_of(text, "Location"), cases[i][1]);
        assert_has_not(text, "\r\nX-Evil");
    }
    assert_true(server.counts.status[3] >= 7);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        static_test(a_file_is_sent_with_all_that_is_known_of_it),
        static_test(a_small_file_leaves_in_one_send),
        static_test(head_and_options_have_no_body),
        static_test(what_the_client_has_is_not_sent_again),
        static_test(one_range_is_206),
        static_test(no_range_inside_is_416),
        static_test(several_ranges_are_multipart),
        static_test(a_large_file_arrives_whole),
        static_test(a_file_that_shrinks_while_it_is_sent_ends_the_connection),
        static_test(an_aborted_download_leaves_nothing_open),
        static_test(bytes_are_served_with_conditions),
        static_test(the_best_coding_that_the_client_takes_is_chosen),
        static_test(bytes_are_served_by_gzip_to_who_takes_it),
        static_test(a_redirect_never_names_another_host),
    };
    return run_on_every_backend("static", tests);
}
