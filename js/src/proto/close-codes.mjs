// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The close codes of WebSockets, and what each means for the session: the table of
 * docs/protocol.md, section 5. Pure. Names and meanings are those of src/proto/close_codes.def;
 * `tests/vectors/ends.json` tests both C and JavaScript.
 */

/**
 * @typedef {object} End
 * @property {number} code the close code
 * @property {string} reason the reason without its `retry=N`
 * @property {number | null} retryAfter seconds to wait before the next connection, or null
 */

/**
 * @typedef {'resume' | 'wait' | 'final'} Verdict `resume`: the connection is lost, and the session
 *   goes on. `wait`: as `resume`, but after `retryAfter`, and never at once. `final`: the session
 *   is over.
 */

/**
 * @typedef {'nothing' | 'ban' | 'spare'} Kept what is kept for `retryAfter` seconds, for other
 *   connections to that target. `ban`: none is made. `spare`: the server is out of order, so a new
 *   connection waits too.
 */

export const CLOSE = Object.freeze({
  NORMAL: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  NO_STATUS: 1005,
  ABNORMAL: 1006,
  INVALID_DATA: 1007,
  POLICY_VIOLATION: 1008,
  TOO_BIG: 1009,
  INTERNAL_ERROR: 1011,
  SERVICE_RESTART: 1012,
  TRY_AGAIN_LATER: 1013,
  TLS_HANDSHAKE: 1015,
  REPLACED: 4000,
  WIRE_PROTOCOL: 4400,
  SCRIPT_DENIED: 4401,
  FORBIDDEN: 4403,
  NO_PROGRAM: 4404,
  SESSION_TAKEN: 4409,
  SESSION_GONE: 4410,
  STATE_REFUSED: 4411,
  HOST_FOREIGN: 4421,
  RATE_LIMITED: 4429,
  PROGRAM_FAILED: 4500,
  BAD_GATEWAY: 4502,
  GATEWAY_TIMEOUT: 4504,
  MEMORY: 4507,
});

/**
 * Exceptions: other codes below 4000 are a lost connection, and other codes from 4000 are final.
 * @type {Readonly<Record<number, Verdict>>}
 */
const VERDICTS = Object.freeze({
  [CLOSE.NORMAL]: 'final',
  [CLOSE.TOO_BIG]: 'final', // the message would be sent again after each drop
  [CLOSE.SERVICE_RESTART]: 'final', // a new session may be tried
  [CLOSE.TRY_AGAIN_LATER]: 'wait',
  [CLOSE.RATE_LIMITED]: 'wait',
  [CLOSE.GATEWAY_TIMEOUT]: 'wait',
});

/** @type {Readonly<Record<number, Kept>>} */
const KEPT = Object.freeze({
  [CLOSE.SCRIPT_DENIED]: 'ban',
  [CLOSE.FORBIDDEN]: 'ban',
  [CLOSE.RATE_LIMITED]: 'ban',
  [CLOSE.TRY_AGAIN_LATER]: 'spare',
  [CLOSE.BAD_GATEWAY]: 'spare',
  [CLOSE.GATEWAY_TIMEOUT]: 'spare',
});

/**
 * How long a ban lasts whose refusal does not say it, and how long a ban lasts at most, in seconds.
 */
const REFUSED_S = 60;
const REFUSED_MOST_S = 86_400;

/**
 * @param {{ code: number, retryAfter: number | null }} end
 * @returns {Verdict}
 */
export function verdict({ code, retryAfter }) {
  // A failed lookup says when to come back. A program without a valid answer does not, and is not
  // tried again.
  if (code === CLOSE.BAD_GATEWAY && retryAfter !== null) return 'wait';
  return VERDICTS[code] ?? (code < 4000 ? 'resume' : 'final');
}

/** @param {number} code @returns {Kept} */
export function keptOf(code) {
  return KEPT[code] ?? 'nothing';
}

/** The close code that means what an HTTP status of a refusal means. @param {number} status */
export function codeOfStatus(status) {
  return status === 503 ? CLOSE.TRY_AGAIN_LATER : 4000 + status;
}

/**
 * @param {number} code @param {string} reason without `retry=N`
 * @param {number | null} retryAfter as the server has said it
 * @returns {End}
 */
export function makeEnd(code, reason, retryAfter) {
  const end = { code, reason, retryAfter };
  if (keptOf(code) !== 'ban' || verdict(end) !== 'final') return end;
  return { ...end, retryAfter: Math.min(retryAfter ?? REFUSED_S, REFUSED_MOST_S) };
}

/**
 * @param {number} code
 * @param {string} text the reason as the close frame has it
 * @returns {End}
 */
export function parseEnd(code, text) {
  const found = /^(?:(.*) )?retry=(0*\d{1,9})$/s.exec(text);
  return found ? makeEnd(code, found[1] ?? '', Number(found[2])) : makeEnd(code, text, null);
}
