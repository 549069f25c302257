/* SPDX-License-Identifier: MIT */
#include "serve/broker_settings.h"

#include "net/tls.h"
#include "serve/config.h"
#include "serve/secret_file.h"

#include <stdlib.h>

enum {
    PASSWORD_SIZE = 1024 /* a line, with its end */
};

/* ---- the password ---- */

static bool set_passwords(struct broker_settings *b, struct slice password, struct text *why)
{
    for (size_t i = 0; i < b->count; i++)
        if (!b->urls[i]->password && !broker_url_set_password(b->urls[i], password)) {
            text_printf(why, "out of memory");
            return false;
        }
    return true;
}

static bool read_first_line(FILE *in, const char *file, struct broker_settings *b, struct text *why)
{
    char line[PASSWORD_SIZE];
    bool good = fgets(line, sizeof(line), in);
    struct slice password = good ? slice_of(line) : SLICE_NONE;
    while (password.len && strchr("\r\n", password.ptr[password.len - 1]))
        password.len--;
    if (password.len == 0 || password.len >= sizeof(line) - 1) {
        text_printf(why, "%s: expected a password in its first line, of at most %d bytes", file,
                    PASSWORD_SIZE - 2);
        good = false;
    }
    good = good && set_passwords(b, password, why);
    explicit_bzero(line, sizeof(line));
    return good;
}

static bool read_password(struct broker_settings *b, const char *file, struct text *why)
{
    FILE *in = secret_file_open(file, "who has the password can read and forge all topics", why);
    if (!in)
        return false;
    char buffer[BUFSIZ]; /* not the heap, where the password would stay */
    setvbuf(in, buffer, _IOFBF, sizeof(buffer));
    bool good = read_first_line(in, file, b, why);
    fclose(in);
    explicit_bzero(buffer, sizeof(buffer));
    return good;
}

/* ---- the URLs ---- */

static bool add_url(struct broker_settings *b, const char *text, struct text *why)
{
    struct text fault = {0};
    struct broker_url *url = broker_url_parse(slice_of(text), &fault);
    bool good = url;
    if (!good)
        text_printf(why, "broker: number %zu: %.*s", b->count + 1, SLICE_ARG(text_slice(&fault)));
    for (size_t i = 0; good && i < b->count; i++)
        if (strcmp(b->urls[i]->text, url->text) == 0) {
            text_printf(why, "broker: %s is named twice", url->text);
            good = false;
        }
    text_done(&fault);
    if (good)
        b->urls[b->count++] = url;
    else
        broker_url_free(url);
    return good;
}

static bool read_urls(struct broker_settings *b, const struct config *c, struct text *why)
{
    if (c->broker.count > BROKERS_MAX) {
        text_printf(why, "broker: at most %d", BROKERS_MAX);
        return false;
    }
    for (size_t i = 0; i < c->broker.count; i++)
        if (!add_url(b, c->broker.items[i], why))
            return false;
    return true;
}

static bool has_passwords(const struct broker_settings *b, struct text *why)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->urls[i]->user && !b->urls[i]->password) {
            text_printf(why,
                        "broker: %s has a user and no password: USER:PASSWORD@, or the file "
                        "that broker-password-file names",
                        b->urls[i]->text);
            return false;
        }
    return true;
}

/* Who names certificates believes that there is TLS. */
static bool has_certificates(const struct broker_settings *b, const struct config *c,
                             struct text *why)
{
    if (!*c->broker_cert != !*c->broker_key)
        text_printf(why, "broker-cert and broker-key go together; %s is missing",
                    *c->broker_cert ? "broker-key" : "broker-cert");
    else if ((*c->broker_ca || *c->broker_cert) && !broker_settings_use_tls(b))
        text_printf(why, "%s is for rediss:// and rediss-sentinel://, and no broker is one",
                    *c->broker_ca ? "broker-ca" : "broker-cert");
    return why->len == 0;
}

struct broker_settings *broker_settings_read(const struct config *c, struct text *why)
{
    struct broker_settings *b = calloc(1, sizeof(*b));
    if (!b) {
        text_printf(why, "out of memory");
        return NULL;
    }
    b->refs = 1;
    if (read_urls(b, c, why) &&
        (!*c->broker_password_file || read_password(b, c->broker_password_file, why)) &&
        has_passwords(b, why) && has_certificates(b, c, why))
        return b;
    broker_settings_unref(b);
    return NULL;
}

struct broker_settings *broker_settings_ref(struct broker_settings *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}

void broker_settings_unref(struct broker_settings *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    for (size_t i = 0; i < b->count; i++)
        broker_url_free(b->urls[i]);
    free(b);
}

bool broker_settings_use_tls(const struct broker_settings *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->urls[i]->tls)
            return true;
    return false;
}

struct tls_context *broker_settings_tls(const struct config *c, char *why, size_t why_size)
{
    const char *ca = *c->broker_ca ? c->broker_ca : NULL;
    struct tls_context *tls = tls_context_new_client(ca, false, why, why_size);
    if (!tls || !*c->broker_cert ||
        tls_context_identify(tls, c->broker_cert, c->broker_key, why, why_size))
        return tls;
    tls_context_unref(tls);
    return NULL;
}
