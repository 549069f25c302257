/* SPDX-License-Identifier: MIT */
/* net_certificate.h - a fresh certificate, signed by itself, and its key, as PEM files. */
#ifndef TEST_NET_CERTIFICATE_H
#define TEST_NET_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>

static inline bool add_names(X509 *cert, const char *names)
{
    X509_EXTENSION *names_extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    bool ok = names_extension && X509_add_ext(cert, names_extension, -1);
    X509_EXTENSION_free(names_extension);
    return ok;
}

/* `names` as OpenSSL writes them: "DNS:a.example,IP:127.0.0.1". */
static inline bool make_certificate(const char *cert_file, const char *key_file, const char *names,
                                    long serial)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    bool ok = add_names(cert, names) && X509_sign(cert, key, EVP_sha256()) > 0;

    FILE *out = fopen(cert_file, "w");
    ok = ok && out && PEM_write_X509(out, cert);
    ok = out && fclose(out) == 0 && ok;
    out = fopen(key_file, "w");
    ok = ok && out && PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    ok = out && fclose(out) == 0 && ok;
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

#endif
