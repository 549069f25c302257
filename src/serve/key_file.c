/* SPDX-License-Identifier: MIT */
#include "serve/key_file.h"

#include "serve/secret_file.h"

#include <openssl/evp.h>
#include <stdio.h>

enum {
    LINE_SIZE = 256
};

/* One `=`, or none, ends it. */
static bool decode(struct slice text, unsigned char ret[SEAL_KEY_SIZE])
{
    char padded[KEY_FILE_BASE64_LEN];
    unsigned char bytes[SEAL_KEY_SIZE + 1];
    if (text.len != KEY_FILE_BASE64_LEN && text.len != KEY_FILE_BASE64_LEN - 1)
        return false;
    memcpy(padded, text.ptr, text.len);
    if (text.len < KEY_FILE_BASE64_LEN)
        padded[text.len] = '=';
    bool good = padded[KEY_FILE_BASE64_LEN - 1] == '=' && padded[KEY_FILE_BASE64_LEN - 2] != '=' &&
                EVP_DecodeBlock(bytes, (const unsigned char *)padded, KEY_FILE_BASE64_LEN) ==
                    SEAL_KEY_SIZE + 1;
    if (good)
        memcpy(ret, bytes, SEAL_KEY_SIZE);
    explicit_bzero(bytes, sizeof(bytes));
    explicit_bzero(padded, sizeof(padded));
    return good;
}

static struct slice content_of(const char *line)
{
    struct slice s = slice_of(line);
    while (s.len && strchr("\r\n", s.ptr[s.len - 1]))
        s.len--;
    return slice_trim(s);
}

static bool read_line(struct seal_keys *keys, const char *line, const char *file, unsigned number,
                      struct text *why)
{
    unsigned char key[SEAL_KEY_SIZE];
    struct slice s = content_of(line);
    if (!s.len || *s.ptr == '#')
        return true;
    if (!decode(s, key)) {
        text_printf(why, "%s:%u: expected a key, 32 bytes in base64 (openssl rand -base64 32)",
                    file, number);
        return false;
    }
    bool added = seal_keys_add(keys, key);
    explicit_bzero(key, sizeof(key));
    if (!added)
        text_printf(why, "%s: out of memory", file);
    return added;
}

static bool read_lines(struct seal_keys *keys, FILE *in, const char *file, struct text *why)
{
    char line[LINE_SIZE];
    bool good = true;
    for (unsigned number = 1; good && fgets(line, sizeof(line), in); number++)
        good = read_line(keys, line, file, number, why);
    explicit_bzero(line, sizeof(line));
    if (good && (ferror(in) || seal_keys_count(keys) == 0)) {
        text_printf(why, "%s: %s", file, ferror(in) ? "it can't be read" : "there is no key in it");
        good = false;
    }
    return good;
}

struct seal_keys *key_file_read(const char *file, const char *danger, struct text *why)
{
    FILE *in = secret_file_open(file, danger, why);
    if (!in)
        return NULL;
    char buffer[BUFSIZ]; /* not the heap, where the key would stay */
    setvbuf(in, buffer, _IOFBF, sizeof(buffer));
    struct seal_keys *keys = seal_keys_new();
    bool good = keys && read_lines(keys, in, file, why);
    fclose(in);
    explicit_bzero(buffer, sizeof(buffer));
    if (good)
        return keys;
    if (!why->len)
        text_printf(why, "%s: out of memory", file);
    seal_keys_unref(keys);
    return NULL;
}
