/* SPDX-License-Identifier: MIT */
/* pump.h - moves the bytes of one connection between a stream of this machine and a way's stream.
 *
 *   the client's server    client's connection <── pump ──> way
 *   the session's server   way <── pump ──> one end of a socketpair; the other end is the HTTP
 *                          connection of a worker
 *
 * Both directions wait for each other side: what the way does not take is not read from the stream,
 * and what the stream does not take is not acknowledged on the way.
 *
 * Ends      The end of one side is passed on as an end. A reset of the way, or its loss, ends the
 *           client's connection, so that the client comes again. A client that does not close after
 *           the other side has ended is closed after LINGER_MS.
 * Memory    At most a window for the stream, and one receive that the way had no room for; paid
 *           by the client (limits/memory.h): who holds too much loses the connection.
 * Threads   Loop thread only.
 */
#ifndef CLUSTER_PUMP_H
#define CLUSTER_PUMP_H

#include "cluster/way.h"
#include "limits/memory.h"

/* The pumps of one worker. */
struct pumps {
    struct loop *loop;          /* borrowed */
    struct memory_desk *memory; /* borrowed; NULL: nothing is counted */
    struct list all;
    struct timer spread; /* of pumps_send_away() */
    uint32_t count, per_look;
    uint64_t opened, bytes_in, bytes_out; /* in all; from ways, to ways */
};

void pumps_init(struct pumps *pumps, struct loop *loop, struct memory_desk *memory);
/* Ends all, each as if its client had left. Before the loop ends. */
void pumps_stop(struct pumps *pumps);
/* The same, not all at once: the last one after `spread_ms`. */
void pumps_send_away(struct pumps *pumps, uint32_t spread_ms);

/* Both take `stream`, also on failure: then false, and it is closed. `client`: who pays. */

/* A client's connection to another server, of which `bytes` have come already. */
bool pump_forward(struct pumps *pumps, struct stream *stream, struct slice bytes, struct way *way,
                  const struct way_open *open, const struct net_client_key *client);
/* In way_ops.on_stream: what another server passes on. */
bool pump_accept(struct pumps *pumps, struct stream *stream, struct way *way, uint32_t number,
                 const struct net_client_key *client);

#endif
