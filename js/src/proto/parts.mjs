// SPDX-License-Identifier: MIT
// @ts-check
/**
 * A large message of the server comes in parts, so that its client sees that it is on its way
 * (docs/protocol.md, section 11): puts the parts together. What has come when a connection is lost
 * stays, and the next connection goes on behind it, unless the server begins anew. Pure state.
 */
import { WireError } from './message.mjs';

/** The first byte of a part. */
const MORE = 16;
const LAST_TEXT = 17;
const LAST_BINARY = 18;

/** @typedef {import('./channel-frame.mjs').Bytes} Bytes */

/** @param {Bytes} message a whole binary message of the WebSocket */
export function isPart(message) {
  return message[0] >= MORE && message[0] <= LAST_BINARY;
}

export class Parts {
  /** Grows with what has come. @type {Bytes} */
  #room = new Uint8Array(0);
  #size = 0;

  /** How much has come of a message that is not whole yet. */
  get size() {
    return this.#size;
  }

  /** What a client offers that takes parts, and has some already. */
  get offer() {
    return this.#size ? `parts.${this.#size}` : 'parts';
  }

  /**
   * A new connection, on which the server goes on behind so many bytes.
   * @param {number} at @throws {WireError}
   */
  goOn(at) {
    if (at && at !== this.#size) throw new WireError(`parts from ${at} on, not ${this.#size}`);
    if (!at) this.forget();
  }

  forget() {
    this.#room = new Uint8Array(0);
    this.#size = 0;
  }

  /**
   * @param {Bytes} part @param {number} most how many bytes a message may have
   * @returns {Bytes | string | null} the message, if this was its last part
   * @throws {WireError}
   */
  take(part, most) {
    const bytes = part.subarray(1);
    if (!bytes.length) throw new WireError('a part without bytes');
    if (this.#size + bytes.length > most) throw new WireError('parts of more than maxMessage');
    this.#add(bytes);
    if (part[0] === MORE) return null;
    const whole = this.#whole();
    return part[0] === LAST_TEXT ? decodeText(whole) : whole;
  }

  /** @param {Bytes} bytes */
  #add(bytes) {
    const size = this.#size + bytes.length;
    if (size > this.#room.length) {
      const room = new Uint8Array(size * 2);
      room.set(this.#room.subarray(0, this.#size));
      this.#room = room;
    }
    this.#room.set(bytes, this.#size);
    this.#size = size;
  }

  #whole() {
    const whole = this.#room.slice(0, this.#size);
    this.forget();
    return whole;
  }
}

/** @param {Bytes} bytes */
function decodeText(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new WireError('text in parts that is no UTF-8');
  }
}
