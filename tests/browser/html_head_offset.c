/* SPDX-License-Identifier: MIT */
/* Answers a line `STATUS OFFSET` of html_head_offset for each document on stdin (its length in four
 * bytes, little-endian, before it): for html-head.test.mjs, which asks real browsers whether that
 * is right. */
#include "proto/cgi_head.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    uint32_t len;
    while (fread(&len, sizeof(len), 1, stdin) == 1) {
        char *text = malloc(len ? len : 1);
        size_t offset = 0;
        if (!text || fread(text, 1, len, stdin) != len)
            return 1;
        enum parse_status status = html_head_offset(slice_make(text, len), &offset);
        printf("%s %zu\n", status == PARSE_OK ? "decided" : "open", offset);
        free(text);
    }
    return 0;
}
