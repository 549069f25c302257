// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The messages of the subprotocol `httpsocket.v1` (docs/protocol.md, sections 2 to 4): parses and
 * formats WebSocket messages. Pure: no socket, no clock, no state.
 */
import { ServerConnectionError } from '../base/errors.mjs';

export const SUBPROTOCOL = 'httpsocket.v1';

/** A name, and the word of a control message: at most 128 bytes. */
const NAME = '[\\w\\-:/][\\w\\-:/.]{0,127}';
const NUMBER = '0|[1-9]\\d{0,15}';
const MAX_HEAD_BYTES = 128 + 1 + 16;
const MAX_DEPTH = 512;

const NAME_ONLY = new RegExp(`^${NAME}$`);
const NUMBER_ONLY = new RegExp(`^(?:${NUMBER})$`);
const TEXT = new RegExp(
  `^(?:(${NAME})(?:\\?(${NUMBER}))?|([=+!])(${NUMBER})|\\.(${NAME}))(?: (?=[^ \\t])|$)`,
);
const BINARY_HEAD = new RegExp(`^(?:(${NAME})(?:\\?(${NUMBER}))?|([=+])(${NUMBER}))$`);

/**
 * The words of sequenced messages: what a program wants of its page, and `.problem`, by which the
 * page says that it can't be done.
 */
const COMMANDS = Object.freeze(['dom', 'listen', 'unlisten', 'problem']);

/** @type {Record<string, 'answer' | 'part' | 'failure'>} */
const ANSWERS = { '=': 'answer', '+': 'part', '!': 'failure' };

/**
 * A parsed message. `bare` says that it had neither JSON nor bytes; its data is null then.
 * @typedef {{ kind: 'event', name: string, data: any, bare: boolean }} EventMessage
 * @typedef {{ kind: 'call', name: string, call: number, data: any, bare: boolean }} CallMessage
 * @typedef {{ kind: 'answer' | 'part' | 'failure', call: number, data: any, bare: boolean }}
 *   AnswerMessage
 * @typedef {{ kind: 'command', word: string, data: any, bare: boolean }} CommandMessage
 * @typedef {{ kind: 'control', word: string, data: any, bare: boolean }} ControlMessage
 * @typedef {{ kind: 'ack', count: number }} AckMessage
 * @typedef {EventMessage | CallMessage | AnswerMessage | CommandMessage} SequencedMessage
 * @typedef {SequencedMessage | ControlMessage | AckMessage} Message
 */

/**
 * A message to send: the argument of WebSocket.send(), and its size in bytes.
 * @typedef {{ payload: string | Uint8Array<ArrayBuffer>, size: number }} Outgoing
 */

/**
 * The other side sent something that is no message of this protocol. The connection is closed with
 * 4400.
 */
export class WireError extends Error {}

/**
 * @param {string} text a whole text message
 * @returns {Message}
 * @throws {WireError}
 */
export function parseText(text) {
  if (/[\n\r]/.test(text)) throw new WireError('a line break in a text message');
  const found = TEXT.exec(text);
  if (!found) throw new WireError('no such message');
  const [head, name, call, answer, answered, word] = found;
  const bare = head.length === text.length;
  if (word === 'ack') return { kind: 'ack', count: number(text.slice(head.length)) };
  const data = bare ? null : parseJson(text.slice(head.length));
  if (COMMANDS.includes(word)) return command(word, data, bare);
  if (word !== undefined) return { kind: 'control', word, data, bare };
  if (answer === undefined) return request(name, call, data, bare);
  if (bare && answer !== '=') throw new WireError(`no JSON after ${answer}CALL`);
  return { kind: ANSWERS[answer], call: number(answered), data, bare };
}

/**
 * @param {Uint8Array} bytes a whole binary message
 * @returns {SequencedMessage} its data is an ArrayBuffer
 * @throws {WireError}
 */
export function parseBinary(bytes) {
  const end = bytes.subarray(0, MAX_HEAD_BYTES + 1).indexOf(0x0a);
  if (end < 0) throw new WireError('no head in a binary message');
  const found = BINARY_HEAD.exec(String.fromCharCode(...bytes.subarray(0, end)));
  if (!found) throw new WireError('no such binary message');
  const [, name, call, answer, answered] = found;
  const data = bytes.slice(end + 1).buffer;
  if (answer === undefined) return request(name, call, data, false);
  return { kind: ANSWERS[answer], call: number(answered), data, bare: false };
}

/**
 * An event, or, with a number, a call.
 * @param {string} name @param {string | undefined} call @param {any} data @param {boolean} bare
 * @returns {EventMessage | CallMessage}
 */
function request(name, call, data, bare) {
  return call === undefined
    ? { kind: 'event', name, data, bare }
    : { kind: 'call', name, call: number(call), data, bare };
}

/** @param {string} word @param {any} data @param {boolean} bare @returns {CommandMessage} */
function command(word, data, bare) {
  if (bare) throw new WireError(`no JSON after .${word}`);
  return { kind: 'command', word, data, bare };
}

/** @param {string} digits */
function number(digits) {
  const value = Number(digits);
  if (!NUMBER_ONLY.test(digits) || !Number.isSafeInteger(value))
    throw new WireError('a bad number');
  return value;
}

/** @param {string} json */
export function parseJson(json) {
  if (tooDeep(json)) throw new WireError('JSON too deep');
  try {
    return JSON.parse(json);
  } catch {
    throw new WireError('bad JSON');
  }
}

/**
 * Whether arrays and objects nest deeper than the protocol allows. Brackets inside of strings don't
 * count.
 * @param {string} json
 */
