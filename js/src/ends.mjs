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

/**
 * @param {number} code
 * @returns {Verdict}
 */
export function verdict(code) {
  return VERDICTS[code] ?? (code < 4000 ? 'resume' : 'never');
}

/**
 * @param {number} code
 * @param {string} text the reason as the close frame has it
 * @returns {End}
 */
export function parseEnd(code, text) {
  const found = /^(.*?) ?\bretry=(\d{1,9})$/.exec(text);
  return found ? { code, reason: found[1], retryAfter: Number(found[2]) } : { code, reason: text, retryAfter: null };
}
