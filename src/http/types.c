/* SPDX-License-Identifier: MIT */
/* types.c - media types by the ending of a file's name (RFC 9110, 8.3). Text is UTF-8. */
#include "http/static.h"

#include <stdlib.h>

struct type {
    const char *ending;
    const char *type;
    bool compresses; /* and is asked for by pages, which decode it */
};

/* Sorted by ending: it is searched by halves. */
static const struct type types[] = {
    {"7z", "application/x-7z-compressed", false},
    {"aac", "audio/aac", false},
    {"apng", "image/apng", false},
    {"atom", "application/atom+xml; charset=utf-8", true},
    {"avif", "image/avif", false},
    {"bmp", "image/bmp", true},
    {"bz2", "application/x-bzip2", false},
    {"cjs", "text/javascript; charset=utf-8", true},
    {"css", "text/css; charset=utf-8", true},
    {"csv", "text/csv; charset=utf-8", true},
    {"eot", "application/vnd.ms-fontobject", true},
    {"epub", "application/epub+zip", false},
    {"flac", "audio/flac", false},
    {"gif", "image/gif", false},
    {"gz", "application/gzip", false},
    {"htm", "text/html; charset=utf-8", true},
    {"html", "text/html; charset=utf-8", true},
    {"ico", "image/vnd.microsoft.icon", true},
    {"ics", "text/calendar; charset=utf-8", true},
    {"jpeg", "image/jpeg", false},
    {"jpg", "image/jpeg", false},
    {"js", "text/javascript; charset=utf-8", true},
    {"json", "application/json", true},
    {"jsonld", "application/ld+json", true},
    {"jxl", "image/jxl", false},
    {"m4a", "audio/mp4", false},
    {"m4v", "video/mp4", false},
    {"map", "application/json", true},
    {"md", "text/markdown; charset=utf-8", true},
    {"mid", "audio/midi", false},
    {"mjs", "text/javascript; charset=utf-8", true},
    {"mkv", "video/matroska", false},
    {"mov", "video/quicktime", false},
    {"mp3", "audio/mpeg", false},
    {"mp4", "video/mp4", false},
    {"mpeg", "video/mpeg", false},
    {"odp", "application/vnd.oasis.opendocument.presentation", false},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet", false},
    {"odt", "application/vnd.oasis.opendocument.text", false},
    {"oga", "audio/ogg", false},
    {"ogg", "audio/ogg", false},
    {"ogv", "video/ogg", false},
    {"opus", "audio/ogg", false},
    {"otf", "font/otf", true},
    {"pdf", "application/pdf", false},
    {"png", "image/png", false},
    {"rss", "application/rss+xml; charset=utf-8", true},
    {"rtf", "application/rtf", true},
    {"svg", "image/svg+xml; charset=utf-8", true},
    {"tar", "application/x-tar", false},
    {"tif", "image/tiff", false},
    {"tiff", "image/tiff", false},
    {"toml", "application/toml; charset=utf-8", true},
    {"tsv", "text/tab-separated-values; charset=utf-8", true},
    {"ttf", "font/ttf", true},
    {"txt", "text/plain; charset=utf-8", true},
    {"vtt", "text/vtt; charset=utf-8", true},
    {"wasm", "application/wasm", true},
    {"wav", "audio/wav", false},
    {"weba", "audio/webm", false},
    {"webm", "video/webm", false},
    {"webmanifest", "application/manifest+json", true},
    {"webp", "image/webp", false},
    {"woff", "font/woff", false},
    {"woff2", "font/woff2", false},
    {"xhtml", "application/xhtml+xml; charset=utf-8", true},
    {"xml", "application/xml; charset=utf-8", true},
    {"xz", "application/x-xz", false},
    {"yaml", "application/yaml; charset=utf-8", true},
    {"yml", "application/yaml; charset=utf-8", true},
    {"zip", "application/zip", false},
    {"zst", "application/zstd", false},
};

#define ENDING_MAX 16

static int compare(const void *ending, const void *type)
{
    return strcmp(ending, ((const struct type *)type)->ending);
}

/* The lower-case ending after the last dot; a leading dot or a slash after it begins none. */
static bool ending_of(struct slice name, char out[ENDING_MAX])
{
    const char *dot = memrchr(name.ptr, '.', name.len);
    if (name.len == 0 || dot == NULL)
        return false;
    struct slice ending = slice_skip(name, (size_t)(dot - name.ptr) + 1);
    if (ending.len == 0 || ending.len >= ENDING_MAX)
        return false;
    for (size_t i = 0; i < ending.len; i++) {
        char c = ending.ptr[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out[ending.len] = '\0';
    return true;
}

static const struct type *find(struct slice name)
{
    char ending[ENDING_MAX];
    if (!ending_of(name, ending))
        return NULL;
    return bsearch(ending, types, sizeof(types) / sizeof(*types), sizeof(*types), compare);
}

bool static_type_known(struct slice name)
{
    return find(name) != NULL;
}

bool static_type_compresses(struct slice name)
{
    const struct type *found = find(name);
    return found && found->compresses;
}

struct slice static_type(struct slice name)
{
    const struct type *found = find(name);
    return found ? slice_of(found->type) : SLICE_LITERAL("application/octet-stream");
}
