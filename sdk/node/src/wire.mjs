// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The lines of descriptor 3 (docs/page-programs/descriptor-3.md), as values. Pure.
 *
 * A line is `NAME JSON`, or `NAME @LEN`, LEN bytes and LF; NAME is followed by `?CALL` where an
 * answer is wanted. Answers begin with `=`, `+` (more follow) or `!` (it failed), the server's own
 * lines with a dot, and those of a shared program with `@SESSION `.
 */
import { PageError } from './errors.mjs';

const NAME = /^[\w\-:/][\w\-:/.]{0,127}$/;
const NUMBER = '(0|[1-9]\\d{0,15})';
const HEAD = new RegExp(
  `^(?:@([\\w-]{1,64}) )?(?:([=+!])${NUMBER}|(\\.WORD)|(WORD)(?:\\?${NUMBER})?)(?: |$)`.replaceAll(
    'WORD',
    NAME.source.slice(1, -1),
  ),
);
const LENGTH = new RegExp(`^@${NUMBER}$`);
/** @type {Record<string, 'answer' | 'part' | 'failure'>} */
const ANSWERS = { '=': 'answer', '+': 'part', '!': 'failure' };

/**
 * One message. `bare`: there was no data, it counts as null; `problem` says why its
 * JSON can't be had, and is empty otherwise; `session`: which page of a shared
 * program; `size`: of its line and its bytes; `number`: among the events, calls and answers of its
 * page, once it has been told (state.mjs).
 * @typedef {'event' | 'call' | 'answer' | 'part' | 'failure' | 'system'} Kind
 * @typedef {{ kind: Kind, name: string, call: number, data: any, bare: boolean, problem: string,
 *   size: number, session: string, number?: number }} Message
 */

/** Bytes in, messages out; keeps what is not whole yet. Pure. */
export class Reader {
  /** @type {Buffer[]} */
  #chunks = [];
  #length = 0;
  #wanted = 0; // bytes before it is worth a look; 0: an LF is
  /** @type {RegExpExecArray | null} */
  #head = null; // of a message whose bytes are awaited

  /** @param {Buffer} chunk @returns {Message[]} */
  feed(chunk) {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#wanted ? this.#length < this.#wanted : !chunk.includes(10)) return [];
    const messages = [];
    let rest = Buffer.concat(this.#chunks);
    for (let next; (next = this.#next(rest)); rest = rest.subarray(next.used))
      if (next.message) messages.push(next.message);
    this.#chunks = [rest];
    this.#length = rest.length;
    return messages;
  }

  /** @param {Buffer} rest @returns {{ used: number, message: Message | null } | null} */
  #next(rest) {
    if (this.#head) return this.#bytes(rest);
    const end = rest.indexOf(10);
    if (end < 0) return null;
    const line = rest.toString('utf8', 0, end);
    const head = HEAD.exec(line);
    if (!head || Number(head[3] ?? head[6] ?? 0) > Number.MAX_SAFE_INTEGER)
      throw new PageError('protocol', `not a line of the server's: ${line.slice(0, 80)}`);
    const body = line.slice(head[0].length);
    if (body[0] !== '@')
      return { used: end + 1, message: made(head, ...parsed(body), body === '', end + 1) };
    const length = LENGTH.exec(body);
    if (!length) throw new PageError('protocol', `not a length of bytes: ${line.slice(0, 80)}`);
    this.#head = head;
    this.#wanted = Number(length[1]) + 1;
    return { used: end + 1, message: null };
  }

  /** @param {Buffer} rest */
  #bytes(rest) {
    const head = this.#head;
    const used = this.#wanted;
    if (!head || rest.length < used) return null;
    if (rest[used - 1] !== 10)
      throw new PageError('protocol', `bytes that do not end where their length says: ${head[0]}`);
    this.#head = null;
    this.#wanted = 0;
    return { used, message: made(head, Buffer.from(rest.subarray(0, used - 1)), '', false, used) };
  }
}

/** @param {string} json @returns {[any, string]} */
function parsed(json) {
  try {
    return [json ? JSON.parse(json) : null, ''];
  } catch (error) {
    return [null, String(error)];
  }
}

/**
 * @param {RegExpExecArray} head
 * @param {any} data
 * @param {string} problem
 * @param {boolean} bare
 * @param {number} size
 * @returns {Message}
 */
function made([, session = '', sign, answered, word, name, call], data, problem, bare, size) {
  const kind = sign ? ANSWERS[sign] : word ? 'system' : call ? 'call' : 'event';
  return {
    kind,
    name: word ?? name ?? '',
    call: Number(answered ?? call ?? 0),
    data,
    bare,
    problem,
    size,
    session,
  };
}

/** @param {string} name */
export function checked(name) {
  if (typeof name === 'string' && NAME.test(name)) return name;
  throw new PageError(
    'bad-name',
    `not a name: ${name} (1 to 128 of A-Z a-z 0-9 _ - : / . not beginning with a dot)`,
  );
}

/**
 * A whole message: bytes as bytes, everything else as JSON.
 * @param {string} head
 * @param {unknown} data
 * @returns {Buffer}
 */
export function line(head, data) {
  const bytes = bytesOf(data);
  if (bytes)
    return Buffer.concat([Buffer.from(`${head} @${bytes.length}\n`), bytes, Buffer.from('\n')]);
  if (data === undefined) return Buffer.from(`${head}\n`);
  const json = JSON.stringify(data);
  if (json === undefined)
    throw new PageError('unsendable', `${head}: JSON has no way to say a ${typeof data}`);
  return Buffer.from(`${head} ${json}\n`);
}

/** @param {unknown} data @returns {Buffer | null} */
function bytesOf(data) {
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : null;
}
