// SPDX-License-Identifier: MIT
// @ts-check
/** What the close of a WebSocket means for the session: the table of docs/protocol.md, section 5. Pure. */

/**
 * @typedef {object} End
 * @property {number} code the close code
 * @property {string} reason the reason without its `retry=N`
 * @property {number | null} retryAfter seconds not to come back before, or null where nobody said
 */

/**
 * @typedef {'resume' | 'wait' | 'never'} Verdict
 * `resume`: the connection is lost, the session is not. `wait`: the same, but not before `retryAfter`, and never at
 * once. `never`: the session is over.
 */

/** Codes with a meaning of their own; the others below 4000 are lost connections, those from 4000 are final. */
const VERDICTS = Object.freeze(
  /** @type {Record<number, Verdict>} */ ({
    1000: 'never',
    1012: 'never', // this session is over; a new one may be tried
    1013: 'wait',
    4429: 'wait',
    4504: 'wait',
  }),
);

/** A refusal of script access keeps the page away so long, unless it says how long, and never for more than a day. */
const REFUSED_S = 60;
const REFUSED_MOST_S = 86_400;

/**
 * @param {{ code: number, retryAfter: number | null }} end
 * @returns {Verdict}
 */
export function verdict({ code, retryAfter }) {
  // A lookup that failed says when to come back; a program with no valid answer doesn't, and is not asked again.
  if (code === 4502 && retryAfter !== null) return 'wait';
  return VERDICTS[code] ?? (code < 4000 ? 'resume' : 'never');
}

/**
 * @param {number} code @param {string} reason without `retry=N` @param {number | null} retryAfter as it was said
 * @returns {End}
 */
export function makeEnd(code, reason, retryAfter) {
  if (code !== 4401 && code !== 4403) return { code, reason, retryAfter };
  return { code, reason, retryAfter: Math.min(retryAfter ?? REFUSED_S, REFUSED_MOST_S) };
}

/**
 * @param {number} code
 * @param {string} text the reason as the close frame has it
 * @returns {End}
 */
export function parseEnd(code, text) {
  const found = /^(.*?) ?\bretry=(\d{1,9})$/.exec(text);
  return found ? makeEnd(code, found[1], Number(found[2])) : makeEnd(code, text, null);
}
