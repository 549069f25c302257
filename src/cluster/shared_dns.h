/* SPDX-License-Identifier: MIT */
/* shared_dns.h - a resolver whose answers all servers of a cluster share: one of them asks the DNS,
 * the others wait for its answer, and keep it no longer than it holds.
 *
 *   ask ──> AWAY ──known──────────────────────> answered      AWAY: with the policy, in its loop
 *            │                                     ^
 *            └─to be asked here, or too late──> BELOW ──> answered, and stored for the others
 *
 * An answer is known by its whole question, and by the settings of the resolver that gave it: those
 * servers share that have the same. It holds for nothing else, so whoever has a name of his own can
 * say nothing about others'. What is no answer (a failure, what did not validate) is shared with
 * nobody. An answer that one server has validated counts as such at the others.
 *
 * While the broker is away, or slow, or there are too many questions, it asks as if it were alone.
 *
 * Lifetime  From shared_dns_new() to shared_dns_free(), when no question is open; the resolver
 *           below and the policy outlive it.
 * Threads   That of its loop, which is not the policy's.
 * Memory    600 B and the answer for each open question.
 */
#ifndef CLUSTER_SHARED_DNS_H
#define CLUSTER_SHARED_DNS_H

#include "access/resolver.h"
#include "cluster/policy.h"

struct shared_dns;

/* `settings` are those that tell resolvers apart. NULL without memory. */
struct shared_dns *shared_dns_new(struct policy *policy, struct loop *loop, struct resolver *below,
                                  struct slice settings);
void shared_dns_free(struct shared_dns *s); /* accepts NULL */
struct resolver *shared_dns_resolver(struct shared_dns *s);

#endif
