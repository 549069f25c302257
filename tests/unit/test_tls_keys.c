/* SPDX-License-Identifier: MIT */
/* TLS by keys that both sides have, in the place of certificates: who has none gets nowhere. */
#include "net_certificate.h"
#include "net_peer.h"

#include "net/seal.h"
#include "net/tls.h"

#include <errno.h>

static char why[200];

/* A letter for each key. */
static struct seal_keys *keys_of(const char *letters)
{
    struct seal_keys *keys = seal_keys_new();
    for (; *letters; letters++) {
        unsigned char key[SEAL_KEY_SIZE];
        memset(key, *letters, sizeof(key));
        assert_true(seal_keys_add(keys, key));
    }
    return keys;
}

static struct tls_context *context_of(const char *letters)
{
    struct seal_keys *keys = keys_of(letters);
    struct tls_context *context = tls_context_new_keyed(keys, why, sizeof(why));
    seal_keys_unref(keys);
    assert_non_null(context);
    return context;
}

struct fixture {
    struct peer server, client;
};

static void meet(struct fixture *f, struct tls_context *server, struct tls_context *client)
{
    int fds[2];
    make_pair(fds);
    *f = (struct fixture){.server.echo = true};
    peer_own(&f->server, stream_new(loop, fds[0], server));
    peer_own(&f->client, stream_new_client(loop, fds[1], client, "a.example"));
}

static void part(struct fixture *f)
{
    peer_done(&f->server);
    peer_done(&f->client);
}

static void check(const char *server_keys, const char *client_keys, bool accepted)
{
    struct fixture f;
    struct tls_context *server = context_of(server_keys), *client = context_of(client_keys);
    meet(&f, server, client);
    peer_say(&f.client, "hello");
    wait_for(f.client.len || f.client.ends);
    assert_int_equal(peer_got(&f.client, "hello"), accepted);
    if (!accepted) {
        wait_for(f.server.ends);
        assert_int_equal(f.server.len, 0);
        assert_int_equal(f.server.end, -EPROTO);
    }
    part(&f);
    tls_context_unref(server);
    tls_context_unref(client);
}

static void both_have_the_key(void **state)
{
    (void)state;
    check("a", "a", true);
}

static void the_client_has_another_key(void **state)
{
    (void)state;
    check("a", "b", false);
}

static void the_first_key_is_offered_and_all_are_accepted(void **state)
{
    (void)state;
    check("ab", "ba", true);
    check("ab", "bc", true);
    check("ab", "ca", false);
}

/* A server with a certificate and without the key. */
static void a_certificate_is_no_key(void **state)
{
    (void)state;
    struct fixture f;
    char dir[] = "/tmp/tls-keys-XXXXXX", cert[80], key[80];
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    make_certificate(cert, key, "DNS:a.example", 1);
    struct tls_context *server = tls_context_new(cert, key, why, sizeof(why));
    struct tls_context *client = context_of("a");
    meet(&f, server, client);
    peer_say(&f.client, "secret");
    wait_for(f.client.ends);
    assert_int_equal(f.client.end, -EPROTO);
    wait_for(f.server.ends);
    assert_int_equal(f.server.len, 0);
    part(&f);
    tls_context_unref(server);
    tls_context_unref(client);
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

/* A client that trusts any certificate, and has no key. */
static void a_server_with_keys_has_no_certificate(void **state)
{
    (void)state;
    struct fixture f;
    struct tls_context *server = context_of("a");
    struct tls_context *client = tls_context_new_client(NULL, false, why, sizeof(why));
    meet(&f, server, client);
    peer_say(&f.client, "hello");
    wait_for(f.server.ends && f.client.ends);
    assert_int_equal(f.server.len, 0);
    part(&f);
    tls_context_unref(server);
    tls_context_unref(client);
}

static void new_keys_are_for_connections_from_then_on(void **state)
{
    (void)state;
    struct fixture old, f;
    struct tls_context *server = context_of("a"), *client = context_of("a");
    meet(&old, server, client);
    peer_say(&old.client, "hello");
    wait_for(peer_got(&old.client, "hello"));
    struct seal_keys *keys = keys_of("b");
    assert_int_equal(tls_context_use_keys(server, keys, why, sizeof(why)), 0);
    seal_keys_unref(keys);
    meet(&f, server, client);
    wait_for(f.client.ends);
    old.client.len = 0;
    peer_say(&old.client, "again");
    wait_for(peer_got(&old.client, "again"));
    part(&f);
    part(&old);
    tls_context_unref(server);
    tls_context_unref(client);
}

static void no_key_is_no_context(void **state)
{
    (void)state;
    struct seal_keys *keys = seal_keys_new();
    assert_null(tls_context_new_keyed(keys, why, sizeof(why)));
    seal_keys_unref(keys);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, net_begin, net_finish)
    const struct CMUnitTest tests[] = {
        TEST(both_have_the_key),
        TEST(the_client_has_another_key),
        TEST(the_first_key_is_offered_and_all_are_accepted),
        TEST(a_certificate_is_no_key),
        TEST(a_server_with_keys_has_no_certificate),
        TEST(new_keys_are_for_connections_from_then_on),
        TEST(no_key_is_no_context),
    };
    return run_on_every_backend("tls_keys", tests);
}
