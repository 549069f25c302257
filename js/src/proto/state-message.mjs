// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The messages that carry a program's state (docs/protocol.md, section 12). The state is sealed:
 * for this side it is bytes without a meaning. Pure.
 */
import { formatControl, WireError } from './message.mjs';

/** @typedef {import('./channel-frame.mjs').Bytes} Bytes */
/** @typedef {'deploy' | 'crash' | 'changed' | 'gone'} RestoreWhy */

/**
 * The state is whole, or stays as it was: `state` is null then.
 * @typedef {{ count: number, state: Bytes | null }} SavedMessage
 */

const STATE_PIECE = 19;
const SAVED_WORD = /^\.saved(?=[? ]|$)/;
const SAVED = /^\.saved\?(0|[1-9]\d{0,15})$/;
/** Of a binary `.saved?N`, with its LF. */
const SAVED_HEAD_BYTES = 24;

/** @param {Uint8Array} bytes a binary message */
export function isStatePiece(bytes) {
  return bytes[0] === STATE_PIECE;
}

/** @param {string} text a text message @returns {number | null} null: it is no `.saved` */
export function parseSavedText(text) {
  return SAVED_WORD.test(text) ? countOf(text) : null;
}

/**
 * @param {Bytes} bytes a binary message
 * @returns {{ count: number, rest: Bytes } | null} the last bytes of the state; null: it is no
 *   `.saved`
 */
export function parseSavedBytes(bytes) {
  if (bytes[0] !== 0x2e) return null;
  const end = bytes.subarray(0, SAVED_HEAD_BYTES).indexOf(0x0a);
  const head = String.fromCharCode(...bytes.subarray(0, Math.max(0, end)));
  return { count: countOf(head), rest: bytes.slice(end + 1) };
}

/** @param {string} head @returns {number} */
function countOf(head) {
  const count = Number(SAVED.exec(head)?.[1]);
  if (!Number.isSafeInteger(count)) throw new WireError('a .saved without its count');
  return count;
}

/**
 * @param {RestoreWhy} why @param {number} resent @param {Bytes} state
 * @returns {Bytes} the first message of a session that goes on from the state
 */
export function formatRestore(why, resent, state) {
  const head = new TextEncoder().encode(`${formatControl('restore', { why, resent })}\n`);
  const message = new Uint8Array(head.length + state.length);
  message.set(head);
  message.set(state, head.length);
  return message;
}

/** Puts the pieces of one state together, which came on one connection. */
export class StatePieces {
  /** @type {Bytes[]} */
  #pieces = [];
  #size = 0;

  /** @param {Bytes} piece with its first byte @param {number} most bytes @throws {WireError} */
  add(piece, most) {
    if (piece.length < 2) throw new WireError('a piece of a state without bytes');
    this.#push(piece.slice(1), most);
  }

  /** @param {Bytes} rest @param {number} most bytes @returns {Bytes} the whole state */
  end(rest, most) {
    this.#push(rest, most);
    if (!this.#size) throw new WireError('a state without bytes');
    const state = new Uint8Array(this.#size);
    let at = 0;
    for (const piece of this.#pieces) {
      state.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    this.#size = 0;
    return state;
  }

  /** @param {Bytes} piece @param {number} most */
  #push(piece, most) {
    this.#size += piece.length;
    if (this.#size > most) throw new WireError('a state of more than maxMessage');
    this.#pieces.push(piece);
  }
}
