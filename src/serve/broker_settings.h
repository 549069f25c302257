/* SPDX-License-Identifier: MIT */
/* broker_settings.h - the brokers that the settings name: `broker`, `broker-password-file`,
 * `broker-ca`, `broker-cert` and `broker-key`.
 *
 * Immutable once read, and counted: links outlive the config that they were made by.
 * Threads  Any.
 */
#ifndef SERVE_BROKER_SETTINGS_H
#define SERVE_BROKER_SETTINGS_H

#include "cluster/broker_url.h"

#include <stdatomic.h>

struct config;
struct tls_context;

enum {
    BROKERS_MAX = 64
};

struct broker_settings {
    atomic_uint refs;
    size_t count;
    struct broker_url *urls[BROKERS_MAX]; /* owned */
};

/* Of a config with a broker: one reference. NULL with `why`, which holds no password. */
struct broker_settings *broker_settings_read(const struct config *c, struct text *why);
struct broker_settings *broker_settings_ref(struct broker_settings *b);
void broker_settings_unref(struct broker_settings *b); /* accepts NULL */

/* Whether one of the brokers is spoken with by TLS. */
bool broker_settings_use_tls(const struct broker_settings *b);
/* What is trusted of brokers, and shown to them: broker-ca, or what the system trusts; broker-cert.
 * NULL with `why`. */
struct tls_context *broker_settings_tls(const struct config *c, char *why, size_t why_size);

#endif
