/* SPDX-License-Identifier: MIT */
/* failure.c - the answer of a program that gave none: how it failed, and
 * what it wrote on stderr. */
#include "dev/parts.h"

static void put_html(struct text *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '<':
            text_put(out, SLICE_LITERAL("&lt;"));
            break;
        case '&':
            text_put(out, SLICE_LITERAL("&amp;"));
            break;
        default:
            text_put(out, slice_make(text.ptr + i, 1));
        }
    }
}

static const char *const answer_head =
    "<!doctype html>\n<meta charset=\"utf-8\">\n<title>The program failed</title>\n"
    "<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 2em }\n"
    "pre { background: #1d2127; color: #f1f1ee; padding: 1em; white-space: pre-wrap }</style>\n";

static const char *const answer_waits = "\n<p>This page loads again when the file changes.\n";

/* Asks until the file has changed: wait.c. */
static const char *const answer_script =
    "\n<script>\n"
    "const again = () => fetch(location, { cache: 'no-store', headers:\n"
    "  { Accept: 'application/httpsocket-change', 'If-None-Match': '%s' } }).then(answered, "
    "later);\n"
    "const later = () => setTimeout(again, 1000);\n"
    "const answered = ({ ok, status }) => ok ? location.reload() : status !== 502 && later();\n"
    "again();\n"
    "</script>\n";

/* Loading it again would post the form again. */
static const char *const answer_posted =
    "\n<p>It was the answer to a form: send that again when the file is mended.\n";

static void put_page(struct page *p, const struct dev_page *d, const char *why, struct slice end,
                     bool posted, struct text *out)
{
    text_put(out, slice_of(answer_head));
    text_printf(out, "<h1>%s</h1>\n<p><code>", why);
    put_html(out, d && d->file.name ? slice_of(d->file.name) : page_file(p));
    text_put(out, SLICE_LITERAL("</code>"));
    if (end.len > 0) {
        text_put(out, SLICE_LITERAL(": "));
        put_html(out, end);
    }
    text_put(out, posted ? slice_of(answer_posted) : slice_of(answer_waits));
    text_put(out, SLICE_LITERAL("<pre>"));
    for (uint64_t i = d ? dev_first_line(d) : 0; d && i < d->lines; i++) {
        put_html(out, dev_line_at(d, i));
        text_put(out, SLICE_LITERAL("\n"));
    }
    text_put(out, SLICE_LITERAL("</pre>"));
    if (!posted)
        text_printf(out, answer_script, d ? d->version : "");
}

void dev_answer_failure(struct page *p, const struct dev_page *d, struct exchange *x, int status,
                        const char *why, struct slice end)
{
    struct text page = {0};
    struct http_header headers[] = {
        {SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/html; charset=utf-8")},
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
    };
    bool posted = slice_equal(x->request->method, SLICE_LITERAL("POST"));
    put_page(p, d, why, end, posted, &page);
    if (page.failed) {
        exchange_answer(x, status, slice_of(why), NULL, 0);
    } else {
        exchange_respond(x, status, SLICE_NONE, headers, 2, page.len);
        exchange_write(x, text_slice(&page));
        exchange_end(x);
    }
    text_done(&page);
}
