// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The frames of byte streams (docs/protocol.md, section 10): parses and formats binary messages.
 * Pure: no socket, no clock, no state.
 */
import { parseJson, WireError } from './message.mjs';

/** The first byte of a frame. */
const TYPE = Object.freeze({ OPEN: 1, OPENED: 2, DATA: 3, STATE: 4, END: 5, RESET: 6, GONE: 7 });

export const FRAME_HEAD_BYTES = 5;
const STATE_BYTES = FRAME_HEAD_BYTES + 16;
const TOKEN = /^[a-z0-9][a-z0-9-]{0,63}$/;

/**
 * Why a stream was reset, as RESET says it.
 * @typedef {{ reason: string, message?: string, retryAfter?: number }} Reset
 */

/**
 * A parsed frame.
 * @typedef {{ kind: 'open' | 'opened', channel: number, data: any }} OpenFrame
 * @typedef {{ kind: 'data', channel: number, bytes: Uint8Array<ArrayBuffer> }} DataFrame
 * @typedef {{ kind: 'state', channel: number, received: number, limit: number }} StateFrame
 * @typedef {{ kind: 'reset', channel: number, data: Reset }} ResetFrame
 * @typedef {{ kind: 'end' | 'gone', channel: number }} BareFrame
 * @typedef {OpenFrame | DataFrame | StateFrame | ResetFrame | BareFrame} Frame
 */

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/**
 * @param {Bytes} message a whole binary message; the bytes of a DATA frame are a view of it
 * @returns {Frame}
 * @throws {WireError}
 */
export function parseFrame(message) {
  if (message.length < FRAME_HEAD_BYTES) throw new WireError('a frame too short');
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const channel = view.getUint32(1);
  if (channel === 0) throw new WireError('channel 0');
  const body = message.subarray(FRAME_HEAD_BYTES);
  switch (message[0]) {
    case TYPE.OPEN:
      return { kind: 'open', channel, data: parseObject(body) };
    case TYPE.OPENED:
      return { kind: 'opened', channel, data: parseObject(body) };
    case TYPE.DATA:
      if (!body.length) throw new WireError('DATA without bytes');
      return { kind: 'data', channel, bytes: body };
    case TYPE.STATE:
      if (message.length !== STATE_BYTES) throw new WireError('STATE of a wrong size');
      return { kind: 'state', channel, received: count(view, 5), limit: count(view, 13) };
    case TYPE.RESET:
      return { kind: 'reset', channel, data: parseReset(body) };
    case TYPE.END:
    case TYPE.GONE:
      if (body.length) throw new WireError('bytes behind a frame');
      return { kind: message[0] === TYPE.END ? 'end' : 'gone', channel };
    default:
      throw new WireError('no such frame');
  }
}

/** @param {DataView} view @param {number} at */
function count(view, at) {
  const value = view.getBigUint64(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new WireError('a count beyond 2^53');
  return Number(value);
}

/** @param {Bytes} body @returns {Record<string, any>} */
function parseObject(body) {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new WireError('a frame that is no UTF-8');
  }
  if (!text.startsWith('{') || /[\n\r]/.test(text)) throw new WireError('a frame without object');
  return parseJson(text);
}

/** @param {Bytes} body @returns {Reset} */
function parseReset(body) {
  const { reason, message, retryAfter } = parseObject(body);
  if (typeof reason !== 'string' || !TOKEN.test(reason))
    throw new WireError('RESET without a reason');
  return {
    reason,
    ...(typeof message === 'string' && { message }),
    ...(typeof retryAfter === 'number' && retryAfter >= 0 && { retryAfter }),
  };
}

/** @param {number} channel @param {object} request */
export function formatOpen(channel, request) {
  return withJson(TYPE.OPEN, channel, request);
}

/** @param {number} channel @param {Reset} reset */
export function formatReset(channel, reset) {
  return withJson(TYPE.RESET, channel, reset);
}

/** @param {number} channel @param {number} received @param {number} limit */
export function formatState(channel, received, limit) {
  const frame = head(TYPE.STATE, channel, 16);
  const view = new DataView(frame.buffer);
  view.setBigUint64(5, BigInt(received));
  view.setBigUint64(13, BigInt(limit));
  return frame;
}

/** @param {number} channel */
export function formatEnd(channel) {
  return head(TYPE.END, channel, 0);
}

/** @param {number} channel */
export function formatGone(channel) {
  return head(TYPE.GONE, channel, 0);
}

/**
 * A DATA frame. The caller writes the bytes, behind FRAME_HEAD_BYTES.
 * @param {number} channel
 * @param {number} length
 */
export function makeData(channel, length) {
  return head(TYPE.DATA, channel, length);
}

/** @param {number} type @param {number} channel @param {object} data */
function withJson(type, channel, data) {
  const json = new TextEncoder().encode(JSON.stringify(data));
  const frame = head(type, channel, json.length);
  frame.set(json, FRAME_HEAD_BYTES);
  return frame;
}

/**
 * @param {number} type @param {number} channel @param {number} more bytes behind the head
 * @returns {Bytes}
 */
function head(type, channel, more) {
  const frame = new Uint8Array(FRAME_HEAD_BYTES + more);
  frame[0] = type;
  new DataView(frame.buffer).setUint32(1, channel);
  return frame;
}
