/* SPDX-License-Identifier: MIT */
/* What is TLS's own: versions, names, certificates, tickets, and peers that get it wrong.
 *
 * The other side is OpenSSL with memory BIOs (struct raw), so that it can do what our streams never
 * would.
 */
#include "net_certificate.h"
#include "net_peer.h"

#include "net/tls.h"
#include "net/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static char dir[40], cert[80], key[80];
static struct tls_context *context;
static SSL_CTX *raw_context;

struct raw {
    struct peer wire; /* ciphertext, over a plain stream */
    SSL *ssl;
    char text[1000];
    size_t len;
    bool failed;
};

struct fixture {
    struct peer server;
    struct raw raw;
};

/* ---- the raw client ---- */

static void raw_flush(struct raw *r)
{
    char *data;
    BIO *out = SSL_get_wbio(r->ssl);
    long len = BIO_get_mem_data(out, &data);
    if (len > 0)
        stream_write_slice(r->wire.stream, slice_make(data, (size_t)len));
    BIO_reset(out);
}

static void raw_step(struct peer *wire)
{
    struct raw *r = container_of(wire, struct raw, wire);
    BIO_write(SSL_get_rbio(r->ssl), wire->data, (int)wire->len);
    wire->len = 0;
    for (;;) {
        int n = SSL_read(r->ssl, r->text + r->len, (int)(sizeof(r->text) - r->len));
        if (n <= 0) {
            r->failed |= SSL_get_error(r->ssl, n) == SSL_ERROR_SSL;
            break;
        }
        r->len += (size_t)n;
    }
    ERR_clear_error();
    raw_flush(r);
}

