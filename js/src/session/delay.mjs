// SPDX-License-Identifier: MIT
// @ts-check
/** How long to wait before the next attempt to connect. Pure. */

const FIRST_MS = 250;
const LONGEST_MS = 30_000;

/**
 * A time between half and the whole of min(30 s, 250 ms × 2^attempt): clients that lost a server together come back
 * apart.
 * @param {number} attempt how many attempts have failed before, from 0
 * @param {number} random from 0 to 1
 * @returns {number} milliseconds
 */
export function delay(attempt, random) {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return (whole / 2) * (1 + random);
}
