/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over its corpus (CORPUS, a folder), each file whole and cut short everywhere,
 * and prints TAP. What libFuzzer found once stays found, and no clang is needed. */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

#define PREFIXES_MAX 2048 /* longer files are cut at every so many bytes only */

/* The input lies in a block of its exact size, so that the address sanitizer sees its end. */
static void run(const char *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        abort();
    memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static size_t read_file(const char *path, char **ret)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return 0;
    size_t len = (size_t)ftell(file);
    rewind(file);
    *ret = malloc(len + 1);
    if (!*ret || fread(*ret, 1, len, file) != len)
        abort();
    fclose(file);
    return len;
}

static void run_file(const char *name)
{
    char path[4096], *bytes = NULL;
    snprintf(path, sizeof(path), "%s/%s", CORPUS, name);
    size_t len = read_file(path, &bytes);
    for (size_t cut = 0; cut < len; cut += 1 + len / PREFIXES_MAX)
        run(bytes, cut);
    run(bytes ? bytes : "", len);
    free(bytes);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(void)
{
    struct dirent **entries;
    int count = scandir(CORPUS, &entries, is_visible, alphasort);
    if (count <= 0) {
        printf("1..1\nnot ok 1 - no corpus in %s\n", CORPUS);
        return 1;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        fprintf(stderr, "# %s\n", entries[i]->d_name);
        run_file(entries[i]->d_name);
        printf("ok %d - %s\n", i + 1, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}