static void raw_begin(struct raw *r, struct stream *s)
{
    r->ssl = SSL_new(raw_context);
    SSL_set_bio(r->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(r->ssl);
    peer_own(&r->wire, s);
    r->wire.hook = raw_step;
}

static void raw_say(struct raw *r, const char *text)
{
    assert_int_equal(SSL_write(r->ssl, text, (int)strlen(text)), (int)strlen(text));
    raw_flush(r);
}

static void raw_shake_hands(struct raw *r)
{
    SSL_do_handshake(r->ssl);
    raw_flush(r);
    wait_for(SSL_is_init_finished(r->ssl) || r->failed || r->wire.ends);
}

static bool raw_got(const struct raw *r, const char *text)
{
    return r->len == strlen(text) && memcmp(r->text, text, r->len) == 0;
}

static void raw_done(struct raw *r)
{
    peer_done(&r->wire);
    SSL_free(r->ssl);
    *r = (struct raw){.len = 0};
}

/* ---- around each test ---- */

static void meet(struct fixture *f)
{
    int fds[2];
    make_pair(fds);
    f->server.echo = true;
    peer_own(&f->server, stream_new(loop, fds[0], context));
    raw_begin(&f->raw, stream_new(loop, fds[1], NULL));
}

static void part(struct fixture *f)
{
    raw_done(&f->raw);
    peer_done(&f->server);
}

static int begin(void **state)
{
    char why[200];
    strcpy(dir, "/tmp/tls-XXXXXX");
    if (net_begin(state) < 0 || !mkdtemp(dir))
        return -1;
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    make_certificate(cert, key, "DNS:a.example,IP:192.0.2.1", 1);
    context = tls_context_new(cert, key, why, sizeof(why));
    raw_context = SSL_CTX_new(TLS_client_method());
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    if (!context)
        return -1;
    meet(f);
    return 0;
}

static int finish(void **state)
{
    part(*state);
    free(*state);
    tls_context_unref(context);
    SSL_CTX_free(raw_context);
    unlink(cert);
    unlink(key);
    rmdir(dir);
    return net_finish(state);
}

/* ---- what is spoken ---- */

static void check_refused(struct fixture *f)
{
    raw_shake_hands(&f->raw);
    wait_for(f->server.ends);
    assert_int_equal(f->server.end, -EPROTO);
    assert_non_null(stream_tls_error(f->server.stream));
    wait_for(f->raw.failed); /* it was told by an alert */
}

static void check_accepted(struct fixture *f)
{
    raw_shake_hands(&f->raw);
    assert_false(f->raw.failed);
    raw_say(&f->raw, "hello");
    wait_for(raw_got(&f->raw, "hello"));
}

static void versions_before_1_2_are_refused(void **state)
{
    struct fixture *f = *state;
    SSL_set_min_proto_version(f->raw.ssl, TLS1_VERSION);
    SSL_set_max_proto_version(f->raw.ssl, TLS1_1_VERSION);
    SSL_set_security_level(f->raw.ssl, 0);
    check_refused(f);
}

static void versions_1_2_and_1_3_are_spoken(void **state)
{
    struct fixture *f = *state;
    check_accepted(f);
    assert_int_equal(SSL_version(f->raw.ssl), TLS1_3_VERSION);
    part(f);
    meet(f);
    SSL_set_max_proto_version(f->raw.ssl, TLS1_2_VERSION);
    check_accepted(f);
    assert_int_equal(SSL_version(f->raw.ssl), TLS1_2_VERSION);
}

static void ciphers_without_authentication_of_their_data_are_refused(void **state)
{
    struct fixture *f = *state;
    SSL_set_max_proto_version(f->raw.ssl, TLS1_2_VERSION);
    assert_int_equal(SSL_set_cipher_list(f->raw.ssl, "ECDHE-ECDSA-AES128-SHA256"), 1);
    check_refused(f);
}

static void http_1_1_is_chosen_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    const unsigned char *chosen;
    unsigned len;
    SSL_set_alpn_protos(f->raw.ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    check_accepted(f);
    SSL_get0_alpn_selected(f->raw.ssl, &chosen, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(chosen, "http/1.1", 8);
    part(f);
    meet(f);
    SSL_set_alpn_protos(f->raw.ssl, (const unsigned char *)"\x02h2", 3);
    check_refused(f);
}

static void a_ticket_saves_the_second_handshake(void **state)
{
    struct fixture *f = *state;
    check_accepted(f);
    assert_false(SSL_session_reused(f->raw.ssl));
    SSL_SESSION *session = SSL_get1_session(f->raw.ssl);
    SSL_shutdown(f->raw.ssl); /* or OpenSSL holds that it can't be resumed */
    part(f);
    meet(f);
    SSL_set_session(f->raw.ssl, session);
    check_accepted(f);
    assert_true(SSL_session_reused(f->raw.ssl));
    SSL_SESSION_free(session);
}

static void keys_may_be_updated(void **state)
{
    struct fixture *f = *state;
    check_accepted(f);
    SSL_key_update(f->raw.ssl, SSL_KEY_UPDATE_REQUESTED);
    raw_say(&f->raw, " again");
    wait_for(raw_got(&f->raw, "hello again"));
    raw_say(&f->raw, "!");
    wait_for(raw_got(&f->raw, "hello again!"));
}

static void update_keys(struct raw *r, int times)
{
    for (int i = 0; i < times; i++) {
        SSL_key_update(r->ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(r->ssl);
    }
    raw_flush(r);
}

static void keys_may_be_updated_as_long_as_data_comes_between(void **state)
{
    struct fixture *f = *state;
    static char data[TLS_RECORD_MAX];
    check_accepted(f);
    f->server.echo = false;
    for (int i = 0; i < 3 * TLS_ASIDES_MAX; i++) {
        size_t had = f->server.len;
        update_keys(&f->raw, 1);
        for (int n = 0; n < TLS_ASIDE_DATA / TLS_RECORD_MAX; n++)
            SSL_write(f->raw.ssl, data, sizeof(data));
        raw_flush(&f->raw);
        wait_for(f->server.ends || f->server.len == had + TLS_ASIDE_DATA);
        assert_int_equal(f->server.ends, 0);
    }
}

static void a_flood_of_key_updates_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    check_accepted(f);
    update_keys(&f->raw, TLS_ASIDES_MAX);
    raw_say(&f->raw, "!");
    wait_for(raw_got(&f->raw, "hello!"));
    update_keys(&f->raw, 40000);
    wait_for(f->server.ends);
    assert_int_equal(f->server.end, -EPROTO);
    assert_non_null(strstr(stream_tls_error(f->server.stream), "handshake messages"));
}

/* Who pays for what a stream holds lets it go beyond its share. */
static void answers_to_key_updates_that_nobody_reads_count_as_held(void **state)
{
    struct fixture *f = *state;
    static char data[TLS_RECORD_MAX];
    check_accepted(f);
    size_t begun = stream_held(f->server.stream);
    assert_in_range(begun, 8192, 32768); /* the SSL itself */
    stream_pause(f->raw.wire.stream);
    for (int i = 0; i < 64; i++)
        SSL_write(f->raw.ssl, data, sizeof(data));
    raw_flush(&f->raw);
    wait_for(f->server.len == strlen("hello") + 64 * sizeof(data));
    size_t echoed = stream_queued(f->server.stream);
    assert_true(stream_held(f->server.stream) > 65536);
    update_keys(&f->raw, TLS_ASIDES_MAX);
    wait_for(stream_queued(f->server.stream) > echoed + TLS_ASIDES_MAX * 20);
    assert_true(stream_held(f->server.stream) >= stream_queued(f->server.stream));
}

static void renegotiation_is_refused(void **state)
{
    struct fixture *f = *state;
    SSL_set_max_proto_version(f->raw.ssl, TLS1_2_VERSION);
    check_accepted(f);
    SSL_renegotiate(f->raw.ssl);
    SSL_do_handshake(f->raw.ssl);
    raw_flush(&f->raw);
    wait_for(f->raw.failed);
}

/* ---- peers that get it wrong ---- */

static void what_is_not_tls_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct slice rows[] = {
        SLICE_LITERAL("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        SLICE_LITERAL("\x80\x2e\x01\x00\x02 an SSL 2 greeting, more or less, filled up to its end"),
        SLICE_LITERAL("\x16\x03\x01\xff\xff a record longer than allowed"),
        SLICE_LITERAL("\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00"),
        SLICE_LITERAL("\x17\x03\x03\x00\x05hello"),
        SLICE_LITERAL("\x16\x03\x01\x00\x04\x01\xff\xff\xff"),
        SLICE_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0"),
    };
    int alerts = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        part(f);
        meet(f);
        f->raw.wire.hook = NULL;
        stream_write_slice(f->raw.wire.stream, rows[i]);
        wait_for(f->server.ends);
        assert_int_equal(f->server.end, -EPROTO);
        assert_int_equal(f->server.len, 0);
        assert_non_null(stream_tls_error(f->server.stream));
        stream_close(f->server.stream);
        f->server.stream = NULL;
        wait_for(f->raw.wire.ends);
        alerts += f->raw.wire.len > 0 && f->raw.wire.data[0] == 21;
    }
    assert_true(alerts >= 4); /* OpenSSL sends none to what is plain HTTP or SSL 2 */
}

static void random_bytes_never_get_through(void **state)
{
    struct fixture *f = *state;
    for (unsigned seed = 1; seed <= 100; seed++) {
        part(f);
        meet(f);
        f->raw.wire.hook = NULL;
        char *noise = make_noise(2000, seed);
        if (seed % 2) /* as far as the head of a handshake record */
            memcpy(noise, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
        stream_write_slice(f->raw.wire.stream, slice_make(noise, 2000));
        stream_shutdown(f->raw.wire.stream);
        wait_for(f->server.ends);
        assert_true(f->server.end == -EPROTO || f->server.end == -ECONNRESET);
        assert_int_equal(f->server.len, 0);
        free(noise);
    }
}

static void a_peer_may_vanish_in_the_middle_of_the_handshake(void **state)
{
    struct fixture *f = *state;
    SSL_do_handshake(f->raw.ssl);
    char *hello;
    long len = BIO_get_mem_data(SSL_get_wbio(f->raw.ssl), &hello);
    stream_write_slice(f->raw.wire.stream, slice_make(hello, (size_t)len / 2));
    stream_finish(f->raw.wire.stream, 100);
    f->raw.wire.stream = NULL;
    wait_for(f->server.ends);
    assert_int_equal(f->server.end, -ECONNRESET);
}

static void half_a_client_hello_costs_its_own_bytes(void **state)
{
    struct fixture *f = *state;
    SSL_do_handshake(f->raw.ssl);
    char *hello;
    size_t len = (size_t)BIO_get_mem_data(SSL_get_wbio(f->raw.ssl), &hello);
    const struct tls *tls = f->server.stream->tls;
    stream_write_slice(f->raw.wire.stream, slice_make(hello, len - 1));
    wait_for(tls->hello_len == len - 1);
    assert_null(tls->ssl);

    stream_write_slice(f->raw.wire.stream, slice_make(hello + len - 1, 1));
    wait_for(tls->ssl);
    assert_null(tls->hello);
}

static void an_end_without_close_notify_is_an_error(void **state)
{
    struct fixture *f = *state;
    check_accepted(f);
    f->server.echo = false;
    stream_shutdown(f->raw.wire.stream);
    wait_for(f->server.ends);
    assert_int_equal(f->server.end, -ECONNRESET);
}

static void the_alert_arrives_although_the_owner_closes_at_once(void **state)
{
    struct fixture *f = *state;
    f->server.close_at_end = true;
    f->raw.wire.hook = NULL;
    peer_say(&f->raw.wire, "\x17\x03\x03");
    stream_write_slice(f->raw.wire.stream, SLICE_LITERAL("\0\5hello"));
    wait_for(f->raw.wire.ends);
    assert_int_equal(f->server.end, -EPROTO);
    assert_int_equal(f->raw.wire.len, 7);
    assert_int_equal(f->raw.wire.data[0], 21);
}

static void a_damaged_record_ends_the_stream_after_the_good_ones(void **state)
{
    struct fixture *f = *state;
    check_accepted(f);
    f->server.len = 0;
    SSL_write(f->raw.ssl, "good", 4);
    SSL_write(f->raw.ssl, "damaged", 7);
    char *data;
    long len = BIO_get_mem_data(SSL_get_wbio(f->raw.ssl), &data);
    data[len - 1] ^= 1;
    raw_flush(&f->raw);
    wait_for(f->server.ends);
    assert_int_equal(f->server.end, -EPROTO);
    assert_true(peer_got(&f->server, "good"));
    peer_say(&f->server, "ignored");
    stream_shutdown(f->server.stream);
    wait_for(f->raw.failed);
}

static void what_follows_close_notify_is_ignored(void **state)
{
    struct fixture *f = *state;
    f->server.echo = false;
    raw_shake_hands(&f->raw);
    SSL_write(f->raw.ssl, "last", 4);
    SSL_shutdown(f->raw.ssl);
    raw_flush(&f->raw);
    peer_say(&f->raw.wire, "not even a record");
    stream_shutdown(f->raw.wire.stream);
    wait_for(f->server.ends);
    for (int i = 0; i < 5; i++)
        loop_turn(loop, 0);
    assert_int_equal(f->server.ends, 1);
    assert_int_equal(f->server.end, 0);
    assert_true(peer_got(&f->server, "last"));
    peer_say(&f->server, "goodbye");
    stream_finish(f->server.stream, 1000);
    f->server.stream = NULL;
    wait_for(raw_got(&f->raw, "goodbye") && f->raw.wire.ends);
    assert_int_equal(SSL_get_shutdown(f->raw.ssl), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

/* Every byte is a receive of its own: each split of handshake and records at once. */
static void bytes_may_come_one_at_a_time(void **state)
{
    struct fixture *f = *state;
    SSL_do_handshake(f->raw.ssl);
    for (int round = 0; round < 3; round++) {
        char *data, copy[4000];
        BIO *out = SSL_get_wbio(f->raw.ssl);
        f->raw.wire.hook = NULL;
        long len = BIO_get_mem_data(out, &data);
        assert_in_range(len, 1, sizeof(copy));
        memcpy(copy, data, (size_t)len);
        BIO_reset(out);
        for (long i = 0; i < len; i++) {
            stream_write_slice(f->raw.wire.stream, slice_make(copy + i, 1));
            loop_turn(loop, 0);
            loop_turn(loop, 0);
        }
        wait_for(f->raw.wire.len > 0);
        BIO_write(SSL_get_rbio(f->raw.ssl), f->raw.wire.data, (int)f->raw.wire.len);
        f->raw.wire.len = 0;
        if (round == 0)
            assert_int_equal(SSL_do_handshake(f->raw.ssl), 1);
        if (round < 2)
            SSL_write(f->raw.ssl, "slowly", 6);
    }
    assert_true(peer_got(&f->server, "slowlyslowly"));
}

/* ---- as client ---- */

static struct tls_context *make_client(const char *ca)
{
    char why[200];
    struct tls_context *c = tls_context_new_client(ca, true, why, sizeof(why));
    assert_non_null(c);
    return c;
}

static void check_host(const char *ca, const char *host, const char *error)
{
    struct tls_context *client = make_client(ca);
    struct peer server = {.echo = true}, p = {0};
    int fds[2];
    make_pair(fds);
    peer_own(&server, stream_new(loop, fds[0], context));
    peer_own(&p, stream_new_client(loop, fds[1], client, host));
    peer_say(&p, "secret");
    if (!error) {
        wait_for(peer_got(&p, "secret"));
    } else {
        wait_for(p.ends && server.ends);
        assert_int_equal(p.end, -EPROTO);
        assert_string_equal(stream_tls_error(p.stream), error);
        assert_int_equal(server.end, -EPROTO);
        assert_int_equal(server.len, 0);
    }
    peer_done(&p);
    peer_done(&server);
    tls_context_unref(client);
}

static void the_server_has_to_be_who_was_asked_for(void **state)
{
    (void)state;
    check_host(cert, "a.example", NULL);
    check_host(cert, "192.0.2.1", NULL);
    check_host(cert, "b.example", "hostname mismatch");
    check_host(cert, "192.0.2.2", "IP address mismatch");
    check_host(NULL, "a.example", "self-signed certificate");
}

/* ---- contexts ---- */

static void what_is_wrong_with_the_files_is_said(void **state)
{
    (void)state;
    char other_cert[80], other_key[80], empty[80], expected[200], why[200];
    snprintf(other_cert, sizeof(other_cert), "%s/other.pem", dir);
    snprintf(other_key, sizeof(other_key), "%s/other-key.pem", dir);
    snprintf(empty, sizeof(empty), "%s/empty", dir);
    make_certificate(other_cert, other_key, "DNS:b.example", 2);
    assert_int_equal(fclose(fopen(empty, "w")), 0);
    const struct {
        const char *cert, *key, *what, *file, *reason;
    } rows[] = {
        {"/no/such/file", key, "certificate", "/no/such/file", "No such file or directory"},
        {empty, key, "certificate", empty, "no start line"},
        {key, key, "certificate", key, "no start line"},
        {cert, "/no/such/file", "key", "/no/such/file", "No such file or directory"},
        {cert, empty, "key", empty, ""},
        {cert, other_key, "key", other_key, "key values mismatch"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        why[0] = 0;
        assert_null(tls_context_new(rows[i].cert, rows[i].key, why, sizeof(why)));
        snprintf(expected, sizeof(expected), "%s %s: %s", rows[i].what, rows[i].file,
                 rows[i].reason);
        assert_memory_equal(why, expected, strlen(expected));
        assert_true(strlen(why) > strlen(rows[i].what) + strlen(rows[i].file) + 3);
        why[0] = 0;
        assert_int_equal(tls_context_reload(context, rows[i].cert, rows[i].key, why, sizeof(why)),
                         -EINVAL);
        assert_memory_equal(why, expected, strlen(expected));
    }
    check_host(cert, "a.example", NULL); /* the old files are still used */
    unlink(other_cert);
    unlink(other_key);
    unlink(empty);
}

static long serial_seen(struct raw *r)
{
    return ASN1_INTEGER_get(X509_get0_serialNumber(SSL_get0_peer_certificate(r->ssl)));
}

static void a_reload_changes_new_connections_only(void **state)
{
    struct fixture *f = *state;
    struct fixture next = {.raw = {.len = 0}};
    check_accepted(f);
    assert_int_equal(serial_seen(&f->raw), 1);
    make_certificate(cert, key, "DNS:a.example", 2);
    char why[200];
    assert_int_equal(tls_context_reload(context, cert, key, why, sizeof(why)), 0);
    meet(&next);
    check_accepted(&next);
    assert_int_equal(serial_seen(&next.raw), 2);
    raw_say(&f->raw, " still here");
    wait_for(raw_got(&f->raw, "hello still here"));
    part(&next);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(versions_before_1_2_are_refused),
        TEST(versions_1_2_and_1_3_are_spoken),
        TEST(ciphers_without_authentication_of_their_data_are_refused),
        TEST(http_1_1_is_chosen_and_nothing_else),
        TEST(a_ticket_saves_the_second_handshake),
        TEST(keys_may_be_updated),
        TEST(keys_may_be_updated_as_long_as_data_comes_between),
        TEST(a_flood_of_key_updates_ends_the_connection),
        TEST(answers_to_key_updates_that_nobody_reads_count_as_held),
        TEST(renegotiation_is_refused),
        TEST(what_is_not_tls_is_refused),
        TEST(random_bytes_never_get_through),
        TEST(a_peer_may_vanish_in_the_middle_of_the_handshake),
        TEST(half_a_client_hello_costs_its_own_bytes),
        TEST(an_end_without_close_notify_is_an_error),
        TEST(the_alert_arrives_although_the_owner_closes_at_once),
        TEST(a_damaged_record_ends_the_stream_after_the_good_ones),
        TEST(what_follows_close_notify_is_ignored),
        TEST(bytes_may_come_one_at_a_time),
        TEST(the_server_has_to_be_who_was_asked_for),
        TEST(what_is_wrong_with_the_files_is_said),
        TEST(a_reload_changes_new_connections_only),
    };
    return run_on_every_backend("tls", tests);
}
