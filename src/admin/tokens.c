/* SPDX-License-Identifier: MIT */
#include "admin/tokens.h"

#include "base/input_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TOKEN_MIN = 16,
    TOKEN_MAX = 256,
    LINE_SIZE = 1024
};

struct token {
    struct token *next;
    size_t len;
    char text[TOKEN_MAX];
};

struct tokens {
    struct token *first;
};

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~+/=", c));
}

static bool is_token(struct slice s)
{
    if (s.len < TOKEN_MIN || s.len > TOKEN_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!is_token_char(s.ptr[i]))
            return false;
    return true;
}

static bool add(struct tokens *tokens, struct slice text)
{
    struct token *t = malloc(sizeof(*t));
    if (!t)
        return false;
    t->len = text.len;
    memcpy(t->text, text.ptr, text.len);
    t->next = tokens->first;
    tokens->first = t;
    return true;
}

/* Without its line end and blanks around it. */
static struct slice line_content(const char *line)
{
    struct slice s = slice_of(line);
    while (s.len && strchr("\r\n", s.ptr[s.len - 1]))
        s.len--;
    return slice_trim(s);
}

static bool read_lines(struct tokens *tokens, FILE *in, const char *file, struct text *why)
{
    char line[LINE_SIZE];
    for (unsigned number = 1; fgets(line, sizeof(line), in); number++) {
        struct slice s = line_content(line);
        if (!s.len || *s.ptr == '#')
            continue;
        if (!is_token(s)) {
            text_printf(why, "%s:%u: expected a token, %d to %d of A-Z a-z 0-9 - . _ ~ + / =", file,
                        number, TOKEN_MIN, TOKEN_MAX);
            return false;
        }
        if (!add(tokens, s)) {
            text_printf(why, "out of memory");
            return false;
        }
    }
    if (ferror(in) || !tokens->first)
        text_printf(why, "%s: %s", file,
                    ferror(in) ? "it can't be read" : "there is no token in it");
    return !ferror(in) && tokens->first;
}

struct tokens *tokens_read(const char *file, struct text *why)
{
    FILE *in = input_file_open(file);
    if (!in) {
        text_printf(why, "%s: %s", file, input_file_fault(errno));
        return NULL;
    }
    struct tokens *tokens = calloc(1, sizeof(*tokens));
    bool good = tokens && read_lines(tokens, in, file, why);
    fclose(in);
    if (good)
        return tokens;
    tokens_free(tokens);
    return NULL;
}

void tokens_free(struct tokens *tokens)
{
    if (!tokens)
        return;
    while (tokens->first) {
        struct token *t = tokens->first;
        tokens->first = t->next;
        explicit_bzero(t, sizeof(*t));
        free(t);
    }
    free(tokens);
}

/* Looks at every byte of `text`, whatever the token's are. */
static bool equal(const struct token *t, struct slice text)
{
    unsigned difference = t->len != text.len;
    for (size_t i = 0; i < text.len; i++)
        difference |= (unsigned char)(t->text[i % t->len] ^ text.ptr[i]);
    return !difference;
}

bool tokens_have(const struct tokens *tokens, struct slice text)
{
    bool found = false;
    for (const struct token *t = tokens->first; t; t = t->next)
        found |= equal(t, text);
    return found;
}
