// SPDX-License-Identifier: MIT
// @ts-check
/** How long to wait before the next attempt to connect: exponential backoff with jitter. Pure. */

const FIRST_MS = 250;
const LONGEST_MS = 30_000;

/**
 * A random time between half and the whole of min(30 s, 250 ms × 2^attempt), so that clients which
 * lost a server at the same moment don't come back at the same moment.
 * @param {number} attempt how many attempts have failed before
 * @param {number} random from 0 to 1
 * @returns {number} milliseconds
 */
export function delay(attempt, random) {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return (whole / 2) * (1 + random);
}
