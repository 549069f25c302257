/* SPDX-License-Identifier: MIT */
/* spool.h - a request's body that is gathered in a nameless file, since its length is not known and
 * the program wants to know it before it begins.
 *
 * Lifetime  page_spool_new() to page_spool_free(): also while the program has the file open, for so
 *           long it counts (limits/spool.h).
 * Bounds    spool-per-client and spool-max; body-max is the exchange's.
 */
#ifndef PAGE_SPOOL_H
#define PAGE_SPOOL_H

#include "limits/spool.h"

struct page_spool;

/* `spool` is borrowed; NULL: nothing is counted. NULL without memory or descriptors. */
struct page_spool *page_spool_new(struct spool *spool);
/* SPOOL_FITS, or the bound that more would pass: then nothing is written. A failed write is in
 * *ret_error, as a negative errno. */
enum spool_bound page_spool_write(struct page_spool *s, const struct net_client_key *client,
                                  struct slice data, int *ret_error);
uint64_t page_spool_bytes(const struct page_spool *s);
/* How many of them are memory: the file is on a tmpfs, or has no file system. */
size_t page_spool_held(const struct page_spool *s);
/* The file, from its beginning on. The caller's now; once. */
int page_spool_take(struct page_spool *s);
/* Accepts NULL. */
void page_spool_free(struct page_spool *s);

#endif
