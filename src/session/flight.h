/* SPDX-License-Identifier: MIT */
/* flight.h - how many bytes of streams may be on their way to a client before its events come late.
 *
 * Neither kernel tells how much a client has received and not yet looked at. So the session asks:
 * it sends a `.ping` behind some bytes, and the `.pong` says that these have been processed, and
 * how long an event would have waited. The budget doubles while that time is little more than the
 * shortest one seen, and shrinks when it is more. So the budget finds how many bytes fill a long
 * line, and a slow client does not get a heap of bytes.
 *
 *     sent   ───────────────────────────────────────┐
 *     heard  ─────────┐    the flight: < budget      │
 *                     │ mark │ mark │ mark           │
 *
 * Pure: time is handed in. A `.pong` that was not asked for only makes the budget generous.
 */
#ifndef SESSION_FLIGHT_H
#define SESSION_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLIGHT_BUDGET_MIN   (32 * 1024)
#define FLIGHT_BUDGET_MAX   (64 * 1024 * 1024)
#define FLIGHT_BUDGET_FIRST (256 * 1024)
#define FLIGHT_LATE_MS      5     /* so much above best_ms, or half as much again: too large */
#define FLIGHT_PROBE_MS     30000 /* the shortest time is forgotten and found again */
#define FLIGHT_MARKS        8

struct flight {
    uint64_t sent, heard; /* bytes */
    uint64_t budget;
    uint64_t best_ms; /* the shortest time from `.ping` to `.pong` */
    uint64_t probe_due_ms;
    struct {
        uint64_t at, ms;
    } marks[FLIGHT_MARKS];
    uint8_t first, count;
    bool limited; /* the budget has held something back since the last mark was heard */
};

/* Begins with a new wire. */
void flight_begin(struct flight *f, uint64_t now_ms);
/* How many bytes may be sent now. */
size_t flight_room(struct flight *f);
/* `len` bytes were sent. True: it is time for a `.ping`. */
bool flight_sent(struct flight *f, size_t len);
/* A `.ping` is sent, for whatever reason. */
void flight_pinged(struct flight *f, uint64_t now_ms);
/* A `.pong` has come. True: it is time for a `.ping`, since the budget has shrunk below the bytes
 * in flight. */
bool flight_ponged(struct flight *f, uint64_t now_ms);

#endif