function tooDeep(json) {
  if (json.length <= MAX_DEPTH) return false;
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '"') i = endOfString(json, i);
    else if (c === '[' || c === '{') {
      if (++depth > MAX_DEPTH) return true;
    } else if (c === ']' || c === '}') depth--;
  }
  return false;
}

/** @param {string} json @param {number} start index of the opening quote */
function endOfString(json, start) {
  let i = start + 1;
  while (i < json.length && json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
  return i;
}

/** @param {unknown} name */
export function isName(name) {
  return typeof name === 'string' && NAME_ONLY.test(name);
}

/**
 * @param {string} name @param {any} data
 * @returns {Outgoing}
 * @throws {ServerConnectionError} `bad-name`, `unsendable`
 */
export function formatEvent(name, data) {
  return format(checkedName(name), data);
}

/** @param {string} name @param {number} call @param {any} data @returns {Outgoing} */
export function formatCall(name, call, data) {
  return format(`${checkedName(name)}?${call}`, data);
}

/**
 * The last answer to a call of the other side.
 * @param {number} call @param {any} data @returns {Outgoing}
 */
export function formatAnswer(call, data) {
  return format(`=${call}`, data);
}

/** One of several answers. @param {number} call @param {any} data @returns {Outgoing} */
export function formatPart(call, data) {
  return format(`+${call}`, data === undefined ? null : data);
}

/** @param {number} call @param {string} message @returns {Outgoing} */
export function formatFailure(call, message) {
  return format(`!${call}`, { message });
}

/** Tells the program what the page can't do. @param {any} problem @returns {Outgoing} */
export function formatProblem(problem) {
  return format('.problem', problem);
}

/** @param {string} word @param {any} [data] @returns {string} */
export function formatControl(word, data) {
  return data === undefined ? `.${word}` : `.${word} ${JSON.stringify(data)}`;
}

/** @param {string} name */
export function checkedName(name) {
  if (isName(name)) return name;
  throw new ServerConnectionError(
    'bad-name',
    `not a name: ${String(name).slice(0, 40)} (1 to 128 of A-Z a-z 0-9 _ - : / . and no dot first)`,
  );
}

/** @param {string} head @param {any} data @returns {Outgoing} */
function format(head, data) {
  const bytes = asBytes(data);
  if (bytes) return formatBinary(head, bytes);
  const payload = data === undefined ? head : `${head} ${formatJson(data)}`;
  return { payload, size: utf8Length(payload) };
}

/**
 * Copies the bytes, since the caller may change them later.
 * @param {string} head @param {Uint8Array} bytes
 */
function formatBinary(head, bytes) {
  const payload = new Uint8Array(head.length + 1 + bytes.length);
  for (let i = 0; i < head.length; i++) payload[i] = head.charCodeAt(i);
  payload[head.length] = 0x0a;
  payload.set(bytes, head.length + 1);
  return { payload, size: payload.length };
}

/**
 * @param {any} data
 * @returns {Uint8Array | null} a view of the bytes; null if `data` is something else
 */
function asBytes(data) {
  try {
    if (ArrayBuffer.isView(data))
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return isBuffer(data) ? new Uint8Array(data) : null;
  } catch (cause) {
    throw new ServerConnectionError('unsendable', 'these bytes have been given away', { cause });
  }
}

/** Recognises buffers of other windows too, which instanceof does not. @param {any} data */
function isBuffer(data) {
  return BUFFERS.has(Object.prototype.toString.call(data));
}

const BUFFERS = new Set(['[object ArrayBuffer]', '[object SharedArrayBuffer]']);

/** JSON.stringify() would silently make `{}` or a list of numbers of these. They are refused. */
const MANGLED = new Set([
  'Blob',
  'File',
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'Promise',
  'ReadableStream',
]);

/**
 * Checks data that becomes a part of a larger structure.
 * @param {any} data @returns {any} a copy, as it will arrive
 * @throws {ServerConnectionError} `unsendable`
 */
export function parseableJson(data) {
  return JSON.parse(formatJson(data));
}

/** @param {any} data */
function formatJson(data) {
  let json;
  try {
    json = JSON.stringify(data, refuseMangled);
  } catch (cause) {
    if (cause instanceof ServerConnectionError) throw cause;
    throw new ServerConnectionError(
      'unsendable',
      `no JSON can be made of it: ${/** @type {any} */ (cause)?.message}`,
      {
        cause,
      },
    );
  }
  if (json === undefined)
    throw new ServerConnectionError('unsendable', `no JSON can be made of a ${typeof data}`);
  if (tooDeep(json))
    throw new ServerConnectionError('unsendable', `more than ${MAX_DEPTH} levels deep`);
  return json;
}

/** @this {any} @param {string} key @param {any} value */
function refuseMangled(key, value) {
  const original = this[key]; // before toJSON(), which a Node Buffer has
  if (typeof original !== 'object' || original === null) return value;
  const type = Object.prototype.toString.call(original).slice(8, -1);
  if (ArrayBuffer.isView(original) || isBuffer(original))
    throw new ServerConnectionError(
      'unsendable',
      `bytes inside of a structure ('${key}'): send them as the data itself`,
    );
  if (MANGLED.has(type))
    throw new ServerConnectionError('unsendable', `a ${type} is no JSON${key && ` ('${key}')`}`);
  return value;
}

/** The length of a string in UTF-8, in bytes. @param {string} text */
export function utf8Length(text) {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) length += 1;
    else if (unit < 0xd800 || unit > 0xdfff) length += 2;
    else length += 1; // half of a pair: 4 bytes for two units
  }
  return length;
}

/** A binary message whose first byte is below this is a frame. Others begin with a name. */
const FIRST_OF_NAMES = 0x20;

/** @param {Uint8Array} message a whole binary message */
export function isFrame(message) {
  return message.length > 0 && message[0] < FIRST_OF_NAMES;
}
